"""What only Postgres can prove."""

import asyncio
import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, LiteralString

import procrastinate
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from procrastinate.jobs import Status
from psycopg_pool import PoolClosed
from pydantic import SecretStr

from backend.automation.store import NewRun, Runs
from backend.jobs.heartbeat import Heartbeat
from backend.jobs.history import JobHistory
from backend.jobs.queue import CONFIRM_PAYMENT, JobQueue
from backend.jobs.worker import rescue_stalled_jobs
from backend.notifications.contacts import Contact
from backend.notifications.store import Notifications
from backend.operations import health
from backend.operations.gauges import JobGauges
from backend.operations.health import CheckFailedError
from backend.payments.store import (
    Failure,
    IdempotencyConflictError,
    NewPayment,
    PaymentId,
    Payments,
    State,
)
from backend.platform import people
from backend.platform.database import RESCUE_LOCK, Connection, Pool
from backend.platform.encryption import Encryptor
from backend.platform.migrate import migrate, missing, ours
from backend.platform.queries import query
from backend.platform.settings import DatabaseSettings

from .conftest import scheduled

NEW = NewPayment(owner="shop", user_id="alice", amount=Decimal("10.50"), currency="EUR")
CONTACT = Contact(channel="sms", to="+493012345678")


@pytest.fixture
def app(jobs: procrastinate.App) -> procrastinate.App:  # replaces the API
    return jobs


@pytest.fixture
def payments(
    pool: Pool, encryptor: Encryptor, notifications: Notifications, app: procrastinate.App
) -> Payments:  # replaces the fake
    return Payments(pool, encryptor, notifications, JobQueue(app).confirm_payment)


@pytest.fixture
def runs(
    pool: Pool, encryptor: Encryptor, notifications: Notifications, app: procrastinate.App
) -> Runs:
    return Runs(pool, encryptor, notifications, JobQueue(app).run_automation)


@pytest.fixture
def history(pool: Pool) -> JobHistory:
    return JobHistory(pool, {}, "test")


async def rows(pool: Pool, statement: LiteralString) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement)
        return [tuple(row.values()) for row in await cursor.fetchall()]


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        vars(record)["event"] for record in caplog.records if record.name == "glasshouse.events"
    ]


def test_migrations_at_the_same_time_apply_each_once(empty: DatabaseSettings):
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(migrate, [empty] * 4))
    applied = ["procrastinate/schema.sql", *(migration.name for migration in ours())]
    assert sorted(runs) == [[], [], [], applied]
    assert migrate(empty) == []


async def test_missing_migrations_are_named(pool: Pool):
    assert await missing(pool) == []
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM schema_migrations WHERE name LIKE '0001%'")
    assert await missing(pool) == ["0001_payments.sql"]
    async with pool.connection() as connection:
        await connection.execute("DROP TABLE schema_migrations")
    assert "0001_payments.sql" in await missing(pool)


async def test_worker_check_wants_a_young_heartbeat(pool: Pool):
    check = health.worker(pool, max_age=30)
    with pytest.raises(CheckFailedError, match="no worker"):
        await check()
    await Heartbeat(pool, "first").beat()
    assert 0 <= (await check())["heartbeatAgeSeconds"] < 5
    async with pool.connection() as connection:
        await connection.execute("UPDATE worker_heartbeats SET beat_at = now() - interval '31 s'")
    with pytest.raises(CheckFailedError, match="heartbeat too old") as failed:
        await check()
    assert failed.value.details["heartbeatAgeSeconds"] == pytest.approx(31, abs=5)
    # One that lives is enough.
    await Heartbeat(pool, "second").beat()
    assert (await check())["heartbeatAgeSeconds"] < 5


async def test_postgres_check_fails_with_the_server(pool: Pool):
    assert await health.postgres(pool)() == {}
    await pool.close()
    with pytest.raises(PoolClosed):
        await health.postgres(pool)()


