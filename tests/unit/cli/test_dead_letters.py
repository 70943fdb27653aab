"""Dead letters are listed and sent again; none is lost, whatever stops the replay."""

import contextlib
import errno
import fcntl
import io
import json
import os
import pty
import random
import re
import secrets
import signal as signals
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from glasshouse_cli import cli
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.letters import keeper, letter, listing, places, replaying
from glasshouse_cli.letters.delivery import Sender
from glasshouse_cli.letters.letter import Signal
from glasshouse_cli.letters.replaying import Outcome
from glasshouse_cli.project import Project
from support import http_server
from support.waiting import until

COMMAND = [sys.executable, "-c", "from glasshouse_cli.cli import main; main()", "dead-letters"]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


# The Collector's side: who writes the files, and who takes what is sent.


def put(folder: Path, signal: str, line: bytes) -> None:
    """Add to a file as the extension dead_letter does: see files.go and lock_unix.go there."""
    path = folder / f"{signal}.jsonl"
    while True:
        handle = os.open(path, os.O_APPEND | os.O_CREAT | os.O_RDWR, 0o600)
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), path.stat()):
                os.write(handle, line)
                os.close(handle)
                return
        os.close(handle)


def log(word: str, *, attributes: list[Any] | None = None, service: str = "shop") -> dict[str, Any]:
    """One resource with one record."""
    record: dict[str, Any] = {"timeUnixNano": "1", "body": {"stringValue": word}}
    if attributes is not None:
        record["attributes"] = attributes
    return {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeLogs": [{"scope": {"name": "tests"}, "logRecords": [record]}],
    }


def span(word: str) -> dict[str, Any]:
    return {"resource": {}, "scopeSpans": [{"scope": {}, "spans": [{"name": word}]}]}


def gauge(word: str) -> dict[str, Any]:
    point = {"asDouble": "NaN", "attributes": [{"key": word, "value": {"intValue": "1"}}]}
    metric = {"name": word, "gauge": {"dataPoints": [point]}}
    return {"resource": {}, "scopeMetrics": [{"scope": {}, "metrics": [metric]}]}


OUTER = {"logs": "resourceLogs", "traces": "resourceSpans", "metrics": "resourceMetrics"}
MAKE: dict[str, Callable[[str], dict[str, Any]]] = {"logs": log, "traces": span, "metrics": gauge}


