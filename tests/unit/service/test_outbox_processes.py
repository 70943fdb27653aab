"""Events survive their processes: killed at each point between the change and its deletion.

Real workers on real Postgres, sending to a receiver that keeps what it gets.
"""

import base64
import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from backend.platform.migrate import migrate
from backend.platform.settings import DatabaseSettings
from glasshouse.pseudonym import hmac_key, user_pseudonym
from support import otlp_sink, paying, postgres, processes
from support.otlp_sink import Request, Sink
from support.ports import free
from support.processes import Backend, Process
from support.waiting import until

TESTS = Path(__file__).parents[2]
COUNTED = "payment.created"
# Any number; it only has to differ from the backend's own.
LOCK = 4711
ID = "payment.transaction_id"


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a record, by name."""
    return {one["key"]: next(iter(one["value"].values())) for one in record["attributes"]}


def arrived(sink: Sink, event: str = COUNTED) -> list[dict[str, Any]]:
    """The records of an event, in the order in which they came."""
    return [one for one in sink.log_records() if one.get("eventName") == event]


def uids(sink: Sink) -> Counter[str]:
    return Counter(flat(one)["log.record.uid"] for one in arrived(sink))


def paid(sink: Sink) -> Counter[str]:
    return Counter(flat(one)[ID] for one in arrived(sink))


@dataclass(kw_only=True)
class Writer:
    """A process that makes payments."""

    popen: subprocess.Popen[bytes]
    console: Path

    def lines(self) -> list[dict[str, Any]]:
        text = self.console.read_text(encoding="utf-8")
        return [json.loads(one) for one in text[: text.rfind("\n") + 1].splitlines()]

    def reported(self, key: str, count: int) -> list[dict[str, Any]]:
        """Wait until it has reported so many lines with this key; return them."""

        def probe() -> tuple[list[dict[str, Any]] | None, object]:
            found = [one for one in self.lines() if key in one]
            assert self.popen.poll() is None, self.console.read_text(encoding="utf-8")
            return (found if len(found) >= count else None), self.lines()[-3:]

        return until(probe, what=f"{count} lines with {key}", deadline_s=180)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(60)


@dataclass(kw_only=True)
class Scene:
    """A database of its own, and processes on it."""

    database: DatabaseSettings
    backend: Backend
    writers: list[Writer] = field(default_factory=list[Writer])

    def pay(self, count: int = 1, *options: str) -> Writer:
        """Start a process that makes payments."""
        console = self.backend.folder / f"paying-{len(self.writers)}.log"
        with console.open("wb") as out:
            popen = subprocess.Popen(
                [
                    str(processes.INSTRUMENT),
                    sys.executable,
                    *("-m", "support.paying", str(count)),
                    *options,
                ],
                env={
                    **self.backend.environment,
                    "PYTHONPATH": str(TESTS),
                    "OTEL_SERVICE_NAME": "backend-api",
                },
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        writer = Writer(popen=popen, console=console)
        self.writers.append(writer)
        return writer

    def paid(self, count: int = 1) -> list[dict[str, Any]]:
        """Make payments; kill the process that made them as soon as the last is committed."""
        writer = self.pay(count)
        made = writer.reported("payment", count)
        writer.kill()
        return made

    def worker(self, endpoint: str) -> Process:
        return self.backend.worker(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        with psycopg.Connection[DictRow].connect(
            self.database.conninfo(), row_factory=dict_row, autocommit=True
        ) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def waiting(self) -> list[str]:
        """The ids of the payments' events that wait. Workers write others, of their jobs."""
        rows = self.rows("SELECT id FROM event_outbox WHERE name = %(name)s", name=COUNTED)
        return [str(row["id"]) for row in rows]

    def until_sent(self) -> None:
        def probe() -> tuple[bool | None, object]:
            left = len(self.waiting())
            return (None if left else True), f"{left} wait"

        until(probe, what="the outbox is empty", deadline_s=180)


@pytest.fixture
def scene(server: str, tmp_path: Path) -> Iterator[Scene]:
    database = postgres.new_database(server)
    migrate(database)
    with processes.running(database, tmp_path, "http://127.0.0.1:9", 9, "secret") as backend:
        backend.environment |= {
            "OTEL_PYTHON_DISTRO": "glasshouse",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            # Nobody listens there: what a worker does not send, nobody does.
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        }
        scene = Scene(database=database, backend=backend)
        yield scene
        for writer in scene.writers:
            writer.kill()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