async def test_same_key_at_the_same_time_makes_one_payment(
    pool: Pool, payments: Payments, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    created = await asyncio.gather(*(payments.create(NEW, "key") for _ in range(30)))
    [identifier] = {one.payment.id for one in created}
    assert sorted(one.replayed for one in created) == [False] + [True] * 29
    assert await rows(pool, "SELECT count(*) FROM payments") == [(1,)]
    assert await rows(pool, "SELECT task_name, args FROM procrastinate_jobs") == [
        (CONFIRM_PAYMENT, {"payment_id": identifier})
    ]
    assert events(caplog) == ["payment.created"]


async def test_key_with_another_body_is_refused(payments: Payments):
    await payments.create(NEW, "key")
    for other in (
        dataclasses.replace(NEW, user_id="bob"),
        dataclasses.replace(NEW, amount=Decimal(11)),
        dataclasses.replace(NEW, currency="USD"),
    ):
        with pytest.raises(IdempotencyConflictError):
            await payments.create(other, "key")


async def test_payment_without_its_job_is_not_written(
    pool: Pool, encryptor: Encryptor, notifications: Notifications, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)

    async def refuse(payment_id: PaymentId, connection: Connection) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await Payments(pool, encryptor, notifications, refuse).create(NEW, "key")
    assert await rows(pool, "SELECT count(*) FROM payments") == [(0,)]
    assert events(caplog) == []


async def test_each_change_happens_and_is_emitted_once(
    payments: Payments, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    created = await payments.create(NEW, None)
    identifier = created.payment.id
    assert await payments.mark_confirmed(identifier) is None  # not submitted yet
    twice = [await payments.mark_submitted(identifier, f"0x{number}") for number in range(2)]
    assert [one is None for one in twice] == [False, True]
    assert (await payments.age(identifier)).submitted < 5
    both = await asyncio.gather(
        payments.mark_confirmed(identifier), payments.mark_confirmed(identifier)
    )
    assert sorted(one is None for one in both) == [False, True]
    late = await payments.mark_failed(identifier, Failure.REVERTED, from_state=State.SUBMITTED)
    assert late is None
    row = await payments.find(identifier)
    assert row is not None
    assert (row.state, row.blockchain_tx_id, row.error_type) == (State.CONFIRMED, "0x0", None)
    assert row.amount_text == "10.50"
    assert events(caplog) == ["payment.created", "payment.submitted", "payment.confirmed"]
    fields = vars(caplog.records[-1])
    assert fields["payment.transaction_id"] == identifier
    assert fields["payment.amount"] == 10.5
    assert fields["payment.currency"] == "EUR"
    assert 0 <= fields["payment.confirmation_delay"] < 5
    assert "alice" not in str(fields)


async def test_failure_carries_its_type(payments: Payments, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    created = await payments.create(NEW, None)
    await payments.mark_failed(
        created.payment.id, Failure.CHAIN_UNREACHABLE, from_state=State.CREATED
    )
    assert events(caplog) == ["payment.created", "payment.failed"]
    assert vars(caplog.records[-1])["error.type"] == "chain_unreachable"


async def test_only_jobs_of_dead_workers_are_rescued(
    pool: Pool, app: procrastinate.App, payments: Payments, history: JobHistory
):
    alive, dead = [await app.job_manager.register_worker() for _ in range(2)]
    for worker_id in (alive, dead):
        await payments.create(NEW, None)
        assert await app.job_manager.fetch_job(queues=None, worker_id=worker_id)
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
            " WHERE id = %s",
            [dead],
        )
    await asyncio.gather(
        rescue_stalled_jobs(app, pool, history), rescue_stalled_jobs(app, pool, history)
    )
    statement = "SELECT status::text, attempts FROM procrastinate_jobs ORDER BY id"
    assert await rows(pool, statement) == [("doing", 0), ("todo", 1)]


async def test_one_worker_rescues_at_a_time(
    pool: Pool, app: procrastinate.App, payments: Payments, history: JobHistory
):
    await payments.create(NEW, None)
    gone = await app.job_manager.register_worker()
    assert await app.job_manager.fetch_job(queues=None, worker_id=gone)
    await app.job_manager.unregister_worker(gone)
    status = "SELECT status::text FROM procrastinate_jobs"
    async with pool.connection() as another:
        await another.execute(query("try_rescue_lock"), {"key": RESCUE_LOCK})
        await rescue_stalled_jobs(app, pool, history)
        assert await rows(pool, status) == [("doing",)]
    await rescue_stalled_jobs(app, pool, history)
    assert await rows(pool, status) == [("todo",)]


async def test_gauges_count_what_waits(pool: Pool, app: procrastinate.App, payments: Payments):
    for _ in range(3):
        await payments.create(NEW, None)
    worker_id = await app.job_manager.register_worker()
    job = await app.job_manager.fetch_job(queues=None, worker_id=worker_id)
    assert job is not None
    await app.job_manager.finish_job(job, status=Status.SUCCEEDED, delete_job=False)
    await Heartbeat(pool, "worker").beat()
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO job_runs (job_id, job, attempt, worker, finished_at, outcome) VALUES"
            " (1, 'confirm_payment', 1, 'w', to_timestamp(1000), 'succeeded'),"
            " (2, 'confirm_payment', 1, 'w', to_timestamp(900), 'succeeded'),"
            " (3, 'confirm_payment', 1, 'w', to_timestamp(1100), 'failed')"
        )
        await connection.execute(
            "UPDATE procrastinate_events SET at = now() - interval '1 minute' WHERE id ="
            " (SELECT max(id) FROM procrastinate_events WHERE type = 'deferred')"
        )
        later = "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 h' WHERE id = 2"
        await connection.execute(later)
    gauges = JobGauges(pool, [CONFIRM_PAYMENT, "other"], scheduled("30 2 * * *"))
    await gauges.refresh()
    [ours, other] = sorted(gauges.rows, key=lambda row: row["job"])
    assert ours["backlog"] == 1  # one is done, one is for later
    assert ours["oldest_pending_age"] == pytest.approx(60, abs=5)
    assert ours["last_success"] == 1000
    assert 0 <= ours["heartbeat_age"] < 5
    assert (other["backlog"], other["oldest_pending_age"], other["last_success"]) == (0, 0.0, None)
    reader = InMemoryMetricReader()
    gauges.register(MeterProvider([reader]).get_meter("test"))
    read = reader.get_metrics_data()
    assert read is not None
    [scope] = read.resource_metrics[0].scope_metrics
    # Prometheus overwrites an attribute "job" with the service's name.
    assert {
        metric.name: {
            frozenset((point.attributes or {}).items()) for point in metric.data.data_points
        }
        for metric in scope.metrics
    } == {
        "jobs.backlog": named(CONFIRM_PAYMENT, "other"),
        "jobs.oldest_pending_age": named(CONFIRM_PAYMENT, "other"),
        "job.last_success_timestamp": named(CONFIRM_PAYMENT),
        "job.schedule_interval": named(*scheduled("30 2 * * *")),
        "worker.heartbeat_age": {frozenset()},
    }


def named(*jobs: str) -> set[frozenset[tuple[str, str]]]:
    return {frozenset({("job_name", job)}) for job in jobs}


async def ended(kind: str, payments: Payments, runs: Runs) -> tuple[str, str]:
    """End a payment or a run that has a contact; return its id and state."""
    if kind == "payment":
        created = await payments.create(dataclasses.replace(NEW, contact=CONTACT), None)
        identifier = created.payment.id
        done = await payments.mark_failed(identifier, Failure.REVERTED, from_state=State.CREATED)
    else:
        new = NewRun(owner="shop", user_id="alice", strategy="rebalance", sla=60, contact=CONTACT)
        requested = await runs.request(new)
        assert requested is not None
        done = await runs.mark_completed(requested.id)
    assert done is not None
    return done.id, done.state


@pytest.mark.parametrize(
    ("kind", "state", "template"),
    [("payment", "failed", "payment_failed"), ("run", "completed", "run_completed")],
)
@pytest.mark.parametrize("key_is_lost", [False, True])
async def test_an_end_notifies_the_contact_and_happens_without_its_key(
    pool: Pool,
    payments: Payments,
    runs: Runs,
    notifications: Notifications,
    encryptor: Encryptor,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    state: str,
    template: str,
    key_is_lost: bool,
):
    caplog.set_level(logging.INFO)
    if key_is_lost:
        other = Encryptor(SecretStr("w" * 32))
        monkeypatch.setattr(encryptor, "encrypt", other.encrypt)
    identifier, reached = await ended(kind, payments, runs)
    assert reached == state
    written = await rows(pool, "SELECT template, user_sealed, channel FROM notifications")
    if key_is_lost:
        assert written == []
        assert "A stored contact cannot be decrypted" in caplog.text
        return
    [(used, user, channel)] = written
    assert (used, channel) == (template, "sms")
    assert events(caplog)[-1] == "notification.queued"
    [(notification,)] = await rows(pool, "SELECT id FROM notifications")
    assert people.opened(encryptor, user, notification) == "alice"
    message = await notifications.outgoing(notification)
    assert message is not None
    assert message.to == CONTACT.to
    assert identifier in message.data.values()
