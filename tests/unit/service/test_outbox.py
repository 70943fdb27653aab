"""What is written into the outbox, and what becomes of it, whatever the Collector answers."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from backend.jobs.retention import Retention
from backend.operations.gauges import OutboxGauges
from backend.platform.database import Pool
from backend.telemetry import events, outbox, sending
from backend.telemetry.sending import MOST_REFUSALS, POLL_INTERVAL_S, OutboxSender
from glasshouse import acknowledged
from glasshouse.acknowledged import Outcome, PreparedEvent

REST: dict[str, Any] = {"user_id": "bob", "currency": "EUR", "amount": 1.0}
ODD = {
    "nul": "a\0b",
    "half a pair": "caf\udce9",
    "both halves": "\ud83d\ude00",
    "long": "x" * 100_000,
    "not JSON": 'a"\\\n\u2028',
}


@pytest.fixture(autouse=True)
def exported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where logs are sent over OTLP."""
    monkeypatch.setattr(outbox, "is_exported", lambda: True)


class Collector:
    """Answers as ``verdict`` says; keeps what it has taken."""

    def __init__(self, verdict: Callable[[Sequence[PreparedEvent]], Outcome]) -> None:
        self.verdict = verdict
        self.requests: list[list[str]] = []
        self.taken: list[PreparedEvent] = []

    def send(self, batch: Sequence[PreparedEvent]) -> Outcome:
        self.requests.append([name_of(one) for one in batch])
        outcome = self.verdict(batch)
        if outcome == "acknowledged":
            self.taken += batch
        return outcome

    def names(self) -> list[str]:
        return [name_of(one) for one in self.taken]


def name_of(event: PreparedEvent) -> str:
    return str(event.attributes["payment.transaction_id"])


def available(_: Sequence[PreparedEvent]) -> Outcome:
    return "acknowledged"


def refusing(*names: str) -> Callable[[Sequence[PreparedEvent]], Outcome]:
    def verdict(batch: Sequence[PreparedEvent]) -> Outcome:
        bad = any(name_of(one) in names for one in batch)
        return "refused" if bad else "acknowledged"

    return verdict


async def add(pool: Pool, *names: str, **changes: Any) -> None:
    async with pool.connection() as connection:
        for name in names:
            await events.payment_created(connection, transaction_id=name, **REST | changes)


async def rows(pool: Pool) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT * FROM event_outbox ORDER BY position")
        return await cursor.fetchall()


async def all_due(pool: Pool) -> None:
    """Let the pauses of refused events pass."""
    async with pool.connection() as connection:
        await connection.execute("UPDATE event_outbox SET next_attempt_at = clock_timestamp()")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "glasshouse.events"]


async def test_events_are_sent_in_order_in_bounded_batches_and_deleted(pool: Pool):
    names = [f"tx_{number}" for number in range(7)]
    await add(pool, *names)
    collector = Collector(available)
    sender = OutboxSender(pool, collector.send, batch=3)
    assert [await sender.round() for _ in range(3)] == [0.0, 0.0, POLL_INTERVAL_S]
    assert collector.requests == [names[:3], names[3:6], names[6:]]
    assert await rows(pool) == []


async def test_a_rollback_takes_the_event_and_its_line_along(
    pool: Pool, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)

    async def change_and_fail() -> None:
        async with pool.connection() as connection:
            await events.payment_created(connection, transaction_id="tx_1", **REST)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await change_and_fail()
    assert (await rows(pool), lines(caplog)) == ([], [])
    # The same connection, used again.
    await add(pool, "tx_2")
    assert [row["attributes"]["payment.transaction_id"] for row in await rows(pool)] == ["tx_2"]
    assert lines(caplog) == ["Payment created"]