def until_arrived(sink: Sink, count: int) -> None:
    until(
        lambda: ((True if len(arrived(sink)) >= count else None), len(arrived(sink))),
        what=f"{count} records arrived",
        deadline_s=120,
    )


def test_killed_before_the_commit_nothing_has_happened(scene: Scene, sink: Sink) -> None:
    writer = scene.pay(1, "hold")
    # Its row is written, in a transaction that nobody else sees.
    [line] = writer.reported("open", 1)
    [uid] = line["open"]
    scene.worker(sink.url)
    writer.kill()
    [after] = scene.paid()
    until_arrived(sink, 1)
    scene.until_sent()
    assert paid(sink) == {after["payment"]: 1}
    assert uid not in uids(sink)
    assert scene.rows("SELECT id FROM payments") == [{"id": after["payment"]}]


def test_killed_after_the_commit_its_event_is_sent_by_a_worker(scene: Scene, sink: Sink) -> None:
    [made] = scene.paid()
    [uid] = scene.waiting()
    assert arrived(sink) == []
    scene.worker(sink.url)
    until_arrived(sink, 1)
    scene.until_sent()
    assert (uids(sink), paid(sink)) == ({uid: 1}, {made["payment"]: 1})


@contextlib.contextmanager
def swallowing() -> Iterator[tuple[str, list[socket.socket]]]:
    """Take connections and read nothing: what is sent there arrives nowhere."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", taken
        server.shutdown(socket.SHUT_RDWR)
        thread.join(60)
        for one in taken:
            one.close()


def test_a_worker_killed_before_it_has_sent_leaves_its_events(scene: Scene, sink: Sink) -> None:
    [made] = scene.paid()
    [uid] = scene.waiting()
    with swallowing() as (url, taken):
        worker = scene.worker(url)
        until(lambda: ((True if taken else None), "no connection"), what="it has the row")
        free_rows = "SELECT id FROM event_outbox WHERE id = %(id)s FOR UPDATE SKIP LOCKED"
        assert scene.rows(free_rows, id=uid) == []
        worker.kill()
    assert scene.waiting() == [uid]
    scene.worker(sink.url)
    until_arrived(sink, 1)
    scene.until_sent()
    assert (uids(sink), paid(sink)) == ({uid: 1}, {made["payment"]: 1})


def test_killed_before_the_answer_it_is_sent_twice_under_one_id(scene: Scene) -> None:
    [made] = scene.paid()
    [uid] = scene.waiting()
    may_answer = threading.Event()

    def wait(_: Request) -> int:
        may_answer.wait(180)
        return 200

    with otlp_sink.running(wait) as sink:
        worker = scene.worker(sink.url)
        until_arrived(sink, 1)
        worker.kill()
        may_answer.set()
        assert scene.waiting() == [uid]
        scene.worker(sink.url)
        scene.until_sent()
        # Of the exporter's own repeats there may be more.
        assert set(uids(sink)) == {uid}
        assert set(paid(sink)) == {made["payment"]}
        assert uids(sink)[uid] >= 2
        first, *repeats = sent(sink, uid)
        # The Collector knows a record by its id and its resource: both are the same.
        assert repeats == [first] * len(repeats)


def sent(sink: Sink, uid: str) -> list[tuple[Any, ...]]:
    """Resource, scope and record of each time that an event was sent."""
    return [
        (resource["resource"], scope["scope"], record)
        for request in sink.stored("logs")
        for resource in request["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
        if flat(record).get("log.record.uid") == uid
    ]


def test_killed_before_the_deletion_is_committed_it_is_sent_again(scene: Scene, sink: Sink) -> None:
    [made] = scene.paid()
    [uid] = scene.waiting()
    scene.rows(HOLD_DELETIONS)
    with psycopg.connect(scene.database.conninfo()) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        worker = scene.worker(sink.url)
        until_arrived(sink, 1)
        until(
            lambda: (scene.rows(WAITING_DELETIONS) or None, scene.rows(WAITING_DELETIONS)),
            what="it has the acknowledgement",
        )
        worker.kill()
    scene.rows("DROP TRIGGER held ON event_outbox")
    assert scene.waiting() == [uid]
    scene.worker(sink.url)
    scene.until_sent()
    assert (uids(sink), paid(sink)) == ({uid: 2}, {made["payment"]: 2})


HOLD_DELETIONS = f"""
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock({LOCK}); RETURN OLD; END $$;
CREATE TRIGGER held BEFORE DELETE ON event_outbox FOR EACH ROW EXECUTE FUNCTION hold();
"""
WAITING_DELETIONS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DELETE%%'
"""