def line(
    signal: str,
    *entries: dict[str, Any],
    reason: str = "late",
    items: int | None = None,
    time: str = "2026-01-02T03:04:05.123456789Z",
) -> bytes:
    """One letter, as the extension writes it."""
    document = {
        "time": time,
        "reason": reason,
        "source": "admission",
        "signal": signal,
        "items": len(entries) if items is None else items,
        "otlp": {OUTER[signal]: entries},
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@dataclass
class Receiver:
    """A Collector's OTLP/HTTP port. `answer` gives, from path and body, status and headers."""

    url: str = ""
    answer: Callable[[str, bytes], tuple[int, dict[str, str]]] = lambda path, body: (200, {})
    reply: bytes = b'{"partialSuccess":{}}'
    seen: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    accepted: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    def words(self, signal: str = "logs") -> Counter[str]:
        """How often each body or name was accepted."""
        found: Counter[str] = Counter()
        for path, body in self.accepted:
            if path == f"/v1/{signal}":
                found.update(re.findall(r"word-\w+", body.decode()))
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(http_server.Handler):
        def do_POST(self) -> None:
            body = self.body()
            assert self.headers["Content-Type"] == "application/json"
            state.seen.append((self.path, body))
            status, headers = state.answer(self.path, body)
            if status == 200:
                state.accepted.append((self.path, body))
            reply = state.reply if status == 200 else b'{"message":"quotes word-secret"}'
            self.answer(reply, status=status, headers=headers)

    with http_server.serving(Handler) as state.url:
        yield state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "dead_letter"
    made.mkdir()
    return made


def replay(
    folder: Path,
    receiver: Receiver,
    *reasons: str,
    only: tuple[Signal, ...] = tuple(Signal),
    patience: float = 10,
) -> Outcome:
    with Sender(receiver.url, patience=patience, sleep=lambda _: None) as sender:
        return replaying.walk(
            places.in_folder(folder),
            replaying.sending(sender),
            title="sending",
            terminal=Terminal(quiet=True),
            signals=only,
            reasons=reasons,
        )


def seeded() -> random.Random:
    """A random generator, newly seeded. A failure shows the seed; set it here to repeat it."""
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    return random.Random(seed)  # noqa: S311 (it must be repeatable)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def run(*arguments: str) -> Ran:
    """Run `glasshouse dead-letters` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patched,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patched.setattr(sys, "argv", ["glasshouse", "dead-letters", *arguments])
        try:
            cli.main()
        except SystemExit as ended:
            return Ran(code=int(ended.code or 0), out=out.getvalue(), err=err.getvalue())
    raise AssertionError("the command did not end")


# What is sent.


def test_everything_is_sent_and_gone(folder: Path, receiver: Receiver):
    for signal, make in MAKE.items():
        put(folder, signal, line(signal, make(f"word-{signal}1")))
        put(folder, signal, line(signal, make(f"word-{signal}2")))

    outcome = replay(folder, receiver)

    assert names(folder) == set()
    assert outcome.lines == 6
    assert outcome.done == {Signal.LOGS: 2, Signal.TRACES: 2, Signal.METRICS: 2}
    sent = {(path, body) for path, body in receiver.accepted}
    for signal in ("traces", "metrics"):
        for number in (1, 2):
            wanted = {OUTER[signal]: [MAKE[signal](f"word-{signal}{number}")]}
            assert (f"/v1/{signal}", json.dumps(wanted, separators=(",", ":")).encode()) in sent


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (None, []),
        ([], []),
        ([{"key": "a", "value": {}}], [{"key": "a", "value": {}}]),
        ([{"key": "dead_letter.reason", "value": {"stringValue": "old"}}], []),
        ([None, {"key": "b"}], [None, {"key": "b"}]),
    ],
)
def test_a_log_record_carries_its_reason_once(
    folder: Path, receiver: Receiver, before: list[Any] | None, kept: list[Any]
):
    put(folder, "logs", line("logs", log("word-a", attributes=before), reason="status_400"))

    replay(folder, receiver)

    [(_, body)] = receiver.accepted
    record = json.loads(body)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    mark = {"key": "dead_letter.reason", "value": {"stringValue": "status_400"}}
    assert record["attributes"] == [*kept, mark]


def test_odd_text_arrives_as_it_was(folder: Path, receiver: Receiver):
    odd = 'word-x "\\\u2028\x00é\U0001f600'
    put(folder, "traces", line("traces", span(odd)))
    put(folder, "traces", line("traces", span("word-half")).replace(b"word-half", b"\\ud800"))

    replay(folder, receiver)

    arrived = [json.loads(body)["resourceSpans"][0] for _, body in receiver.accepted]
    spans = [entry["scopeSpans"][0]["spans"][0]["name"] for entry in arrived]
    assert spans == [odd, "\ud800"]


def test_services_go_in_requests_of_their_own(folder: Path, receiver: Receiver):
    put(folder, "logs", line("logs", log("word-a", service="one"), log("word-b", service="two")))

    replay(folder, receiver)

    assert [len(json.loads(body)["resourceLogs"]) for _, body in receiver.accepted] == [1, 1]
    assert receiver.words() == {"word-a": 1, "word-b": 1}


@pytest.mark.parametrize("signal", list(MAKE))
def test_a_long_line_goes_in_parts(
    folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, signal: str
):
    rng = seeded()
    monkeypatch.setattr(letter, "REQUEST_BYTES", 2000)
    entry = MAKE[signal]("word-0")
    scopes, records = letter._FIELDS[Signal(signal)][1:]
    wanted: list[str] = []
    entry[scopes] = []
    for _ in range(rng.randrange(1, 5)):
        made: list[Any] = []
        for _ in range(rng.randrange(1, 30)):
            wanted.append(f"word-{len(wanted)}x{'y' * rng.randrange(100)}")
            made.append(MAKE[signal](wanted[-1])[scopes][0][records][0])
        entry[scopes].append({"scope": {"name": "tests"}, records: made})
    if signal == "metrics":  # a metric may be long by its points alone
        wanted += [f"word-point{number}" for number in range(50)]
        points = [
            gauge(word)[scopes][0][records][0]["gauge"]["dataPoints"][0] for word in wanted[-50:]
        ]
        entry[scopes].append(
            {"scope": {}, records: [{"name": "m", "unit": "s", "gauge": {"dataPoints": points}}]}
        )
    wanted.append("word-long" + "z" * 3000)  # alone it is sent, however long
    entry[scopes].append(MAKE[signal](wanted[-1])[scopes][0])
    put(folder, signal, line(signal, entry))

    replay(folder, receiver)

    assert set(receiver.words(signal)) == set(wanted)
    bodies = [body for _, body in receiver.accepted]
    assert all(len(body) <= 2000 for body in bodies if b"word-long" not in body)
    parts = [json.loads(body)[OUTER[signal]] for body in bodies]
    assert all([one["resource"] for one in part] == [entry["resource"]] for part in parts)
    if signal == "metrics":
        halves = [body for body in bodies if b"word-point" in body]
        assert len(halves) > 1
        assert all(b'"unit":"s"' in body for body in halves)


# What stays.


def test_what_is_refused_or_unreadable_stays_and_is_reported(folder: Path, receiver: Receiver):
    receiver.answer = lambda path, body: (400 if b"word-bad" in body else 200, {})
    good, bad = line("logs", log("word-good")), line("logs", log("word-bad"))
    broken = b'{"time": "word-secret\n'
    half = line("logs", log("word-half"))[:-20]
    for content in (good, bad, good, broken, good, half):
        put(folder, "logs", content)

    outcome = replay(folder, receiver)

    assert receiver.words() == {"word-good": 3}
    assert [str(one) for one in outcome.stays] == [
        "logs.jsonl.replay-1:1: HTTP 400",
        "logs.jsonl.replay-1:2: cannot be read: no JSON",
        "logs.jsonl.replay-1:3: unfinished: it has no end",
    ]
    # By these numbers they are found, and by the next replay again.
    assert (folder / "logs.jsonl.replay-1").read_bytes() == bad + broken + half
    assert replay(folder, receiver).stays == outcome.stays
    assert (folder / "logs.jsonl.replay-1").read_bytes() == bad + broken + half

    receiver.answer = lambda path, body: (200, {})
    put(folder, "logs", good)
    replay(folder, receiver)
    assert (folder / "logs.jsonl.replay-1").read_bytes() == broken + half
    assert names(folder) == {"logs.jsonl.replay-1"}


def test_a_whole_last_line_without_its_end_is_sent(folder: Path, receiver: Receiver):
    put(folder, "logs", line("logs", log("word-last")).rstrip(b"\n"))

    replay(folder, receiver)

    assert receiver.words() == {"word-last": 1}
    assert names(folder) == set()


UNREADABLE = {
    b"[1]": "no JSON object",
    b"\xff\xfe": "no JSON",
    b"[" * 100_000: "no JSON",
    line("logs", log("a")).replace(b'"signal":"logs"', b'"signal":"profiles"'): "signal is none",
    line("logs", log("a")).replace(b'"items":1', b'"items":-1'): "items is no number",
    line("logs", log("a")).replace(b'"items":1', b'"items":true'): "items is no number",
    line("logs", log("a"), time="yesterday"): "time is none",
    line("logs", log("a"), time="2026-01-02T03:04:05"): "time has no zone",
    line("logs", log("a")).replace(b"reason", b"season"): "reason is missing",
    line("logs", log("a")).replace(b"resourceLogs", b"resourceSpans"): "otlp.resourceLogs",
    line("logs"): "otlp.resourceLogs",
}


@pytest.mark.parametrize(("content", "why"), UNREADABLE.items(), ids=list(UNREADABLE.values()))
def test_no_letter_is_reported_and_stays(
    folder: Path, receiver: Receiver, content: bytes, why: str
):
    put(folder, "logs", content.rstrip(b"\n") + b"\n")

    outcome = replay(folder, receiver)

    assert why in outcome.stays[0].reason
    assert receiver.seen == []
    assert names(folder) == {"logs.jsonl.replay-1"}


def test_a_partial_success_stays(folder: Path, receiver: Receiver):
    receiver.reply = b'{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"word-secret"}}'
    put(folder, "logs", line("logs", log("word-a")))

    assert replay(folder, receiver).stays[0].reason == "2 of its records refused"
    assert names(folder) == {"logs.jsonl.replay-1"}


def test_one_refused_part_does_not_keep_the_others_back(folder: Path, receiver: Receiver):
    receiver.answer = lambda path, body: (400 if b"word-bad" in body else 200, {})
    put(folder, "logs", line("logs", log("word-a"), log("word-bad"), log("word-c")))

    outcome = replay(folder, receiver)

    assert outcome.stays[0].reason == "HTTP 400 (1 of 3 requests)"
    assert set(receiver.words()) == {"word-a", "word-c"}


def test_filters_leave_the_rest(folder: Path, receiver: Receiver):
    put(folder, "logs", line("logs", log("word-a"), reason="late"))
    put(folder, "logs", line("logs", log("word-b"), reason="status_400"))
    put(folder, "traces", line("traces", span("word-c"), reason="late"))

    outcome = replay(folder, receiver, "late", only=(Signal.LOGS,))

    assert receiver.words() == {"word-a": 1}
    assert (outcome.lines, outcome.passed, outcome.refused) == (1, 1, 0)
    assert names(folder) == {"logs.jsonl.replay-1", "traces.jsonl"}
    replay(folder, receiver)
    assert receiver.words() == {"word-a": 1, "word-b": 1}
    assert receiver.words("traces") == {"word-c": 1}
    assert names(folder) == set()


# When the Collector says "later", or nothing.


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
@pytest.mark.parametrize("header", [None, "0", "1", "date"])
def test_what_is_put_off_is_sent_in_the_end(
    folder: Path, receiver: Receiver, status: int, header: str | None
):
    def answer(path: str, body: bytes) -> tuple[int, dict[str, str]]:
        if len(receiver.seen) > 3:
            return 200, {}
        at = datetime.now(tz=UTC) + timedelta(seconds=20)
        after = format_datetime(at, usegmt=True) if header == "date" else header
        return status, {} if after is None else {"Retry-After": after}

    receiver.answer = answer
    put(folder, "logs", line("logs", log("word-a")))
    pauses: list[float] = []
    with Sender(receiver.url, sleep=pauses.append) as sender:
        assert sender.send(Signal.LOGS, line("logs", log("word-a"))) is None

    if header is None:
        assert pauses == [0.5, 1.0, 2.0]
    elif header == "date":
        assert all(0 <= pause <= 20 for pause in pauses)
        assert max(pauses) > 0.5
    else:
        assert pauses == [max(float(header), 0.1)] * 3


def test_patience_ends_and_nothing_is_lost(folder: Path, receiver: Receiver):
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    receiver.answer = lambda path, body: (200 if b"word-a" in body else 503, {})
    put(folder, "logs", line("logs", log("word-a")))
    put(folder, "logs", line("logs", log("word-b")))
    with (
        Sender(receiver.url, patience=60, clock=lambda: now, sleep=sleep) as sender,
        pytest.raises(StackError, match=r"puts records off \(HTTP 503\).* it goes on from here"),
    ):
        replaying.walk(
            places.in_folder(folder),
            replaying.sending(sender),
            title="sending",
            terminal=Terminal(quiet=True),
            signals=(Signal.LOGS,),
        )

    assert 50 < now <= 60
    receiver.answer = lambda path, body: (200, {})
    replay(folder, receiver)
    assert receiver.words() == {"word-a": 1, "word-b": 1}
    assert names(folder) == set()


def test_a_long_wait_is_not_waited_for(folder: Path, receiver: Receiver):
    receiver.answer = lambda path, body: (429, {"Retry-After": "3600"})
    put(folder, "logs", line("logs", log("word-a")))

    with pytest.raises(StackError, match="HTTP 429, asks to wait 3600 s"):
        replay(folder, receiver)

    assert len(receiver.seen) == 1
    assert listing.collect(places.in_folder(folder), [Signal.LOGS]).groups


@pytest.mark.parametrize("status", [301, 403, 404, 405, 415, 501])
def test_a_wrong_address_stops_at_once(folder: Path, receiver: Receiver, status: int):
    receiver.answer = lambda path, body: (status, {})
    for number in range(3):
        put(folder, "logs", line("logs", log(f"word-{number}")))

    with pytest.raises(StackError, match=f"HTTP {status} at .*: is that a Collector's OTLP"):
        replay(folder, receiver)

    assert len(receiver.seen) == 1


def test_a_missing_token_stops_at_once_and_is_named(folder: Path, receiver: Receiver):
    receiver.answer = lambda path, body: (401, {})
    put(folder, "logs", line("logs", log("word-a")))

    with pytest.raises(StackError, match=r"HTTP 401 at .*GLASSHOUSE_OTLP_TOKEN_FILE"):
        replay(folder, receiver)

    assert len(receiver.seen) == 1
    assert listing.collect(places.in_folder(folder), [Signal.LOGS]).groups


def test_who_answers_something_else_is_no_collector(folder: Path, receiver: Receiver):
    receiver.reply = b"<html>"
    put(folder, "logs", line("logs", log("word-a")))

    with pytest.raises(StackError, match="is no Collector"):
        replay(folder, receiver)

    assert listing.collect(places.in_folder(folder), [Signal.LOGS]).groups


# Interruption, and a Collector that goes on writing.


def killed_after(count: int, folder: Path, receiver: Receiver) -> None:
    """Run the command and kill it, with no time to clean up, at its request number `count`."""
    enough, killed = threading.Event(), threading.Event()
    start = len(receiver.seen)
    plain = receiver.answer

    def answer(path: str, body: bytes) -> tuple[int, dict[str, str]]:
        if len(receiver.seen) - start >= count:
            enough.set()
            killed.wait(240)
        return plain(path, body)

    receiver.answer = answer
    command = [*COMMAND, "--replay", f"--folder={folder}", f"--endpoint={receiver.url}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            assert enough.wait(240)
        finally:
            child.send_signal(signals.SIGKILL)
            code = child.wait(240)
            killed.set()
        assert code == -signals.SIGKILL
    receiver.answer = plain


# Kills four processes among 300 lines that are each on disk before the next.
@pytest.mark.slow
def test_a_killed_replay_goes_on_while_the_collector_writes(folder: Path, receiver: Receiver):
    wanted = [f"word-{number}" for number in range(300)]
    put(folder, "logs", b"".join(line("logs", log(word)) for word in wanted[:100]))
    stop = threading.Event()

    def write() -> None:
        for word in wanted[100:]:
            put(folder, "logs", line("logs", log(word)))
            stop.wait(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for count in (1, 17, 40):
            killed_after(count, folder, receiver)
            for path in folder.iterdir():  # nothing half-written
                assert path.read_bytes().endswith(b"\n")
        left = listing.collect(places.in_folder(folder), [Signal.LOGS])
        assert left.groups
        assert not left.unreadable
    finally:
        stop.set()
        writer.join()
    ended = run("--replay", f"--folder={folder}", f"--endpoint={receiver.url}")

    assert ended.code == 0, ended.err
    assert set(receiver.words()) == set(wanted)
    # What was sent and not yet marked when the kill came is sent again, and no more.
    assert sum(receiver.words().values()) <= len(wanted) + 3
    assert names(folder) == set()


# Four writers, each line on disk before the next.
@pytest.mark.slow
def test_files_taken_while_lines_are_written_lose_none(folder: Path, receiver: Receiver):
    wanted = [f"word-{number}" for number in range(400)]

    def write(words: list[str]) -> None:
        for word in words:
            put(folder, "logs", line("logs", log(word)))

    writers = [threading.Thread(target=write, args=(wanted[start::4],)) for start in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        replay(folder, receiver)
    replay(folder, receiver)

    assert receiver.words() == dict.fromkeys(wanted, 1)
    assert names(folder) == set()


def test_ctrl_c_ends_it_cleanly(folder: Path, receiver: Receiver):
    enough = threading.Event()

    def answer(path: str, body: bytes) -> tuple[int, dict[str, str]]:
        enough.set()
        return 503, {"Retry-After": "30"}

    receiver.answer = answer
    put(folder, "logs", line("logs", log("word-a")))
    # Who runs the tests may ignore it, which is inherited.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [*COMMAND[:2], heed + COMMAND[2], *COMMAND[3:], "--replay"]
    command += [f"--folder={folder}", f"--endpoint={receiver.url}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert enough.wait(240)
        os.killpg(child.pid, signals.SIGINT)
        out, err = child.communicate(timeout=240)

    assert child.returncode == 130, err
    assert "Traceback" not in out + err
    assert "the next run goes on from here" in err
    receiver.answer = lambda path, body: (200, {})
    replay(folder, receiver)
    assert receiver.words() == {"word-a": 1}


def test_two_replays_do_not_run_at_once(folder: Path, receiver: Receiver):
    put(folder, "logs", line("logs", log("word-a")))
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(StackError, match="another replay is running"):
            replay(folder, receiver)
    finally:
        os.close(handle)
    assert names(folder) == {"logs.jsonl"}


class Stopped(Exception):
    """An interruption of a random replay."""


# Twelve rounds of writing, of sending until it is interrupted, and of sending again.
@pytest.mark.slow
def test_random_lines_are_each_delivered_or_there(folder: Path, receiver: Receiver):
    rng = seeded()
    good: set[str] = set()
    stays: Counter[bytes] = Counter()

    def add(number: int) -> None:
        signal = rng.choice(list(MAKE))
        kind = rng.randrange(10)
        word = f"word-{'bad' if kind == 0 else 'good'}{number}"
        content = line(signal, MAKE[signal](word), reason=rng.choice(["late", "status_400"]))
        if kind == 1:
            content = rng.randbytes(rng.randrange(1, 300)).replace(b"\n", b"") + b"\n"
            if content[:1] == keeper.MARK or not content.strip():
                content = b"x\n"
        elif kind == 2:
            content = content[: rng.randrange(1, len(content) - 2)] + b"\n"
        elif kind == 3:
            content = b" " * rng.randrange(3) + b"\n"
        if kind in {0, 1, 2}:
            stays[content.rstrip(b"\n")] += 1
        elif kind > 3:
            good.add(word)
        put(folder, signal, content)

    def answer(path: str, body: bytes) -> tuple[int, dict[str, str]]:
        if rng.random() < 0.1:
            return rng.choice([429, 503]), {"Retry-After": "0"}
        return (rng.choice([400, 500]) if b"word-bad" in body else 200), {}

    receiver.answer = answer
    written = 0
    for _ in range(12):
        for _ in range(rng.randrange(40)):
            add(written := written + 1)
        left_over = rng.randrange(60)
        with Sender(receiver.url, sleep=lambda _: None) as sender:
            send = replaying.sending(sender)

            def deliver(one: letter.Letter, send: replaying.Deliver = send) -> str | None:
                nonlocal left_over
                left_over -= 1
                if left_over < 0 and rng.random() < 0.5:
                    raise Stopped
                verdict = send(one)
                if left_over < 0:
                    raise Stopped  # delivered, and nobody wrote it down
                return verdict

            with contextlib.suppress(Stopped):
                replaying.walk(
                    places.in_folder(folder),
                    deliver,
                    title="sending",
                    terminal=Terminal(quiet=True),
                    signals=tuple(Signal),
                    reasons=rng.choice([(), ("late",)]),
                )
    replay(folder, receiver)

    assert set().union(*(receiver.words(signal) for signal in MAKE)) == good
    there = Counter(
        content
        for path in folder.iterdir()
        for content in path.read_bytes().removesuffix(b"\n").split(b"\n")
    )
    assert there == stays


# The keeper on its own.


def drain(folder: Path, words: bytes) -> tuple[int, str]:
    out = io.BytesIO()
    try:
        keeper.Keeper(folder, ["logs"], out, io.BytesIO(words)).take()
    except OSError as error:
        return error.errno or 0, out.getvalue().decode(errors="replace")
    return 0, out.getvalue().decode(errors="replace")


def test_a_full_disk_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch):
    put(folder, "logs", b"one\ntwo\nthree\n")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert drain(folder, b"keep\nsent\nkeep\n")[0] == errno.ENOSPC

    assert names(folder) == {"logs.jsonl.replay-1"}
    code, out = drain(folder, b"keep\nkeep\n")
    assert code == 0
    assert "two" not in out
    assert (folder / "logs.jsonl.replay-1").read_bytes() == b"one\nthree\n"


def test_a_line_that_is_being_written_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch):
    put(folder, "logs", b"one\n")
    writer = os.open(folder / "logs.jsonl", os.O_APPEND | os.O_RDWR)
    fcntl.flock(writer, fcntl.LOCK_SH)
    out: list[str] = []
    reader = threading.Thread(target=lambda: out.append(drain(folder, b"sent\nsent\n")[1]))
    reader.start()
    until(
        lambda: ((folder / "logs.jsonl.replay-1").exists() or None, names(folder)),
        what="the file is renamed",
    )
    os.write(writer, b"two\n")
    assert reader.is_alive()
    os.close(writer)
    reader.join(timeout=240)

    assert "one" in out[0]
    assert "two" in out[0]
    assert names(folder) == set()

    # Whoever never lets go does not hold us indefinitely.
    monkeypatch.setattr(keeper, "_LOCK_S", 0.1)
    put(folder, "logs", b"three\n")
    writer = os.open(folder / "logs.jsonl", os.O_RDWR)
    fcntl.flock(writer, fcntl.LOCK_SH)
    with pytest.raises(keeper.Refusal, match="does not let go"):
        drain(folder, b"sent\n")
    os.close(writer)
    drain(folder, b"sent\n")
    assert names(folder) == set()


def test_a_line_that_is_too_long_is_not_held(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeper, "LINE_BYTES", 100)
    monkeypatch.setattr(keeper, "_CHUNK", 64)
    long = b"y" * 1000
    put(folder, "logs", b"x" * 100 + b"\n" + long + b"\nshort\n" + long)

    code, out = drain(folder, b"sent\nkeep\nsent\nkeep\n")

    assert code == 0
    heads = [json.loads(head) for head in re.findall(r'\{"file.*?\}', out)]
    assert [(head["size"], head["sent"], head["ended"]) for head in heads] == [
        (100, 100, True),
        (1000, 0, True),
        (5, 5, True),
        (1000, 0, False),
    ]
    assert (folder / "logs.jsonl.replay-1").read_bytes() == long + b"\n" + long


def test_a_line_that_is_too_long_is_reported(folder: Path, receiver: Receiver):
    with (folder / "logs.jsonl").open("wb") as file:
        file.truncate(keeper.LINE_BYTES + 10)  # takes no space on the disk
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line("logs", log("word-a")))

    outcome = replay(folder, receiver)

    assert [str(one) for one in outcome.stays] == ["logs.jsonl.replay-1:1: over 64 MiB long"]
    assert receiver.words() == {"word-a": 1}
    (folder / "logs.jsonl.replay-1").unlink()


def test_too_much_of_earlier_replays_keeps_the_rest_in_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keeper, "LEFT_BYTES", 5)
    put(folder, "logs", b"first\n")
    drain(folder, b"keep\n")
    put(folder, "logs", b"second\n")

    code, out = drain(folder, b"sent\n")

    assert code == 0
    assert '"full": true' in out
    assert names(folder) == {"logs.jsonl"}


def test_a_file_nobody_finished_is_forgotten(folder: Path):
    (folder / ".logs.jsonl.replay-7.new").write_bytes(b"half of what sta")
    put(folder, "logs", b"one\n")

    drain(folder, b"sent\n")

    assert names(folder) == set()


def test_files_are_taken_in_their_order(folder: Path):
    for number in (1, 2, 10):
        (folder / f"logs.jsonl.replay-{number}").write_bytes(b"x\n")
    put(folder, "logs", b"x\n")

    _, out = drain(folder, b"keep\n" * 4)

    assert re.findall(r"replay-(\d+)", out) == ["1", "2", "10", "11"]


def test_memory_does_not_grow_with_the_files(folder: Path, receiver: Receiver):
    filler = "f" * 50_000
    with (folder / "logs.jsonl").open("wb") as file:
        for number in range(400):
            file.write(line("logs", log(f"word-{number} {filler}")))
    seen: Counter[str] = Counter()

    def deliver(one: letter.Letter) -> None:
        seen.update(re.findall(r"word-\d+", next(one.requests()).decode()))

    tracemalloc.start()
    try:
        replaying.walk(
            places.in_folder(folder),
            deliver,
            title="sending",
            terminal=Terminal(quiet=True),
            signals=(Signal.LOGS,),
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(seen) == 400
    assert peak < 4 << 20  # of 20 MB


# The command.


def test_the_listing_counts_by_signal_and_reason(folder: Path):
    late = line("logs", log("word-a"), log("word-b"), time="2026-01-02T03:04:05Z")
    later = line("logs", log("word-c"), time="2026-01-02T05:04:05+00:00")
    other = line("metrics", gauge("word-m"), reason="status_400", items=7)
    turned = json.dumps(dict(reversed(json.loads(late).items()))).encode() + b"\n"
    for content in (late, later, turned, b"nonsense\n", b'{"being": "wri'):
        put(folder, "logs", content)
    put(folder, "metrics", other)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    ran = run("--json", f"--folder={folder}")

    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == {
        "letters": [
            {
                "signal": "logs",
                "reason": "late",
                "source": "admission",
                "lines": 3,
                "items": 5,
                "bytes": len(late) + len(later) + len(turned) - 3,
                "oldest": "2026-01-02T03:04:05+00:00",
                "newest": "2026-01-02T05:04:05+00:00",
                "files": ["logs.jsonl"],
            },
            {
                "signal": "metrics",
                "reason": "status_400",
                "source": "admission",
                "lines": 1,
                "items": 7,
                "bytes": len(other) - 1,
                "oldest": "2026-01-02T03:04:05.123456+00:00",
                "newest": "2026-01-02T03:04:05.123456+00:00",
                "files": ["metrics.jsonl"],
            },
        ],
        "unreadable": {"lines": 1, "bytes": 8, "files": ["logs.jsonl"]},
    }
    table = run(f"--folder={folder}", "--reason=late")
    assert re.search(r"^logs +late +admission +5 ", table.out, re.MULTILINE)
    assert "metrics" not in table.out
    assert "1 lines of logs.jsonl are no letters" in table.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_command_reports_what_it_did(folder: Path, receiver: Receiver):
    receiver.answer = lambda path, body: (400 if b"word-bad" in body else 200, {})
    put(folder, "logs", line("logs", log("word-a")))
    put(folder, "logs", line("logs", log("word-bad")))
    sends = f"--folder={folder}", f"--endpoint={receiver.url}/"

    ran = run("--replay", "--signal=logs", "--signal=logs", *sends)

    assert ran.code == 3
    assert ran.out == ""
    assert ran.err.splitlines() == [
        "sending dead letters ...",
        "sent 1 lines (logs 1, traces 0, metrics 0)",
        "logs.jsonl.replay-1:1: HTTP 400",
        "1 lines stay",
        "what cannot be stored this time either comes back within seconds",
    ]
    again = run("--replay", "--json", *sends)
    assert again.code == 3
    assert json.loads(again.out) == {
        "items": {"logs": 0, "traces": 0, "metrics": 0},
        "lines": 0,
        "passed_over": 0,
        "refused": 1,
        "stays": [{"file": "logs.jsonl.replay-1", "line": 1, "reason": "HTTP 400"}],
        "too_much_left": False,
    }


def test_nothing_to_do_is_no_fault(folder: Path, receiver: Receiver):
    assert "no dead letters" in run(f"--folder={folder}").err
    ran = run("--replay", f"--folder={folder}", f"--endpoint={receiver.url}")
    assert ran.code == 0
    assert "sent 0 lines" in ran.err


def test_discarding_asks_and_deletes(folder: Path):
    put(folder, "logs", line("logs", log("word-a"), reason="late"))
    put(folder, "logs", line("logs", log("word-b"), reason="status_400"))

    asked = run("--discard", f"--folder={folder}")
    assert (asked.code, names(folder)) == (1, {"logs.jsonl"})
    assert "error: nothing deleted: answer yes, or pass --yes" in asked.err

    ran = run("--discard", "--yes", "--reason=late", f"--folder={folder}")
    assert ran.code == 0
    assert "deleted 1 lines (logs 1, traces 0, metrics 0)" in ran.err
    assert b"word-b" in (folder / "logs.jsonl.replay-1").read_bytes()
    assert b"word-a" not in (folder / "logs.jsonl.replay-1").read_bytes()

    # What is no letter goes when all goes.
    put(folder, "logs", b"nonsense\n")
    run("--discard", "--yes", "--reason=late", f"--folder={folder}")
    assert (folder / "logs.jsonl.replay-2").read_bytes() == b"nonsense\n"
    all_of_it = run("--discard", "--yes", "--json", f"--folder={folder}")
    assert (all_of_it.code, json.loads(all_of_it.out)["lines"]) == (0, 2)
    assert names(folder) == set()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--folder=/nowhere"], "there is no folder /nowhere"),
        (["--replay", "--folder={}"], "--folder and --endpoint go together"),
        (["--replay", "--endpoint=http://127.0.0.1:1"], "--folder and --endpoint go together"),
        (["--replay", "--discard", "--folder={}"], "choose one"),
        (
            ["--replay", "--folder={}", "--endpoint=http://127.0.0.1:1"],
            "nothing listens at http://127.0.0.1:1",
        ),
        (["--replay", "--folder={}", "--endpoint=127.0.0.1:1"], "is no address"),
        (["--replay", "--folder={}", "--endpoint=http://[::"], "is no address"),
    ],
)
def test_a_fault_is_one_line(folder: Path, arguments: list[str], fault: str):
    put(folder, "logs", line("logs", log("word-a")))

    ran = run(*(argument.format(folder) for argument in arguments))

    assert ran.code == 1
    [error] = [one for one in ran.err.splitlines() if one != "sending dead letters ..."]
    assert error.startswith("error: ")
    assert fault in error
    assert listing.collect(places.in_folder(folder), [Signal.LOGS]).groups


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_one_line(folder: Path):
    folder.chmod(0)
    try:
        ran = run(f"--folder={folder}")
    finally:
        folder.chmod(0o700)
    assert ran.code == 1
    assert "Permission denied" in ran.err


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_shows_a_bar(folder: Path, receiver: Receiver, no_color: str):
    receiver.answer = lambda path, body: (time.sleep(0.05), (200, {}))[1]
    for number in range(12):
        put(folder, "logs", line("logs", log(f"word-{number}")))
    ours, theirs = pty.openpty()
    shown = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 4096):
                shown.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": no_color, "COLUMNS": "80"}
    subprocess.run(
        [*COMMAND, "--replay", f"--folder={folder}", f"--endpoint={receiver.url}"],
        stdout=theirs,
        stderr=theirs,
        timeout=60,
        env=environment,
        check=True,
    )
    os.close(theirs)
    reader.join(timeout=240)
    os.close(ours)

    text = shown.decode()
    assert "━" in text
    assert "100%" in text
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9;]*m", text)) is not bool(no_color)


# Where the stack's letters are.


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that answers `ps` and `inspect` from the file beside it."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\nfolder=$(dirname "$0")\n'
        '[ "$1" = ps ] && exec cat "$folder/ids"\nexec cat "$folder/inspect"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program.parent


def container(service: str, status: str, image: str) -> dict[str, Any]:
    return {
        "Image": image,
        "State": {"Status": status},
        "Config": {"User": "10001:10002", "Labels": {"com.docker.compose.service": service}},
        "Mounts": [
            {"Type": "bind", "Source": "/x", "Destination": "/etc/otelcol/config.yaml"},
            {
                "Type": "volume",
                "Name": "glasshouse_collector-data",
                "Source": "/var/lib/docker/volumes/x",
                "Destination": "/var/lib/otelcol",
            },
        ],
    }


@pytest.fixture
def stack(checkout: Path) -> Project:
    (checkout / "collector").mkdir()
    (checkout / "collector" / "config.yaml").write_text(
        "extensions: {dead_letter: {directory: /var/lib/otelcol/dead_letter}}\n"
    )
    return Project(root=checkout, settings={})


def reports(docker: Path, *containers: dict[str, Any]) -> None:
    (docker / "ids").write_text("".join(f"{number}\n" for number in range(len(containers))))
    (docker / "inspect").write_text(json.dumps(containers))


def test_the_keeper_s_container_is_shut_in(docker: Path, stack: Project):
    reports(
        docker, container("collector", "running", "sha256:c"), container("api", "up", "sha256:b")
    )

    place = places.in_stack(stack, running=True)
    take = place.command("take", [Signal.LOGS])

    assert take[:2] == ["docker", "run"]
    for option in (
        "--rm",
        "--interactive",
        "--network=none",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges:true",
        "--log-driver=none",
        "--user=10001:10002",
        "--mount=type=volume,source=glasshouse_collector-data,target=/var/lib/otelcol",
    ):
        assert option in take
    assert take[take.index("--entrypoint=python3") + 1] == "sha256:b"
    assert take[-3:] == ["take", "/var/lib/otelcol/dead_letter", "logs"]
    assert any("target=/var/lib/otelcol,readonly" in one for one in place.command("look", []))


def test_without_a_stack_there_is_one_line(docker: Path, stack: Project):
    reports(docker)
    with pytest.raises(StackError, match="the Collector has no container: `make up` starts it"):
        places.in_stack(stack, running=False)

    reports(
        docker, container("collector", "exited", "sha256:c"), container("api", "up", "sha256:b")
    )
    with pytest.raises(StackError, match=r"the Collector does not run \(it is exited\)"):
        places.in_stack(stack, running=True)
    assert places.in_stack(stack, running=False)

    reports(docker, container("collector", "running", "sha256:c"))
    with pytest.raises(StackError, match="no container of the backend"):
        places.in_stack(stack, running=True)

    (stack.root / "collector" / "config.yaml").write_text("extensions: {}\n")
    reports(
        docker, container("collector", "running", "sha256:c"), container("api", "up", "sha256:b")
    )
    with pytest.raises(StackError, match="there is no extension dead_letter with a directory"):
        places.in_stack(stack, running=True)

    (docker / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the daemon' >&2\nexit 1\n")
    with pytest.raises(StackError, match="does not answer: Cannot connect to the daemon"):
        places.in_stack(stack, running=True)


def test_a_container_that_cannot_start_says_why(docker: Path, stack: Project):
    reports(
        docker, container("collector", "running", "sha256:c"), container("api", "up", "sha256:b")
    )
    place = places.in_stack(stack, running=True)
    (docker / "docker").write_text("#!/bin/sh\necho 'docker: no such image' >&2\nexit 125\n")

    with pytest.raises(StackError, match="cannot be read: docker: no such image"):
        listing.collect(place, [Signal.LOGS])
