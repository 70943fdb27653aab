import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import procrastinate
import psycopg
import pytest
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job
from psycopg_pool import PoolTimeout

from backend.jobs import CONFIRM_PAYMENT, JOB_NAMES, MAX_ATTEMPTS, create_app, report_job

pytestmark = pytest.mark.static


@pytest.fixture
def app() -> procrastinate.App:
    return create_app()


def job(attempts: int = 0) -> Job:
    return Job(
        id=5,
        queue="default",
        lock=None,
        queueing_lock=None,
        task_name=CONFIRM_PAYMENT,
        attempts=attempts,
    )


async def run(
    app: procrastinate.App,
    error: BaseException | None,
    attempts: int = 0,
    abort: AbortReason | None = None,
) -> BaseException | None:
    async def work() -> str:
        if error:
            raise error
        return "done"

    context = JobContext(
        app=app, job=job(attempts), start_timestamp=0.0, abort_reason=lambda: abort
    )
    worker: Any = SimpleNamespace()
    try:
        assert await report_job(work, context, worker) == "done"
    except BaseException as raised:  # noqa: BLE001 (what came out is what is tested)
        return raised
    return None


@pytest.mark.parametrize(
    ("error", "attempts", "abort", "outcome", "error_type"),
    [
        (None, 0, None, "succeeded", None),
        (LookupError(), 0, None, "failed", "LookupError"),
        (psycopg.OperationalError(), 0, None, "retried", "OperationalError"),
        (PoolTimeout(), MAX_ATTEMPTS - 2, None, "retried", "PoolTimeout"),
        (PoolTimeout(), MAX_ATTEMPTS - 1, None, "failed", "PoolTimeout"),
        (asyncio.CancelledError(), 0, AbortReason.SHUTDOWN, "retried", "CancelledError"),
        (asyncio.CancelledError(), 99, AbortReason.SHUTDOWN, "retried", "CancelledError"),
        (asyncio.CancelledError(), 0, AbortReason.USER_REQUEST, "aborted", "CancelledError"),
        (JobAborted(), 0, AbortReason.USER_REQUEST, "aborted", "JobAborted"),
    ],
)
async def test_each_end_of_a_job_is_one_event(
    app: procrastinate.App,
    caplog: pytest.LogCaptureFixture,
    error: BaseException | None,
    attempts: int,
    abort: AbortReason | None,
    outcome: str,
    error_type: str | None,
):
    caplog.set_level(logging.INFO)
    await run(app, error, attempts, abort)
    [record] = [record for record in caplog.records if record.name == "glasshouse.events"]
    fields = vars(record)
    assert fields["event"] == "job.finished"
    assert fields["job.job"] == "confirm_payment"
    assert fields["job.job_id"] == 5
    assert fields["job.outcome"] == outcome
    assert fields["job.attempt"] == attempts + 1
    assert 0 <= fields["job.duration"] < 5
    assert fields.get("error.type") == error_type


async def test_job_aborted_on_request_is_not_retried(app: procrastinate.App):
    raised = await run(app, asyncio.CancelledError(), abort=AbortReason.USER_REQUEST)
    assert isinstance(raised, JobAborted)


async def test_job_cut_off_by_a_shutdown_goes_back_to_the_queue(app: procrastinate.App):
    raised = await run(app, asyncio.CancelledError(), abort=AbortReason.SHUTDOWN)
    assert isinstance(raised, asyncio.CancelledError)
    assert app.tasks[CONFIRM_PAYMENT].get_retry_exception(raised, job()) is not None


def test_every_job_has_its_gauges(app: procrastinate.App):
    ours = {name for name in app.tasks if "builtin" not in name}
    assert ours == set(JOB_NAMES)
