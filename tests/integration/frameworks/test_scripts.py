"""A stranger's scripts: how they end, and what their threads, tasks and processes log."""

import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from support import frameworks, job_cells, otlp_sink
from support.cells import Cells
from support.job_cells import PERSON, SECRETS, Seen
from support.waiting import until

SECTION = "Scripts, threads and processes"
MASK = re.compile(r"\[email:[0-9a-f]{16}\]")
# How script.py ends, its code, and the last words that it logs.
ENDS = {
    "sys.exit": ("exit", 3, "Half of it is done"),
    "its last line": ("end", 0, "Night ended"),
    "an exception": ("raise", 1, "Uncaught exception"),
    "an exception in a thread": ("thread", 0, "Night ended"),
}
# How workers.py works, and how many records "Part n is done" that makes.
WORKERS = {
    "threads": 4,
    "tasks": 4,
    "pool-fork": 4,
    "pool-spawn": 4,
    "process-fork": 1,
    "process-spawn": 1,
}


def masked(value: object) -> str:
    return MASK.sub("MAIL", str(value))


def failures(seen: Seen) -> list[str]:
    """Return the messages of the exceptions that were exported in log records."""
    found = [log.attributes.get("exception.message") for log in seen.logs]
    return [masked(message) for message in found if message]


def is_redacted(seen: Seen) -> None:
    assert MASK.search(seen.console)
    for secret in SECRETS:
        assert secret not in seen.console + seen.text


@pytest.mark.parametrize("row", ENDS)
def test_a_script_sends_all_however_it_ends(row: str, recorded: Cells, tmp_path: Path) -> None:
    way, code, last = ENDS[row]
    seen = job_cells.look(["script.py", way], tmp_path / "seen", inside=False)
    bare = job_cells.look(["script.py", way], tmp_path / "bare", inside=False, distro=None)
    with recorded.checking(row, "exit code", section=SECTION):
        assert (seen.code, bare.code) == (code, code)
    with recorded.checking(row, "all records, once", section=SECTION):
        assert len(seen.saying("Night started for")) == 1
        assert len(seen.saying("UserWarning: no key for")) == 1
        assert len(seen.saying(last)) == 1
    with recorded.checking(row, "exceptions", section=SECTION):
        raises = way in ("raise", "thread")
        assert failures(seen) == (["cannot mail MAIL"] if raises else [])
        assert seen.console.count("ValueError: cannot mail") == int(raises)
    with recorded.checking(row, "console redacted", section=SECTION):
        assert PERSON in bare.console
        is_redacted(seen)


@pytest.mark.parametrize(
    ("row", "signum"), [("SIGTERM", signal.SIGTERM), ("Ctrl-C", signal.SIGINT)]
)
def test_a_script_sends_all_at_a_signal(
    row: str, signum: signal.Signals, recorded: Cells, tmp_path: Path
) -> None:
    codes: list[int] = []
    seen = Seen()
    with otlp_sink.running() as sink:
        for endpoint in (sink.url, None):
            command = ("python", "script.py", "wait")
            folder = tmp_path / ("bare" if endpoint is None else "seen")
            with frameworks.running(command, folder, endpoint=endpoint) as program:
                until(
                    lambda out=program.stdout: (
                        True if "ready" in out.read_text("utf-8") else None,
                        program.console(),
                    ),
                    what="the script waits",
                )
                codes.append(program.stop(signum))
            if endpoint is not None:
                seen = Seen(code=codes[0], stdout=program.console())
        job_cells.collect(seen, sink)
    with recorded.checking(row, "exit code", section=SECTION):
        assert codes == [codes[1], -signum]
    with recorded.checking(row, "all records, once", section=SECTION):
        assert len(seen.saying("Night started for")) == 1
        assert len(seen.saying("UserWarning: no key for")) == 1
    with recorded.checking(row, "console redacted", section=SECTION):
        is_redacted(seen)


@pytest.mark.parametrize("way", WORKERS)
def test_workers_send_all_in_the_trace(way: str, recorded: Cells, tmp_path: Path) -> None:
    row = way.replace("pool-", "ProcessPoolExecutor, ").replace("process-", "Process, ")
    seen = job_cells.look(["workers.py", way], tmp_path)
    with recorded.checking(row, "exit code", section=SECTION):
        assert seen.code == 0, seen.console
    with recorded.checking(row, "all records, once", section=SECTION):
        numbers = range(4) if WORKERS[way] == 4 else [3]
        done = Counter(log.body for log in seen.logs if str(log.body).endswith("is done"))
        assert done == Counter(f"Part {number} is done" for number in numbers)
    with recorded.checking(row, "exceptions", section=SECTION):
        assert failures(seen) == ["cannot mail MAIL"]
    with recorded.checking(row, "console redacted", section=SECTION):
        is_redacted(seen)
        assert masked(seen.console).count("cannot mail MAIL") >= 1
    if way.endswith("-spawn"):
        recorded.record(row, "trace", "no: a new interpreter", section=SECTION)
        return
    with recorded.checking(row, "trace", section=SECTION):
        own = [log for log in seen.logs if log.logger == "workers"]
        assert {log.trace for log in own} == {seen.caller().trace}
