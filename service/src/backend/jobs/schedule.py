"""Jobs that run by the clock: their cron expressions, in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from croniter import croniter


@dataclass(frozen=True)
class Schedule:
    """One cron expression of five fields."""

    cron: str

    def next_run(self, after: datetime | None = None) -> datetime:
        """Return the first time after ``after``, by default from now on."""
        start = after or datetime.now(UTC)
        return cast(datetime, croniter(self.cron, start).get_next(datetime))

    @property
    def interval(self) -> float:
        """Seconds between the next two runs."""
        first = self.next_run()
        return (self.next_run(first) - first).total_seconds()


Schedules = Mapping[str, Schedule]