async def test_the_line_follows_the_commit(pool: Pool, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    async with pool.connection() as connection:
        await events.payment_created(connection, transaction_id="tx_1", **REST)
        assert lines(caplog) == []
    assert lines(caplog) == ["Payment created"]


async def test_a_lost_connection_writes_no_line(pool: Pool, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)

    async def change_and_lose_it() -> None:
        async with pool.connection() as connection:
            await events.payment_created(connection, transaction_id="tx_1", **REST)
            async with pool.connection() as other:
                pid = connection.info.backend_pid
                await other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with pytest.raises(psycopg.OperationalError):
        await change_and_lose_it()
    assert (await rows(pool), lines(caplog)) == ([], [])


async def test_without_otlp_an_event_goes_the_way_of_all_logs(
    pool: Pool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    caplog.set_level(logging.INFO)
    handed_on: list[logging.LogRecord] = []
    monkeypatch.setattr(acknowledged, "export", handed_on.append)
    await add(pool, "kept")
    assert (len(await rows(pool)), handed_on) == (1, [])
    monkeypatch.setattr(outbox, "is_exported", lambda: False)
    await add(pool, "handed on")
    assert [vars(one)["payment.transaction_id"] for one in handed_on] == ["handed on"]
    assert len(await rows(pool)) == 1
    assert lines(caplog) == ["Payment created"] * 2


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
async def test_a_value_that_cannot_be_stored_is_repaired(pool: Pool, text: str):
    await add(pool, "tx_1", user_id=text, currency=text)
    [row] = await rows(pool)
    stored = row["attributes"]["payment.currency"]
    assert stored.encode("utf-8")
    assert "\0" not in stored
    assert len(stored) <= 4096
    collector = Collector(available)
    await OutboxSender(pool, collector.send).round()
    assert collector.names() == ["tx_1"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**70, 1e308])
async def test_a_number_that_cannot_be_sent_costs_nothing_but_itself(pool: Pool, number: float):
    await add(pool, "tx_1", amount=number)
    [row] = await rows(pool)
    amount = row["attributes"]["payment.amount"]
    assert amount == (number if number == 1e308 else str(number))


async def test_a_refused_event_is_set_aside_and_its_neighbours_arrive(
    pool: Pool, caplog: pytest.LogCaptureFixture
):
    names = [f"tx_{number}" for number in range(6)]
    await add(pool, *names)
    collector = Collector(refusing("tx_2"))
    sender = OutboxSender(pool, collector.send)
    await sender.round()
    # Refused together, sent alone at once.
    assert collector.requests == [names, *([name] for name in names)]
    assert sorted(collector.names()) == sorted(set(names) - {"tx_2"})
    # It does not hold up what comes after it.
    await add(pool, "later")
    await sender.round()
    assert collector.names()[-1] == "later"
    tries = 2
    while (await rows(pool))[0]["set_aside_at"] is None:
        await all_due(pool)
        await sender.round()
        tries += 1
        assert tries <= MOST_REFUSALS
    assert tries == MOST_REFUSALS
    await all_due(pool)
    seen = len(collector.requests)
    assert await sender.round() == POLL_INTERVAL_S
    assert len(collector.requests) == seen
    [error] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert error.getMessage() == "An event is set aside: the Collector refuses it"
    [row] = await rows(pool)
    assert vars(error)["log.record.uid"] == str(row["id"])


async def test_an_event_set_aside_can_be_put_back(pool: Pool):
    await add(pool, "tx_1")
    collector = Collector(refusing("tx_1"))
    sender = OutboxSender(pool, collector.send, most_refusals=2)
    await sender.round()
    [row] = await rows(pool)
    assert row["set_aside_at"] is not None
    async with pool.connection() as connection:
        # As the runbook says.
        await connection.execute("UPDATE event_outbox SET refusals = 0, set_aside_at = NULL")
    collector.verdict = available
    await sender.round()
    assert ([one.id for one in collector.taken], await rows(pool)) == ([str(row["id"])], [])


async def test_an_unavailable_collector_costs_no_event_and_is_asked_less_and_less(pool: Pool):
    names = [f"tx_{number}" for number in range(9)]
    await add(pool, *names)
    collector = Collector(lambda _: "unavailable")
    sender = OutboxSender(pool, collector.send, batch=8)
    pauses = [await sender.round() for _ in range(8)]
    assert all(pause > 0 for pause in pauses)
    assert all(after > before for before, after in itertools.pairwise(pauses[:3]))
    assert max(pauses) <= 1.2 * sending.LAST_PAUSE_S
    # A request that takes too long to be answered becomes a smaller one.
    assert [len(one) for one in collector.requests] == [8, 4, 2, 1, 1, 1, 1, 1]
    assert {row["refusals"] for row in await rows(pool)} == {0}
    collector.verdict = available
    while await sender.round() == 0:
        pass
    assert collector.names() == names


async def test_a_round_that_fails_is_followed_by_another(pool: Pool):
    answers = [ZeroDivisionError()]
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def send(_: Sequence[PreparedEvent]) -> Outcome:
        if answers:
            raise answers.pop()
        loop.call_soon_threadsafe(done.set)
        return "acknowledged"

    await add(pool, "tx_1")
    async with OutboxSender(pool, send).running():
        async with asyncio.timeout(60):
            await done.wait()
    assert await rows(pool) == []


async def test_what_is_left_at_the_end_is_sent(pool: Pool):
    collector = Collector(available)
    async with OutboxSender(pool, collector.send).running():
        await add(pool, "tx_1")
    assert collector.names() == ["tx_1"]


async def test_a_collector_that_hangs_does_not_hold_up_the_end(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sending, "LAST_ROUND_S", 0.1)
    never = asyncio.Event()
    hung = asyncio.Event()
    loop = asyncio.get_running_loop()

    def send(_: Sequence[PreparedEvent]) -> Outcome:
        loop.call_soon_threadsafe(hung.set)
        asyncio.run_coroutine_threadsafe(never.wait(), loop).result(60)
        return "acknowledged"

    await add(pool, "tx_1")
    async with asyncio.timeout(60), OutboxSender(pool, send).running():
        await hung.wait()
    # Not known to be acknowledged, so it stays; and its lock is gone.
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT * FROM event_outbox FOR UPDATE NOWAIT")
        assert len(await cursor.fetchall()) == 1
    never.set()


async def test_two_senders_at_once_take_different_events(pool: Pool):
    await add(pool, "tx_1", "tx_2")
    second = Collector(available)

    async def other() -> None:
        await OutboxSender(pool, second.send, batch=1).round()

    loop = asyncio.get_running_loop()

    def send_while_another_does(batch: Sequence[PreparedEvent]) -> Outcome:
        asyncio.run_coroutine_threadsafe(other(), loop).result(60)
        return available(batch)

    first = Collector(send_while_another_does)
    await OutboxSender(pool, first.send, batch=1).round()
    assert (first.names(), second.names()) == (["tx_1"], ["tx_2"])
    assert await rows(pool) == []


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    yield reader
    reader.shutdown()


def measured(reader: InMemoryMetricReader) -> dict[str, float]:
    data = reader.get_metrics_data()
    return {
        metric.name: point.value  # pyright: ignore[reportAttributeAccessIssue]  # all are gauges
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


async def test_gauges_show_what_waits(pool: Pool, reader: InMemoryMetricReader):
    gauges = OutboxGauges(pool)
    gauges.register(MeterProvider([reader]).get_meter("test"))
    assert measured(reader) == {}
    await gauges.refresh()
    assert measured(reader) == {
        "outbox.events": 0,
        "outbox.oldest_age": 0,
        "outbox.set_aside": 0,
    }
    await add(pool, "tx_1", "tx_2", "tx_3")
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE event_outbox SET occurred_at = occurred_at - interval '100 s'"
            " WHERE position = (SELECT min(position) + 1 FROM event_outbox)"
        )
        await connection.execute(
            "UPDATE event_outbox SET set_aside_at = now(), refusals = 7,"
            " occurred_at = occurred_at - interval '1 h'"
            " WHERE position = (SELECT min(position) FROM event_outbox)"
        )
    await gauges.refresh()
    found = measured(reader)
    assert (found["outbox.events"], found["outbox.set_aside"]) == (2, 1)
    assert 100 <= found["outbox.oldest_age"] < 160
    await pool.close()
    await gauges.refresh()
    assert measured(reader) == {}


async def test_events_that_nobody_took_are_deleted_after_their_time(pool: Pool):
    await add(pool, "set aside", "waiting", "young")
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE event_outbox SET occurred_at = now() - interval '31 days'"
            " WHERE attributes ->> 'payment.transaction_id' <> 'young'"
        )
        await connection.execute(
            "UPDATE event_outbox SET set_aside_at = now(), refusals = 7"
            " WHERE attributes ->> 'payment.transaction_id' = 'set aside'"
        )
    await Retention(pool, {"forget_events": 30}).apply()
    [left] = await rows(pool)
    assert left["attributes"]["payment.transaction_id"] == "young"
