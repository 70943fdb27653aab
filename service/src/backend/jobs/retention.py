"""Forgets what is older than it may be: each table by a setting of its own."""

import logging
from collections.abc import Mapping
from typing import Final

import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation

from backend.platform.database import Pool, single_statement
from backend.platform.queries import query
from backend.platform.settings import RetentionSettings

INTERVAL_S: Final = 60.0
# Rows that one statement reads: it holds its locks for far less than a second.
BATCH: Final = 2_000

_logger = logging.getLogger(__name__)


def statements(settings: RetentionSettings) -> dict[str, int]:
    """Return the statements that delete, each with the days that a row is kept."""
    return {
        "forget_jobs": settings.job_retention_days,
        "forget_job_runs": settings.job_retention_days,
        "forget_events": settings.outbox_retention_days,
        "forget_notifications": settings.notification_retention_days,
        "forget_automation": settings.automation_retention_days,
        # After the runs, whose sessions they are.
        "forget_sessions": settings.automation_retention_days,
        "forget_payments": settings.payment_retention_days,
        "forget_contacts": settings.contact_retention_days,
    }


class Retention:
    """Deletes rows that ended over so many days ago; ``days`` by the name of the statement.

    Any number of workers may.
    """

    def __init__(self, pool: Pool, days: Mapping[str, int], batch: int = BATCH) -> None:
        self._pool = pool
        self._days = days
        self._batch = batch

    async def apply(self) -> None:
        """Delete what is due. An unavailable database is logged, not raised."""
        try:
            # Housekeeping: no spans of it.
            with suppress_instrumentation():
                for name, days in self._days.items():
                    while await self._delete(name, days):
                        pass
        except psycopg.Error as error:
            _logger.warning(
                "Old rows could not be deleted", extra={"error.type": type(error).__qualname__}
            )

    async def _delete(self, name: str, days: int) -> int:
        async with single_statement(self._pool) as connection:
            parameters = {"days": days, "limit": self._batch}
            return (await connection.execute(query(name), parameters)).rowcount
