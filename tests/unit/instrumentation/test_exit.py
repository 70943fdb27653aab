"""A process that is asked to end sends what it has recorded first."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import otlp_sink, shop_process
from support.backends import attribute
from support.otlp_sink import Fault, Request, Sink
from support.signals import with_default_signals

# Records one span and one log, then waits until it is ended.
SCRIPT = """
import logging, select, sys
from opentelemetry import trace
with trace.get_tracer("script").start_as_current_span("last step"):
    logging.getLogger("script").warning("Last step done")
print("ready", flush=True)
# In turns: CPython notices a signal that comes just before a blocking call when that call returns.
while not select.select([sys.stdin], [], [], 0.2)[0]:
    pass
"""
# Nothing leaves by the clock while these tests run.
NEVER = {
    "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    "OTEL_BLRP_SCHEDULE_DELAY": "3600000",
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
}


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


def end_script(
    sink: Sink,
    distro: str = "glasshouse",
    *,
    source: str = SCRIPT,
    end: Callable[[subprocess.Popen[str]], object] = subprocess.Popen.terminate,
) -> int:
    """Run a script until it has recorded; end it, by SIGTERM. Return its exit code."""
    process = subprocess.Popen(
        [str(shop_process.INSTRUMENT), sys.executable, "-c", source],
        env=shop_process.environment(sink.url, distro=distro, **NEVER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=with_default_signals,
    )
    with process:
        assert process.stdout
        assert "ready\n" in iter(process.stdout.readline, "")
        end(process)
        return process.wait(60)


def has_its_tail(sink: Sink) -> bool:
    spans = [span["name"] for span in sink.spans()]
    return spans == ["last step"] and sink.bodies().count("Last step done") == 1


def test_a_server_sends_all_three_signals_at_sigterm(sink: Sink, tmp_path: Path) -> None:
    variables = shop_process.environment(sink.url, **NEVER)
    with shop_process.running(variables, tmp_path / "console") as shop:
        shop.order("last-order")
        shop.stop()
    assert shop.process.returncode == -signal.SIGTERM
    # Nothing to wait for: the process has ended.
    assert "last-order" in [attribute(record, "order") for record in sink.log_records()]
    assert "/orders/last-order" in [attribute(span, "url.path") for span in sink.spans()]
    assert "http.server.request.duration" in [metric["name"] for metric in sink.metrics()]


def test_a_script_sends_its_tail_at_sigterm(sink: Sink) -> None:
    # Ended by the signal, as without telemetry.
    assert end_script(sink) == -signal.SIGTERM
    assert [span["name"] for span in sink.spans()] == ["last step"]
    assert "Last step done" in sink.bodies()


def test_the_stock_distro_loses_that_tail(sink: Sink) -> None:
    """The control: were it not lost, the tests above would prove nothing."""
    assert end_script(sink, "distro") == -signal.SIGTERM
    assert sink.requests == []


# What comes before SCRIPT, and the signal that it is sent then.
SIGNALS = {
    "terminal closed": ("", signal.SIGHUP),
    "Ctrl-C": ("", signal.SIGINT),
    "default given back": (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL)",
        signal.SIGTERM,
    ),
    "default given back by number": (
        "import signal; signal.signal(15, 0)",
        signal.SIGTERM,
    ),
    "default given to another": (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)",
        signal.SIGINT,
    ),
    "handler of asyncio removed": (
        """
import asyncio, signal
async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, print)
    loop.remove_signal_handler(signal.SIGTERM)
asyncio.run(main())
""",
        signal.SIGTERM,
    ),
    "handler put back as it was found": (
        """
import signal
found = signal.signal(signal.SIGTERM, print)
signal.signal(signal.SIGTERM, found)
""",
        signal.SIGTERM,
    ),
    "many threads": (
        """
import threading, time
def spin():
    while True:
        sum(range(1000))
for _ in range(20):
    threading.Thread(target=spin, daemon=True).start()
""",
        signal.SIGTERM,
    ),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_that_ends_a_script_ends_it_after_the_flush(sink: Sink, name: str) -> None:
    before, number = SIGNALS[name]
    code = end_script(sink, source=before + SCRIPT, end=lambda process: process.send_signal(number))
    assert code == -number
    assert has_its_tail(sink)


def test_a_signal_that_is_ignored_stays_ignored(sink: Sink) -> None:
    source = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SCRIPT

    def end(process: subprocess.Popen[str]) -> None:
        process.terminate()
        assert process.stdin
        process.stdin.close()

    assert end_script(sink, source=source, end=end) == 0
    assert has_its_tail(sink)


def test_a_second_signal_does_not_cut_the_flush_short(sink: Sink) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slowly(request: Request) -> Fault | None:
        arrived.set()
        go_on.wait(30)
        return None

    def end(process: subprocess.Popen[str]) -> None:
        process.terminate()
        assert arrived.wait(30)
        process.terminate()
        process.send_signal(signal.SIGINT)
        go_on.set()

    sink.fault = slowly
    code = end_script(sink, end=end)
    assert code in (-signal.SIGTERM, -signal.SIGINT)
    assert has_its_tail(sink)


def test_a_receiver_that_is_slow_at_the_end_still_gets_the_tail(sink: Sink) -> None:
    """One answer takes longer than an export may: the next try is in time."""
    held = threading.Event()
    first: list[Request] = []

    def hold_the_first(request: Request) -> Fault | None:
        if not request.path.endswith("logs") or first:
            return None
        first.append(request)
        held.wait(30)
        return Fault(status=503)

    sink.fault = hold_the_first
    try:
        assert end_script(sink) == -signal.SIGTERM
    finally:
        held.set()
    assert has_its_tail(sink)


def test_os_exit_ends_after_the_flush(sink: Sink) -> None:
    source = SCRIPT + "\nimport os; os._exit(3)"

    def end(process: subprocess.Popen[str]) -> None:
        assert process.stdin
        process.stdin.close()

    assert end_script(sink, source=source, end=end) == 3
    assert has_its_tail(sink)


def test_a_kill_loses_what_waits(sink: Sink) -> None:
    """The control of all above, and what the README says."""
    assert end_script(sink, end=subprocess.Popen.kill) == -signal.SIGKILL
    assert sink.requests == []
