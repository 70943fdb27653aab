"""How executions end: one row and one event each, and what is tried again."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import procrastinate
import psycopg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job
from procrastinate.retry import RetryDecision
from psycopg_pool import PoolTimeout

from backend.jobs.history import WORKER_LOST, JobHistory
from backend.jobs.queue import CONFIRM_PAYMENT, JOBS, MAX_ATTEMPTS, SWEEP_PAYMENTS
from backend.notifications.channels.base import PermanentDeliveryError, TransientDeliveryError
from backend.payments.confirmation import StillPendingError
from backend.platform.database import Pool

from .conftest import scheduled

PENDING = StillPendingError(RetryDecision(retry_in={"seconds": 3}))


@pytest.fixture
def history(pool: Pool) -> JobHistory:
    return JobHistory(pool, scheduled("30 2 * * *"), "a-worker")


def job(attempts: int = 0, task: str = CONFIRM_PAYMENT) -> Job:
    return Job(
        id=5, queue="default", lock=None, queueing_lock=None, task_name=task, attempts=attempts
    )


async def run(
    app: procrastinate.App,
    history: JobHistory,
    error: BaseException | None,
    attempts: int = 0,
    abort: AbortReason | None = None,
    task: str = CONFIRM_PAYMENT,
) -> BaseException | None:
    async def work() -> str:
        if error:
            raise error
        return "done"

    context = JobContext(
        app=app, job=job(attempts, task), start_timestamp=0.0, abort_reason=lambda: abort
    )
    worker: Any = SimpleNamespace()
    try:
        assert await history.report(work, context, worker) == "done"
    except BaseException as raised:  # noqa: BLE001 (what came out is what is tested)
        return raised
    return None


async def written(pool: Pool) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT * FROM job_runs ORDER BY id")
        return await cursor.fetchall()


def emitted(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == "glasshouse.events"]


@pytest.mark.parametrize(
    ("error", "attempts", "abort", "outcome", "error_type"),
    [
        (None, 0, None, "succeeded", None),
        (LookupError(), 0, None, "failed", "LookupError"),
        (psycopg.OperationalError(), 0, None, "retried", "OperationalError"),
        (PoolTimeout(), MAX_ATTEMPTS - 2, None, "retried", "PoolTimeout"),
        (PoolTimeout(), MAX_ATTEMPTS - 1, None, "failed", "PoolTimeout"),
        (TransientDeliveryError("x"), 0, None, "retried", "TransientDeliveryError"),
        (PermanentDeliveryError("x"), 0, None, "failed", "PermanentDeliveryError"),
        (PENDING, MAX_ATTEMPTS + 5, None, "retried", "StillPendingError"),
        (asyncio.CancelledError(), 0, AbortReason.SHUTDOWN, "retried", "CancelledError"),
        (asyncio.CancelledError(), 99, AbortReason.SHUTDOWN, "retried", "CancelledError"),
        (asyncio.CancelledError(), 0, AbortReason.USER_REQUEST, "aborted", "CancelledError"),
        (JobAborted(), 0, AbortReason.USER_REQUEST, "aborted", "JobAborted"),
    ],
)
async def test_each_end_of_a_job_is_one_row_and_one_event(
    jobs: procrastinate.App,
    history: JobHistory,
    pool: Pool,
    caplog: pytest.LogCaptureFixture,
    error: BaseException | None,
    attempts: int,
    abort: AbortReason | None,
    outcome: str,
    error_type: str | None,
):
    caplog.set_level(logging.INFO)
    await run(jobs, history, error, attempts, abort)
    [fields] = emitted(caplog)
    assert fields["event"] == "job.finished"
    assert fields["job.name"] == "confirm_payment"
    assert fields["job.id"] == 5
    assert fields["job.outcome"] == outcome
    assert fields["job.attempt"] == attempts + 1
    assert 0 <= fields["job.duration"] < 5
    assert fields.get("error.type") == error_type
    assert "job.schedule" not in fields
    [row] = await written(pool)
    assert (row["job_id"], row["job"], row["attempt"]) == (5, "confirm_payment", attempts + 1)
    assert (row["outcome"], row["error_class"]) == (outcome, error_type)
    assert (row["worker"], row["schedule"], row["next_run_at"]) == ("a-worker", None, None)
    assert row["started_at"] <= row["finished_at"]


async def test_the_row_has_the_trace_that_the_execution_runs_in(
    jobs: procrastinate.App, history: JobHistory, pool: Pool
):
    with TracerProvider().get_tracer("test").start_as_current_span("process") as span:
        await run(jobs, history, LookupError())
    [row] = await written(pool)
    assert row["trace_id"] == trace.format_trace_id(span.get_span_context().trace_id)
    # The same attempt again, as after a rescue: another trace, or none without telemetry.
    await run(jobs, history, LookupError())
    [row] = await written(pool)
    assert row["trace_id"] is None


async def test_a_scheduled_job_reports_its_schedule_and_its_next_run(
    jobs: procrastinate.App,
    history: JobHistory,
    pool: Pool,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    before = datetime.now(UTC)
    await run(jobs, history, None, task=SWEEP_PAYMENTS)
    after = datetime.now(UTC)
    [fields] = emitted(caplog)
    assert fields["job.schedule"] == "* * * * *"
    next_run = datetime.fromisoformat(fields["job.next_run_at"])
    assert (next_run.second, next_run.tzinfo) == (0, UTC)
    assert before < next_run <= after + timedelta(minutes=1)
    [row] = await written(pool)
    assert (row["schedule"], row["next_run_at"]) == ("* * * * *", next_run)


async def test_an_execution_whose_worker_died_ends_once(
    jobs: procrastinate.App,
    history: JobHistory,
    pool: Pool,
    caplog: pytest.LogCaptureFixture,
):
    """Also when the worker was only thought dead and ends it later."""
    caplog.set_level(logging.INFO)
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        has_begun.set()
        await may_end.wait()

    context = JobContext(app=jobs, job=job(), start_timestamp=0.0, abort_reason=lambda: None)
    worker: Any = SimpleNamespace()
    running = asyncio.create_task(history.report(work, context, worker))
    await has_begun.wait()
    assert (await written(pool))[0]["outcome"] is None
    await history.record_worker_lost(job())
    may_end.set()
    await running
    [row] = await written(pool)
    assert (row["outcome"], row["error_class"]) == ("retried", WORKER_LOST)
    [fields] = emitted(caplog)
    assert (fields["job.outcome"], fields["error.type"]) == ("retried", WORKER_LOST)
    assert 0 <= fields["job.duration"] < 5


@pytest.mark.parametrize("back", [False, True])
async def test_a_database_that_is_unavailable_costs_the_row_but_not_the_event(
    jobs: procrastinate.App, pool: Pool, caplog: pytest.LogCaptureFixture, back: bool
):
    """Unavailable at the start of the job; at its end ``back``, or not."""
    caplog.set_level(logging.INFO)

    class Unavailable:
        asked = 0

        def connection(self) -> Any:
            self.asked += 1
            if back and self.asked > 1:
                return pool.connection()
            raise PoolTimeout

    unavailable: Any = Unavailable()
    raised = await run(jobs, JobHistory(unavailable, {}, "a-worker"), None)
    assert isinstance(raised, PoolTimeout)
    [fields] = emitted(caplog)
    assert (fields["job.outcome"], fields["error.type"]) == ("retried", "PoolTimeout")
    assert await written(pool) == []


async def test_job_aborted_on_request_is_not_retried(jobs: procrastinate.App, history: JobHistory):
    raised = await run(jobs, history, asyncio.CancelledError(), abort=AbortReason.USER_REQUEST)
    assert isinstance(raised, JobAborted)


async def test_job_cut_off_by_a_shutdown_goes_back_to_the_queue(
    jobs: procrastinate.App, history: JobHistory
):
    raised = await run(jobs, history, asyncio.CancelledError(), abort=AbortReason.SHUTDOWN)
    assert isinstance(raised, asyncio.CancelledError)
    assert jobs.tasks[CONFIRM_PAYMENT].get_retry_exception(raised, job()) is not None


def test_pauses_double_up_to_a_minute(jobs: procrastinate.App):
    expected = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(expected) == MAX_ATTEMPTS - 1
    for attempts, seconds in enumerate(expected):
        before = datetime.now(UTC)
        error = jobs.tasks[CONFIRM_PAYMENT].get_retry_exception(PoolTimeout(), job(attempts))
        after = datetime.now(UTC)
        assert error is not None
        at = error.retry_decision.retry_at
        assert at is not None
        # Counted from a moment between the two.
        assert before <= at - timedelta(seconds=seconds) <= after
    last = job(len(expected))
    assert jobs.tasks[CONFIRM_PAYMENT].get_retry_exception(PoolTimeout(), last) is None


def test_every_job_has_its_gauges(jobs: procrastinate.App):
    ours = {name for name in jobs.tasks if "builtin" not in name}
    assert ours == set(JOBS)
