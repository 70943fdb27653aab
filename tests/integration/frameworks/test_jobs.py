"""A stranger's jobs: one trace from sender to worker, and nothing of what they carry."""

import re
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import frameworks, in_span, job_cells, otlp_sink
from support.cells import Cells
from support.frameworks import Program
from support.job_cells import PERSON, SECRETS, Seen
from support.received import Span
from support.signals import catches
from support.waiting import until

SECTION = "Jobs"
MASK = re.compile(r"\[email:[0-9a-f]{16}\]")
DONE_WITHIN_S = 240
# Nothing leaves by the clock: what arrives is sent at the end of a process.
NEVER = {
    "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    "OTEL_BLRP_SCHEDULE_DELAY": "3600000",
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
}
CELERY = ("celery", "--app", "celery_app", "worker", "--loglevel", "INFO", "--concurrency", "2")
PROCRASTINATE = ("procrastinate", "--app", "procrastinate_app.app")


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One worker. runs: how often each task is run. done: what its console shows at the end."""

    name: str
    worker: Sequence[str]
    sender: str
    ready: str
    done: Sequence[str]
    runs: dict[str, int]
    said: dict[str, int]
    number: int = 0


def of_celery(number: int, pool: str) -> Queue:
    return Queue(
        name=f"Celery, {pool}",
        worker=(*CELERY, "--pool", pool),
        sender="celery_send.py",
        ready="ready.",
        done=("raised unexpected", "Restocked at the second attempt"),
        runs={"ship": 1, "invite": 1, "restock": 2},
        said={"Order first is shipped": 1, "Restocked at the second attempt": 1},
        number=number,
    )


QUEUES = [
    *(of_celery(number, pool) for number, pool in enumerate(("prefork", "threads", "solo"))),
    Queue(
        name="procrastinate",
        worker=(*PROCRASTINATE, "worker", "--name", "stranger"),
        sender="procrastinate_app.py",
        ready="Launching a worker",
        done=("Order first is shipped", "Inviting somebody"),
        runs={"ship": 1, "invite": 2},
        said={"Order first is shipped": 1, "Inviting somebody": 2},
    ),
]


@pytest.fixture(scope="module", params=QUEUES, ids=lambda queue: queue.name)
def queue(request: pytest.FixtureRequest) -> Queue:
    return request.param


@pytest.fixture(scope="module")
def variables(
    queue: Queue, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    if queue.name == "procrastinate":
        # Its command finds only what is on the path.
        found = {"DATABASE_URL": request.getfixturevalue("database"), "PYTHONPATH": "."}
        command = (*PROCRASTINATE, "schema", "--apply")
        folder = tmp_path_factory.mktemp("schema")
        with frameworks.running(command, folder, endpoint=None, **found) as program:
            assert program.wait() == 0, program.console()
        return found
    address = request.getfixturevalue("valkey")
    return {"REDIS_URL": f"{address.rpartition('/')[0]}/{queue.number}"}


def shows(program: Program, words: str, times: int = 1) -> None:
    """Wait until the console shows ``words`` so many times."""

    def probe() -> tuple[bool | None, object]:
        console = program.console()
        assert program.process.poll() is None, console[-3000:]
        return (True if console.count(words) >= times else None), console[-3000:]

    until(probe, what=f"{words!r} on the console", deadline_s=DONE_WITHIN_S)


def is_done(queue: Queue, program: Program) -> None:
    for words in queue.done:
        shows(program, words, queue.said.get(words, 1))


@pytest.fixture(scope="module")
def seen(queue: Queue, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One run of worker and sender, for all checks; the worker is ended when it is done."""
    folder = tmp_path_factory.mktemp("jobs")
    given = {**variables, **NEVER}
    with otlp_sink.running() as sink:
        with frameworks.running(queue.worker, folder / "worker", endpoint=sink.url, **given) as one:
            shows(one, queue.ready)
            sender = ("python", in_span.__file__, queue.sender)
            with frameworks.running(sender, folder / "send", endpoint=sink.url, **given) as other:
                assert other.process.wait(DONE_WITHIN_S) == 0, other.console()
            is_done(queue, one)
            code = one.process.poll()
            assert code is None
            one.process.send_signal(signal.SIGTERM)
            code = one.process.wait(DONE_WITHIN_S)
        seen = Seen(code=code, stdout=one.console(), stderr=other.console())
        return job_cells.collect(seen, sink)


def task(span: Span) -> str:
    """Return the task's own name: ``ship`` of ``run/celery_app.ship``."""
    return span.name.rpartition(".")[2]


def of_kind(seen: Seen, kind: str) -> list[Span]:
    return [span for span in seen.spans if span.kind == kind]


