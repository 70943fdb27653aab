"""Jobs in Postgres: the procrastinate app, its tasks, and how a failing job goes on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import procrastinate
import psycopg
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker
from psycopg_pool import PoolTimeout, TooManyRequests

from backend.confirmation import Confirmation
from backend.database import Connection
from backend.payments import PaymentId
from glasshouse import emit_event

CONFIRM_PAYMENT: Final = "confirm_payment"
JOB_NAMES: Final = (CONFIRM_PAYMENT,)
CONFIRMATION_KEY: Final = "confirmation"

MAX_ATTEMPTS: Final = 10
LAST_RETRY_S: Final = 60
_TRANSIENT: Final = (psycopg.OperationalError, PoolTimeout, TooManyRequests)


class RetryTransient(BaseRetryStrategy):
    """Run a job again that its worker handed back at shutdown, or that lost the database."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision()
        if isinstance(exception, _TRANSIENT) and job.attempts + 1 < MAX_ATTEMPTS:
            return RetryDecision(retry_in={"seconds": min(2**job.attempts, LAST_RETRY_S)})
        return None


def create_app() -> procrastinate.App:
    """Return a procrastinate app with all tasks. It is opened with a pool of `database`."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())

    @app.task(name=CONFIRM_PAYMENT, retry=RetryTransient(), pass_context=True)
    async def confirm_payment(context: JobContext, *, payment_id: str) -> None:
        confirmation: Confirmation = context.additional_context[CONFIRMATION_KEY]
        await confirmation.settle(PaymentId(payment_id))

    return app


class JobQueue:
    """Enqueues jobs inside a transaction of the caller."""

    def __init__(self, app: procrastinate.App) -> None:
        self._app = app

    async def confirm_payment(self, payment_id: PaymentId, connection: Connection) -> None:
        """Enqueue the job that settles a payment; it exists once ``connection`` commits."""
        deferrer = self._app.configure_task(
            CONFIRM_PAYMENT, allow_unknown=False, connection=connection
        )
        await deferrer.defer_async(payment_id=payment_id)


async def report_job(
    call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker
) -> Any:
    """Worker middleware: emit ``job.finished`` once a run, whatever its end."""
    started = time.monotonic()
    outcome, error_type = "succeeded", None
    try:
        return await call_next()
    except BaseException as error:
        outcome, error_type = _outcome(error, context), type(error).__qualname__
        if outcome == "aborted" and not isinstance(error, JobAborted):
            # Cancelled on request. As it is, procrastinate would ask for a retry.
            raise JobAborted from error
        raise
    finally:
        job = context.job
        emit_event(
            "job.finished",
            "Job finished",
            jobId=job.id,
            job=job.task_name,
            schedule=None,
            nextRunAt=None,
            outcome=outcome,
            duration=time.monotonic() - started,
            attempt=job.attempts + 1,
            error_type=error_type,
        )


def _outcome(error: BaseException, context: JobContext) -> str:
    cancelled = isinstance(error, JobAborted | asyncio.CancelledError)
    if cancelled and context.abort_reason() is AbortReason.USER_REQUEST:
        return "aborted"
    if context.task.get_retry_exception(exception=error, job=context.job):
        return "retried"
    return "aborted" if isinstance(error, JobAborted) else "failed"
