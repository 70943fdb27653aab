"""The four golden signals of everything, budgets, and what fires."""

from typing import Final

from glasshouse_dashboards.queries.shared import API, HEARTBEAT_AGE, increase, quantile, rate, share

_COUNT: Final = "http_server_request_duration_seconds_count"
FIRING_COUNT: Final = 'count(ALERTS{alertstate="firing",alertname!="Watchdog"}) or vector(0)'
FIRING: Final = 'ALERTS{alertstate="firing"}'
WORST_BUDGET: Final = "min(slo:budget_remaining:ratio)"
HEALTH: Final = (
    "min by (check) (health_check_status) or "
    # As ApiDown sees it.
    'label_replace(max(probe_success{target="api"} and (time() - timestamp(probe_success)) < 90), '
    '"check", "api, from outside", "", "")'
)
HEARTBEAT: Final = f"min({HEARTBEAT_AGE})"

TRAFFIC: Final = {"requests": rate(_COUNT, API)}
ERRORS: Final = {
    "requests": share(
        rate(_COUNT, f'{API},http_response_status_code=~"5.."'),
        rate(_COUNT, API),
    ),
    "jobs": share(rate("jobs_total", 'outcome=~"failed|aborted"'), rate("jobs_total")),
}
LATENCY: Final = {
    "requests": quantile(95, "http_server_request_duration_seconds", API),
    "jobs": quantile(95, "job_duration_seconds", ""),
}
SATURATION: Final = {
    "{{job_name}}": "max by (job_name) (jobs_oldest_pending_age_seconds)",
}
BUDGETS: Final = "slo:budget_remaining:ratio"
FLOWS: Final = {
    "payments confirmed": rate("payments_total", 'state="confirmed"'),
    "runs completed": rate("automation_runs_total", 'state="completed"'),
    "notifications delivered": rate("notifications_total", 'status="delivered"'),
}
FAILURES: Final = {
    "payments": rate("payments_total", 'state="failed"'),
    "runs": rate("automation_runs_total", 'state="failed"'),
    "notifications": rate("notifications_total", 'status="failed"'),
}
REQUESTS: Final = increase(_COUNT, API)