def test_one_trace_from_the_sender_to_the_worker(queue: Queue, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(queue.name, "one trace", section=SECTION):
        caller = seen.caller()
        assert {span.trace for span in of_kind(seen, "CONSUMER")} == {caller.trace}
        sent = {span.id: task(span) for span in of_kind(seen, "PRODUCER")}
        for run in of_kind(seen, "CONSUMER"):
            assert sent[run.parent] == task(run)
        said = [log for words in queue.said for log in seen.saying(words)]
        runs = {span.id for span in of_kind(seen, "CONSUMER")}
        assert {log.trace for log in said} == {caller.trace}
        assert {log.span for log in said} <= runs


def test_nothing_comes_twice(queue: Queue, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(queue.name, "all of it, once", section=SECTION):
        assert Counter(task(span) for span in of_kind(seen, "CONSUMER")) == Counter(queue.runs)
        assert Counter(span.id for span in seen.spans).most_common(1)[0][1] == 1
        for words, times in queue.said.items():
            assert len(seen.saying(words)) == times
            assert seen.console.count(words) == times


def test_housekeeping_makes_no_traces(queue: Queue, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(queue.name, "no housekeeping", section=SECTION):
        assert [span.name for span in seen.spans if not span.parent] == [in_span.CALLER]


def test_ids_go_along(queue: Queue, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(queue.name, "ids", section=SECTION):
        runs = of_kind(seen, "CONSUMER")
        said = [log for words in queue.said for log in seen.saying(words)]
        assert runs
        assert said
        for item in (*runs, *said):
            assert item.attributes["request.id"] == in_span.IDS.request
            assert item.attributes["correlation.id"] == in_span.IDS.correlation


def test_an_exception_is_exported_and_redacted(queue: Queue, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(queue.name, "exceptions", section=SECTION):
        failed = [run for run in of_kind(seen, "CONSUMER") if run.status == "ERROR"]
        assert {task(run) for run in failed} == {"invite"}
        messages = [
            MASK.sub("MAIL", str(event.attributes["exception.message"]))
            for run in failed
            for event in run.events
        ]
        assert messages == ["cannot mail MAIL"] * len(failed)
        assert "cannot mail MAIL" in MASK.sub("MAIL", seen.console)


def test_no_argument_and_no_result_is_written(queue: Queue, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(queue.name, "no arguments, no results", section=SECTION):
        for secret in (*SECRETS, "sent to", "('first'", '"first"', "order='first'"):
            assert secret not in seen.text + seen.console


def test_it_ends_as_without_telemetry(
    queue: Queue, seen: Seen, variables: dict[str, str], recorded: Cells, tmp_path: Path
) -> None:
    with (
        recorded.checking(queue.name, "exit code", section=SECTION),
        frameworks.running(queue.worker, tmp_path, endpoint=None, **variables) as bare,
    ):
        shows(bare, queue.ready)
        # Some say that they are ready a moment before they answer the signal.
        until(
            lambda: (catches(bare.process.pid, signal.SIGTERM) or None, "it does not"),
            what="the worker answers SIGTERM",
        )
        bare.process.send_signal(signal.SIGTERM)
        assert seen.code == bare.process.wait(DONE_WITHIN_S)


def test_beat_begins_a_trace_for_each_task(valkey: str, recorded: Cells, tmp_path: Path) -> None:
    schedule = ("--beat", "--schedule", str(tmp_path / "schedule"), "--pool", "threads")
    address = f"{valkey.rpartition('/')[0]}/7"
    with otlp_sink.running() as sink:
        with frameworks.running(
            (*CELERY, *schedule), tmp_path, endpoint=sink.url, REDIS_URL=address, **NEVER
        ) as program:
            shows(program, "Counted", 2)
            program.process.send_signal(signal.SIGTERM)
            program.process.wait(DONE_WITHIN_S)
        seen = job_cells.collect(Seen(stdout=program.console()), sink)
    with recorded.checking("Celery, beat", "one trace", section=SECTION):
        runs = {span.id: span for span in of_kind(seen, "CONSUMER")}
        sent = {span.id for span in of_kind(seen, "PRODUCER")}
        said = seen.saying("Counted")
        assert len(said) >= 2
        assert all(runs[log.span].parent in sent for log in said)
        assert len({log.trace for log in said}) == len(said)
    with recorded.checking("Celery, beat", "all of it, once", section=SECTION):
        assert len(said) == program.console().count("Counted")
    with recorded.checking("Celery, beat", "no housekeeping", section=SECTION):
        assert {span.kind for span in seen.spans if not span.parent} == {"PRODUCER"}


EAGER = """
import celery_app
celery_app.app.conf.task_always_eager = True
print(celery_app.ship.delay("first", "nora.lind@example.org").get())
celery_app.invite.delay("nora.lind@example.org")
"""


def test_eager_tasks_are_recorded_in_place(valkey: str, recorded: Cells, tmp_path: Path) -> None:
    program = tmp_path / "eager.py"
    program.write_text(EAGER, encoding="utf-8")
    places = {"REDIS_URL": valkey, "PYTHONPATH": str(frameworks.EXAMPLES)}
    seen = job_cells.look([str(program)], tmp_path, places)
    assert seen.code == 0, seen.console
    with recorded.checking("Celery, eager", "one trace", section=SECTION):
        caller = seen.caller()
        runs = of_kind(seen, "CONSUMER")
        assert {(run.trace, run.parent) for run in runs} == {(caller.trace, caller.id)}
    with recorded.checking("Celery, eager", "all of it, once", section=SECTION):
        assert Counter(task(run) for run in runs) == Counter({"ship": 1, "invite": 1})
        assert len(seen.saying("Order first is shipped")) == 1
    with recorded.checking("Celery, eager", "ids", section=SECTION):
        assert {run.attributes["request.id"] for run in runs} == {in_span.IDS.request}
    with recorded.checking("Celery, eager", "exceptions", section=SECTION):
        assert [task(run) for run in runs if run.status == "ERROR"] == ["invite"]
    with recorded.checking("Celery, eager", "no arguments, no results", section=SECTION):
        # What the program prints is its own.
        assert seen.printed == f"sent to {PERSON}\n"
        for secret in SECRETS:
            assert secret not in seen.text + seen.console.replace(seen.printed, "")
