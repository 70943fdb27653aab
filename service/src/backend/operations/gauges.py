"""Gauges of the job queue and the outbox, read with SQL.

A callback of the metrics SDK must not block, so it only reports what `refresh` last read.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from backend.jobs.schedule import Schedules
from backend.platform.database import Pool
from backend.platform.queries import query

REFRESH_INTERVAL_S: Final = 5.0

_logger = logging.getLogger(__name__)


class JobGauges:
    """``jobs.backlog``, ``jobs.oldest_pending_age``, ``job.last_success_timestamp`` (each by
    ``job_name``), ``job.schedule_interval`` (by scheduled job) and ``worker.heartbeat_age``, the
    freshest of all workers. They are reported where no job runs, so that they outlive the workers.

    While the database cannot be read nothing is reported: an old value would look like news.
    """

    def __init__(self, pool: Pool, jobs: Iterable[str], schedules: Schedules) -> None:
        self._pool = pool
        self._jobs = list(jobs)
        self._schedules = schedules
        self.rows: list[Mapping[str, Any]] = []

    def register(self, meter: Meter) -> None:
        """Create the instruments."""
        meter.create_observable_gauge(
            "jobs.backlog",
            [self._of_each_job("backlog")],
            unit="{job}",
            description="Jobs that are due and wait for a worker",
        )
        meter.create_observable_gauge(
            "jobs.oldest_pending_age",
            [self._of_each_job("oldest_pending_age")],
            unit="s",
            description="How long the oldest waiting job has been due; 0 when none waits",
        )
        meter.create_observable_gauge(
            "job.last_success_timestamp",
            [self._of_each_job("last_success")],
            unit="s",
            description="Unix time of the last run that succeeded",
        )
        meter.create_observable_gauge(
            "job.schedule_interval",
            [self._intervals],
            unit="s",
            description="Time between two runs of a scheduled job",
        )
        meter.create_observable_gauge(
            "worker.heartbeat_age",
            [self._heartbeat_age],
            unit="s",
            description="Time since the freshest heartbeat of any worker",
        )

    async def refresh(self) -> None:
        """Read the values, once. An unavailable database is logged, not raised."""
        try:
            # Housekeeping: no spans of it.
            with suppress_instrumentation():
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(query("job_gauges"), {"jobs": self._jobs})
                    self.rows = list(await cursor.fetchall())
        except psycopg.Error as error:
            self.rows = []
            _logger.warning(
                "Job gauges could not be read", extra={"error.type": type(error).__qualname__}
            )

    def _of_each_job(self, column: str) -> Any:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(row[column], {"job_name": row["job"]})
                for row in self.rows
                if row[column] is not None
            ]

        return observe

    def _intervals(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(schedule.interval, {"job_name": job})
            for job, schedule in self._schedules.items()
        ]

    def _heartbeat_age(self, _: CallbackOptions) -> Iterable[Observation]:
        ages = [row["heartbeat_age"] for row in self.rows[:1]]
        return [Observation(age) for age in ages if age is not None]


class OutboxGauges:
    """``outbox.events``, ``outbox.oldest_age`` and ``outbox.set_aside``: events that wait to be
    sent, how long the oldest of them has, and those that the Collector refused for good.

    They are reported where nothing is sent, so that they outlive the workers; and not at all while
    the database cannot be read.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.row: Mapping[str, Any] = {}

    def register(self, meter: Meter) -> None:
        """Create the instruments."""
        meter.create_observable_gauge(
            "outbox.events",
            [self._of("waiting")],
            unit="{event}",
            description="Events in the database that the Collector has not acknowledged",
        )
        meter.create_observable_gauge(
            "outbox.oldest_age",
            [self._of("oldest_age")],
            unit="s",
            description="How long the oldest of them has waited; 0 when none waits",
        )
        meter.create_observable_gauge(
            "outbox.set_aside",
            [self._of("set_aside")],
            unit="{event}",
            description="Events that the Collector refused, again and again",
        )

    async def refresh(self) -> None:
        """Read the values, once. An unavailable database is logged, not raised."""
        try:
            # Housekeeping: no spans of it.
            with suppress_instrumentation():
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(query("outbox_gauges"))
                    self.row = await cursor.fetchone() or {}
        except psycopg.Error as error:
            self.row = {}
            _logger.warning(
                "Outbox gauges could not be read", extra={"error.type": type(error).__qualname__}
            )

    def _of(self, column: str) -> Any:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(self.row[column])] if self.row else []

        return observe
