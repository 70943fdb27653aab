"""The history of jobs: one row and one event ``job.finished`` an execution.

This is the one place that writes them; no job does.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psycopg
from opentelemetry import trace
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job
from procrastinate.worker import Worker

from backend.jobs.schedule import Schedules
from backend.platform.database import Connection, Pool
from backend.platform.queries import query
from backend.telemetry import events
from backend.telemetry.emitter import present
from backend.telemetry.known_values import JobOutcome

WORKER_LOST: Final = "WorkerLost"

_logger = logging.getLogger(__name__)


class JobHistory:
    """Writes the history of what this worker runs. ``worker`` is its name in the rows."""

    def __init__(self, pool: Pool, schedules: Schedules, worker: str) -> None:
        self._pool = pool
        self._schedules = schedules
        self._worker = worker

    async def report(
        self, call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker
    ) -> Any:
        """Worker middleware: write one execution, whatever its end."""
        started = time.monotonic()
        outcome, error_class, begun = JobOutcome.SUCCEEDED, None, False
        try:
            await self._start(context.job)
            begun = True
            return await call_next()
        except BaseException as error:
            outcome, error_class = _outcome(error, context), type(error).__qualname__
            if outcome is JobOutcome.ABORTED and not isinstance(error, JobAborted):
                # Cancelled on request. As it is, procrastinate would ask for a retry.
                raise JobAborted from error
            raise
        finally:
            duration = time.monotonic() - started
            if begun:
                await self._finish(context.job, outcome, error_class, duration)
            else:
                # Without a row there is still the event.
                await self._emit_finished(None, context.job, outcome, duration, error_class)

    async def record_worker_lost(self, job: Job) -> None:
        """Write the end of an execution whose worker died; the job goes back to the queue."""
        await self._finish(job, JobOutcome.RETRIED, WORKER_LOST, None)

    async def _start(self, job: Job) -> None:
        schedule = self._schedules.get(job.task_name)
        async with self._pool.connection() as connection:
            await connection.execute(
                query("start_job_run"),
                {
                    "job_id": job.id,
                    "job": job.task_name,
                    "attempt": job.attempts + 1,
                    "worker": self._worker,
                    "schedule": schedule and schedule.cron,
                    "next_run_at": schedule and schedule.next_run(),
                    "trace_id": _trace_id(),
                },
            )

    async def _finish(
        self, job: Job, outcome: JobOutcome, error_class: str | None, duration: float | None
    ) -> None:
        """Write the end and its event, unless this end was written before.

        ``duration`` is in seconds; where it is not known, it is the row's.
        """
        parameters = {
            "job_id": job.id,
            "attempt": job.attempts + 1,
            "outcome": outcome,
            "error_class": error_class,
        }
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query("finish_job_run"), parameters)
                row = await cursor.fetchone()
                if row is not None:
                    taken = row["duration"] if duration is None else duration
                    await self._emit_finished(connection, job, outcome, taken, error_class)
        except psycopg.Error as error:
            _logger.warning(
                "A job's end could not be written", extra={"error.type": type(error).__qualname__}
            )
            await self._emit_finished(None, job, outcome, duration, error_class)

    async def _emit_finished(
        self,
        connection: Connection | None,
        job: Job,
        outcome: JobOutcome,
        duration: float | None,
        error_class: str | None,
    ) -> None:
        schedule = self._schedules.get(job.task_name)
        await events.job_finished(
            connection,
            id=present(job.id),
            name=job.task_name,
            schedule=schedule and schedule.cron,
            next_run_at=schedule and schedule.next_run().isoformat().replace("+00:00", "Z"),
            outcome=outcome,
            duration=duration,
            attempt=job.attempts + 1,
            error_type=error_class,
        )


def _trace_id() -> str | None:
    """Return the trace that this execution runs in; ``None`` without telemetry."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _outcome(error: BaseException, context: JobContext) -> JobOutcome:
    cancelled = isinstance(error, JobAborted | asyncio.CancelledError)
    if cancelled and context.abort_reason() is AbortReason.USER_REQUEST:
        return JobOutcome.ABORTED
    if context.task.get_retry_exception(exception=error, job=context.job):
        return JobOutcome.RETRIED
    return JobOutcome.ABORTED if isinstance(error, JobAborted) else JobOutcome.FAILED