def test_killed_after_the_deletion_it_is_not_sent_again(scene: Scene, sink: Sink) -> None:
    [first] = scene.paid()
    worker = scene.worker(sink.url)
    until_arrived(sink, 1)
    scene.until_sent()
    worker.kill()
    scene.worker(sink.url)
    [second] = scene.paid()
    until_arrived(sink, 2)
    scene.until_sent()
    assert paid(sink) == {first["payment"]: 1, second["payment"]: 1}


def test_what_waits_while_the_collector_is_unavailable_arrives_when_it_is_back(
    scene: Scene,
) -> None:
    port = free(["collector"])["collector"]
    worker = scene.worker(f"http://127.0.0.1:{port}")
    made = scene.paid(20)
    refused = "Failed to export logs batch"
    until(
        lambda: (refused in worker.console.read_text("utf-8") or None, scene.waiting()),
        what="it has tried",
    )
    assert len(scene.waiting()) >= 20
    with otlp_sink.running(port=port) as sink:
        until_arrived(sink, 20)
        scene.until_sent()
        assert paid(sink) == {one["payment"]: 1 for one in made}


def test_two_workers_send_each_event_once(scene: Scene, sink: Sink) -> None:
    for _ in range(2):
        scene.worker(sink.url)
    made = scene.paid(200)
    until_arrived(sink, 200)
    scene.until_sent()
    assert paid(sink) == {one["payment"]: 1 for one in made}
    assert set(uids(sink).values()) == {1}


def test_processes_killed_at_any_moment_lose_nothing(scene: Scene, sink: Sink) -> None:
    writer = scene.pay(100_000)
    writer.reported("payment", 1)
    for _ in range(3):
        worker = scene.worker(sink.url)
        # Wherever it then is, between two payments and in the middle of a batch.
        until_arrived(sink, len(arrived(sink)) + 50)
        worker.kill()
    writer.kill()
    scene.worker(sink.url)
    scene.until_sent()
    stored = {row["id"] for row in scene.rows("SELECT id FROM payments")}
    assert len(stored) >= 150
    assert set(paid(sink)) == stored
    # A payment has one event, however often that came.
    assert len({(flat(one)["log.record.uid"], flat(one)[ID]) for one in arrived(sink)}) == len(
        stored
    )
    assert len(uids(sink)) == len(stored)


def test_a_record_is_that_of_the_moment_of_the_change(
    scene: Scene, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = scene.pay(1)
    [made] = writer.reported("payment", 1)
    [row] = scene.rows("SELECT *, attributes::text || resource::text AS text FROM event_outbox")
    assert paying.USER not in row["text"]
    scene.worker(sink.url)
    until_arrived(sink, 1)
    [record] = arrived(sink)
    assert base64.b64decode(record["traceId"]).hex() == made["trace"]
    occurred = record["timeUnixNano"]
    assert occurred == str(round(row["occurred_at"].timestamp() * 1e6) * 1000)
    assert record["observedTimeUnixNano"] == occurred
    assert (record["severityNumber"], record["severityText"]) == ("SEVERITY_NUMBER_INFO", "INFO")
    assert record["body"] == {"stringValue": "Payment created"}
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", "h" * 32)
    monkeypatch.delenv("GLASSHOUSE_HMAC_KEY_FILE", raising=False)
    hmac_key.cache_clear()
    assert flat(record) == {
        "event": COUNTED,
        "payment.transaction_id": made["payment"],
        "payment.user_id": user_pseudonym(paying.USER),
        "payment.currency": "EUR",
        "payment.amount": 12.34,
        "request.id": made["request"],
        "correlation.id": made["correlation"],
        "log.record.uid": str(row["id"]),
    }
    [(resource, scope, _)] = sent(sink, str(row["id"]))
    assert (flat(resource)["service.name"], scope["name"]) == ("backend-api", "glasshouse.events")
    # The line is written where the payment was made, once, by the same clock.
    [line] = [one for one in writer.lines() if one.get("event") == COUNTED]
    assert line["transactionId"] == made["payment"]
    assert (line["traceId"], line["requestId"]) == (made["trace"], made["request"])
    at = datetime.fromisoformat(line["timestamp"])
    assert abs((at - row["occurred_at"]).total_seconds()) < 0.001
    assert [one for one in scene.backend.events() if one.get("event") == COUNTED] == []
