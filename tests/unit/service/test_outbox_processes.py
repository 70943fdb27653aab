"""Events survive their processes: killed at each point between the change and its deletion.

Real workers on real Postgres, sending to a receiver that keeps what it gets.
"""

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from glasshouse.pseudonym import hmac_key, user_pseudonym
from support import otlp_sink, outbox, paying
from support.otlp_sink import Request, Sink
from support.outbox import COUNTED, ID, Scene, arrived, flat, paid, uids
from support.ports import free
from support.waiting import until

# Any number; it only has to differ from the backend's own.
LOCK = 4711


@pytest.fixture
def scene(server: str, tmp_path: Path) -> Iterator[Scene]:
    with outbox.running(server, tmp_path) as scene:
        yield scene


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


def until_arrived(sink: Sink, count: int) -> None:
    until(
        lambda: ((True if len(arrived(sink)) >= count else None), len(arrived(sink))),
        what=f"{count} records arrived",
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
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", taken
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(60)
            for one in taken:
                one.close()


def test_a_worker_killed_before_it_has_sent_leaves_its_events(scene: Scene, sink: Sink) -> None:
    [made] = scene.paid()
    [uid] = scene.waiting()
    with swallowing() as (url, taken):
        worker = scene.worker(url)
        until(lambda: ((True if taken else None), "no connection"), what="it sends")
        free_rows = "SELECT id FROM event_outbox WHERE id = %(id)s FOR UPDATE SKIP LOCKED"
        # The first connection may be of the worker's own telemetry.
        until(
            lambda: ((None if (free := scene.rows(free_rows, id=uid)) else True), free),
            what="it has the row",
        )
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
