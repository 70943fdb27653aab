"""Work in forked children: what they record arrives, as their own and once."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from support import otlp_sink, shop_process
from support.backends import attribute
from support.otlp_sink import Sink

WORK = """
import logging, multiprocessing, os, signal, sys, threading, time
from opentelemetry import metrics, trace

logger = logging.getLogger("script")
counter = metrics.get_meter("script").create_counter("work.done")

def work(number):
    with trace.get_tracer("script").start_as_current_span(f"span {number}"):
        logger.warning("work %d", number)
    counter.add(1)

def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

# What a child must not send a second time.
counter.add(1000)
logger.warning("parent")
"""
ENDS = {
    "process": """
children = [multiprocessing.get_context("fork").Process(target=work, args=(n,)) for n in range(4)]
[child.start() for child in children]
[child.join() for child in children]
assert [child.exitcode for child in children] == [0, 0, 0, 0]
""",
    "pool left at once": """
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map(work, range(4), chunksize=1)
""",
    "pool closed": """
pool = multiprocessing.get_context("fork").Pool(2)
pool.map(work, range(4))
pool.close()
pool.join()
""",
    "executor": """
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as executor:
    list(executor.map(work, range(4)))
""",
    "child that is terminated": """
def work_and_wait(number):
    work(number)
    ready.release()
    time.sleep(600)
context = multiprocessing.get_context("fork")
ready = context.Semaphore(0)
children = [context.Process(target=work_and_wait, args=(n,)) for n in range(4)]
[child.start() for child in children]
[ready.acquire() for child in children]
[child.terminate() for child in children]
[child.join() for child in children]
assert [child.exitcode for child in children] == [-signal.SIGTERM] * 4
""",
    "os.fork and os._exit": """
for number in range(4):
    pid = os.fork()
    if not pid:
        work(number)
        os._exit(7)
    assert wait(pid) == 7
""",
    "os.fork and sys.exit": """
for number in range(4):
    pid = os.fork()
    if not pid:
        work(number)
        sys.exit(7)
    assert wait(pid) == 7
""",
    "fork of a thread": """
def fork(number):
    pid = os.fork()
    if not pid:
        work(number)
        os._exit(0)
    assert wait(pid) == 0
threads = [threading.Thread(target=fork, args=(n,)) for n in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
""",
    "child of a child": """
def fork(numbers):
    if not numbers:
        return
    pid = os.fork()
    if pid:
        assert wait(pid) == 0
        return
    work(numbers[0])
    fork(numbers[1:])
    os._exit(0)
fork(range(4))
""",
    "default given back to a signal": """
for number in range(4):
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work(number)
        signal.raise_signal(signal.SIGTERM)
    assert wait(pid) == -signal.SIGTERM
""",
}


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


def run(sink: Sink, source: str, **variables: str) -> str:
    """Run a script to its end; return what it printed."""
    done = subprocess.run(
        [str(shop_process.INSTRUMENT), sys.executable, "-c", WORK + source],
        env=shop_process.environment(sink.url, **variables),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def instances(sink: Sink, signal: str) -> list[str]:
    return [
        str(attribute(resource["resource"], "service.instance.id"))
        for request in sink.stored(signal)
        for resource in request[{"logs": "resourceLogs", "metrics": "resourceMetrics"}[signal]]
    ]


def work_done(sink: Sink) -> dict[str, int]:
    """Return the newest value of the counter, by instance."""
    found: dict[str, int] = {}
    for request in sink.stored("metrics"):
        for resource in request["resourceMetrics"]:
            metrics: list[dict[str, Any]] = [
                metric for scope in resource["scopeMetrics"] for metric in scope["metrics"]
            ]
            for metric in metrics:
                if metric["name"] == "work.done":
                    point = metric["sum"]["dataPoints"][0]
                    instance = str(attribute(resource["resource"], "service.instance.id"))
                    found[instance] = int(point["asInt"])
    return found


@pytest.mark.parametrize("end", ENDS)
def test_what_a_child_records_arrives_once_and_as_its_own(sink: Sink, end: str) -> None:
    run(sink, ENDS[end])
    logs = Counter(body for body in sink.bodies() if body.startswith(("work", "parent")))
    assert logs == {"parent": 1, "work 0": 1, "work 1": 1, "work 2": 1, "work 3": 1}
    assert Counter(span["name"] for span in sink.spans()) == {f"span {n}": 1 for n in range(4)}
    done = work_done(sink)
    assert max(done.values()) == 1000
    assert sum(done.values()) == 1004
    # Children that did nothing, of a pool, send nothing.
    assert set(done) == set(instances(sink, "logs"))


def test_the_first_exports_import_nothing(sink: Sink) -> None:
    """A fork by another thread while a thread of ours imports leaves a child that hangs."""
    source = """
from opentelemetry._logs import get_logger_provider
work(0)
modules = set(sys.modules)
for provider in get_logger_provider(), trace.get_tracer_provider(), metrics.get_meter_provider():
    assert provider.force_flush()
print(f"imported: {sorted(set(sys.modules) - modules)}")
"""
    assert "imported: []" in run(sink, source)
    assert {"parent", "work 0"} <= set(sink.bodies())
    assert [span["name"] for span in sink.spans()] == ["span 0"]


def test_a_child_keeps_the_instance_that_the_environment_names(sink: Sink) -> None:
    run(
        sink,
        ENDS["os.fork and os._exit"],
        OTEL_RESOURCE_ATTRIBUTES="service.instance.id=mine,team=shop",
    )
    assert set(instances(sink, "logs")) == {"mine"}
    assert "work 3" in sink.bodies()


def test_what_ends_a_child_is_logged_and_redacted(sink: Sink) -> None:
    source = """
def fail():
    raise ValueError("cannot mail jane@example.com")
child = multiprocessing.get_context("fork").Process(target=fail)
child.start()
child.join()
assert child.exitcode == 1
"""
    written = run(sink, source)
    assert "Uncaught exception in ForkProcess-1" in written
    assert "ValueError: cannot mail [email:" in written
    assert "jane@example.com" not in written
    (record,) = [
        one
        for one in sink.log_records()
        if one["body"]["stringValue"] == "Uncaught exception in ForkProcess-1"
    ]
    assert attribute(record, "exception.type") == "ValueError"
    assert b"jane@example.com" not in b"".join(request.body for request in sink.requests)


def test_a_child_uses_no_connection_and_no_lock_of_its_parent(sink: Sink) -> None:
    """The parent's export hangs, with its connection and its locks, while it forks."""
    sink.fault = lambda request: otlp_sink.Fault() if b"hang" in request.body else None
    source = """
logger.warning("hang")
from opentelemetry._logs import get_logger_provider
get_logger_provider().force_flush(1000)
for number in range(4):
    pid = os.fork()
    if not pid:
        work(number)
        os._exit(0)
    assert wait(pid) == 0
"""
    run(sink, source)
    assert sorted(body for body in sink.bodies() if body.startswith("work")) == [
        f"work {n}" for n in range(4)
    ]
