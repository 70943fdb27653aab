"""Notifications, by the variable `channel`."""

from typing import Final

from glasshouse_dashboards.objectives import SELECTORS
from glasshouse_dashboards.queries.shared import RANGE, RATE, quantiles, share

_CHOSEN: Final = 'channel=~"$channel"'
_ENDED: Final = SELECTORS["notifications_ended"]
CHANNELS: Final = "label_values(notifications_total, channel)"


def _count_in_status(status: str) -> str:
    return f'sum(increase(notifications_total{{status="{status}",{_CHOSEN}}}{RANGE}))'


QUEUED: Final = _count_in_status("queued")
DELIVERED: Final = _count_in_status("delivered")
FAILED: Final = _count_in_status("failed")
DELIVERED_SHARE: Final = (
    f'sum(increase(notifications_total{{status="delivered",{_CHOSEN}}}{RANGE})) / '
    f"(sum(increase(notifications_total{{{_ENDED},{_CHOSEN}}}{RANGE})) > 0)"
)
STATUSES: Final = {"{{status}}": f"sum by (status) (rate(notifications_total{{{_CHOSEN}}}{RATE}))"}
BY_CHANNEL: Final = {
    "{{channel}}": (
        f'sum by (channel) (rate(notifications_total{{status="delivered",{_CHOSEN}}}{RATE}))'
    )
}
FAILED_BY_CHANNEL: Final = {
    "{{channel}}": share(
        f'sum by (channel) (rate(notifications_total{{status="failed",{_CHOSEN}}}{RATE}))',
        f"sum by (channel) (rate(notifications_total{{{_ENDED},{_CHOSEN}}}{RATE}))",
    )
}
JOBS: Final = {
    "{{outcome}}": f'sum by (outcome) (rate(jobs_total{{job_name="deliver_notification"}}{RATE}))'
}
JOB_DURATION: Final = quantiles("job_duration_seconds", 'job_name="deliver_notification"')
WAITING: Final = {
    "{{job_name}}": "max by (job_name) "
    '(jobs_oldest_pending_age_seconds{job_name="deliver_notification"})'
}
EVENTS: Final = '{service_name=~"backend-.+"} | event=~`notification\\..+`'
