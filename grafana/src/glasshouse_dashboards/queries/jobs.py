"""Jobs and workers, by the variable `job`."""

from typing import Final

from glasshouse_dashboards.queries.shared import RANGE, RATE, quantile

_CHOSEN: Final = 'job=~"$job"'
NAMES: Final = "label_values(jobs_total, job)"

HEARTBEAT: Final = "min(worker_heartbeat_age_seconds)"
BACKLOG_NOW: Final = f"sum(max by (job) (jobs_backlog{{{_CHOSEN}}}))"
OLDEST_NOW: Final = f"max(jobs_oldest_pending_age_seconds{{{_CHOSEN}}})"
FAILED: Final = f'sum(increase(jobs_total{{outcome=~"failed|aborted",{_CHOSEN}}}{RANGE}))'
OUTCOMES: Final = {"{{outcome}}": f"sum by (outcome) (rate(jobs_total{{{_CHOSEN}}}{RATE}))"}
AGE: Final = {"{{job}}": f"max by (job) (jobs_oldest_pending_age_seconds{{{_CHOSEN}}})"}
BACKLOG: Final = {"{{job}}": f"max by (job) (jobs_backlog{{{_CHOSEN}}})"}
RETRIES: Final = {
    "{{job}} {{outcome}}": (
        "sum by (job, outcome) "
        f'(rate(jobs_total{{outcome=~"retried|failed|aborted",{_CHOSEN}}}{RATE}))'
    )
}
DURATION: Final = {"{{job}}": quantile(95, "job_duration_seconds", _CHOSEN, by="job")}
BY_JOB: Final = {"{{job}}": f"sum by (job) (rate(jobs_total{{{_CHOSEN}}}{RATE}))"}
LAST_SUCCESS: Final = f"time() - max by (job) (job_last_success_timestamp_seconds{{{_CHOSEN}}})"
SCHEDULED: Final = f"max by (job) (job_schedule_interval_seconds{{{_CHOSEN}}})"
HEARTBEATS: Final = {"{{instance}}": "max by (instance) (worker_heartbeat_age_seconds)"}
FINISHED: Final = '{service_name=~"backend-.+"} | event=`job.finished`'
