"""Jobs and workers, by the variable `job`."""

from typing import Final

from glasshouse_dashboards.queries.shared import HEARTBEAT_AGE, increase, quantile, rate

_CHOSEN: Final = 'job_name=~"$job"'
NAMES: Final = "label_values(jobs_total, job_name)"

HEARTBEAT: Final = f"min({HEARTBEAT_AGE})"
BACKLOG_NOW: Final = f"sum(max by (job_name) (jobs_backlog{{{_CHOSEN}}}))"
OLDEST_NOW: Final = f"max(jobs_oldest_pending_age_seconds{{{_CHOSEN}}})"
FAILED: Final = increase("jobs_total", f'outcome=~"failed|aborted",{_CHOSEN}')
OUTCOMES: Final = {"{{outcome}}": rate("jobs_total", _CHOSEN, "outcome")}
AGE: Final = {"{{job_name}}": f"max by (job_name) (jobs_oldest_pending_age_seconds{{{_CHOSEN}}})"}
BACKLOG: Final = {"{{job_name}}": f"max by (job_name) (jobs_backlog{{{_CHOSEN}}})"}
RETRIES: Final = {
    "{{job_name}} {{outcome}}": rate(
        "jobs_total", f'outcome=~"retried|failed|aborted",{_CHOSEN}', "job_name, outcome"
    )
}
DURATION: Final = {"{{job_name}}": quantile(95, "job_duration_seconds", _CHOSEN, by="job_name")}
BY_JOB: Final = {"{{job_name}}": rate("jobs_total", _CHOSEN, "job_name")}
LAST_SUCCESS: Final = (
    f"time() - max by (job_name) (job_last_success_timestamp_seconds{{{_CHOSEN}}})"
)
SCHEDULED: Final = f"max by (job_name) (job_schedule_interval_seconds{{{_CHOSEN}}})"
HEARTBEATS: Final = {"{{instance}}": f"max by (instance) ({HEARTBEAT_AGE})"}
EVENTS_WAITING: Final = {"waiting": "max(outbox_events)", "set aside": "max(outbox_set_aside)"}
EVENTS_AGE: Final = {"oldest": "max(outbox_oldest_age_seconds)"}
FINISHED: Final = '{service_name=~"backend-.+"} | event=`job.finished`'
