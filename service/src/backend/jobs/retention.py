"""Forgets what the job queue, its history and the outbox need no more."""

import logging
from typing import Final

import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation

from backend.platform.database import Pool, single_statement
from backend.platform.queries import query

INTERVAL_S: Final = 60.0
# Rows that one statement reads: it holds its locks for far less than a second.
BATCH: Final = 2_000

_logger = logging.getLogger(__name__)


class Retention:
    """Deletes jobs and runs that ended over ``days`` days ago, and events that nobody took since.

    Any number of workers may.
    """

    def __init__(self, pool: Pool, days: int, batch: int = BATCH) -> None:
        self._pool = pool
        self._days = days
        self._batch = batch

    async def apply(self) -> None:
        """Delete what is due. An unavailable database is logged, not raised."""
        try:
            # Housekeeping: no spans of it.
            with suppress_instrumentation():
                for name in ("forget_jobs", "forget_job_runs", "forget_events"):
                    while await self._delete(name):
                        pass
        except psycopg.Error as error:
            _logger.warning(
                "Old jobs could not be deleted", extra={"error.type": type(error).__qualname__}
            )

    async def _delete(self, name: str) -> int:
        async with single_statement(self._pool) as connection:
            parameters = {"days": self._days, "limit": self._batch}
            return (await connection.execute(query(name), parameters)).rowcount
