"""Notifications, by the variable `channel`."""

from typing import Final

from glasshouse_dashboards.objectives import SELECTORS
from glasshouse_dashboards.queries.shared import increase, quantiles, rate, share

_CHOSEN: Final = 'channel=~"$channel"'
_ENDED: Final = SELECTORS["notifications_ended"]
CHANNELS: Final = "label_values(notifications_total, channel)"


def _count_in_status(status: str) -> str:
    return increase("notifications_total", f'status="{status}",{_CHOSEN}')


QUEUED: Final = _count_in_status("queued")
DELIVERED: Final = _count_in_status("delivered")
FAILED: Final = _count_in_status("failed")
DELIVERED_SHARE: Final = (
    increase("notifications_total", f'status="delivered",{_CHOSEN}')
    + f" / ({increase('notifications_total', f'{_ENDED},{_CHOSEN}')} > 0)"
)
STATUSES: Final = {"{{status}}": rate("notifications_total", _CHOSEN, "status")}
BY_CHANNEL: Final = {
    "{{channel}}": rate("notifications_total", f'status="delivered",{_CHOSEN}', "channel")
}
FAILED_BY_CHANNEL: Final = {
    "{{channel}}": share(
        rate("notifications_total", f'status="failed",{_CHOSEN}', "channel"),
        rate("notifications_total", f"{_ENDED},{_CHOSEN}", "channel"),
    )
}
JOBS: Final = {"{{outcome}}": rate("jobs_total", 'job_name="deliver_notification"', "outcome")}
JOB_DURATION: Final = quantiles("job_duration_seconds", 'job_name="deliver_notification"')
WAITING: Final = {
    "{{job_name}}": "max by (job_name) "
    '(jobs_oldest_pending_age_seconds{job_name="deliver_notification"})'
}
EVENTS: Final = '{service_name=~"backend-.+"} | event=~`notification\\..+`'
