"""How the jobs and workers are, read with SQL in one go."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backend.jobs.schedule import Schedule, Schedules
from backend.platform.database import Pool
from backend.platform.queries import query

# A worker's heartbeat is due every 5 seconds.
MAX_WORKERS: Final = 100
# Past twice the interval of its schedule: the limit of the alert JobOverdue.
OVERDUE_AFTER_S: Final = 60


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """One job. Counts are of now, ``failed`` of the last 24 hours; ``oldest_pending_age`` is in
    seconds and 0 when nothing waits. ``next_run`` is of the schedule, else of a retry. A scheduled
    job is ``overdue`` as the alert JobOverdue says. ``last_failure`` is when a run last failed for
    good; its trace has 32 hexadecimal digits."""

    job: str
    schedule: str | None
    next_run: datetime | None
    last_success: datetime | None
    last_finished: datetime | None
    last_outcome: str | None
    last_error: str | None
    running: int
    pending: int
    failed: int
    oldest_pending_age: float
    overdue: bool
    last_failure: datetime | None
    last_failure_error: str | None
    last_failure_trace: str | None


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """One worker process. ``heartbeat_age`` is in seconds."""

    worker: str
    state: str
    started: datetime
    heartbeat_age: float


async def read_jobs(pool: Pool, schedules: Schedules, jobs: Collection[str]) -> list[JobStatus]:
    """Return each of ``jobs``, in that order."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("job_status"), {"jobs": list(jobs)})
        rows = {row["job"]: row for row in await cursor.fetchall()}
    return [_job(rows[name], schedules) for name in jobs]


def _job(row: Mapping[str, Any], schedules: Schedules) -> JobStatus:
    schedule = schedules.get(row["job"])
    return JobStatus(
        job=row["job"],
        schedule=schedule.cron if schedule else None,
        next_run=schedule.next_run() if schedule else row["next_attempt"],
        last_success=row["last_success"],
        last_finished=row["last_finished"],
        last_outcome=row["last_outcome"],
        last_error=row["last_error"],
        running=row["running"],
        pending=row["pending"],
        failed=row["failed"],
        oldest_pending_age=round(row["oldest_pending_age"], 3),
        overdue=schedule is not None and is_overdue(schedule, row["last_success"]),
        last_failure=row["last_failure"],
        last_failure_error=row["last_failure_error"],
        last_failure_trace=row["last_failure_trace"],
    )


def is_overdue(schedule: Schedule, last_success: datetime | None) -> bool:
    """Return whether a job succeeded too long ago. One that never did may just not be due yet."""
    if last_success is None:
        return False
    allowed = timedelta(seconds=2 * schedule.interval + OVERDUE_AFTER_S)
    return datetime.now(UTC) - last_success > allowed


async def read_workers(pool: Pool, max_age: float) -> list[WorkerStatus]:
    """Return the workers of the last day, the freshest first.

    One whose heartbeat is older than ``max_age`` seconds is lost, unless it said that it stops.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(query("worker_status"), {"limit": MAX_WORKERS})
        rows = await cursor.fetchall()
    return [_worker(row, max_age) for row in rows]


def _worker(row: Mapping[str, Any], max_age: float) -> WorkerStatus:
    age: float = row["heartbeat_age"]
    state = "stopped" if row["stopped"] else "alive" if age <= max_age else "lost"
    return WorkerStatus(
        worker=row["worker"], state=state, started=row["started_at"], heartbeat_age=round(age, 3)
    )
