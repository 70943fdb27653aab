"""The four golden signals of everything, budgets, and what fires."""

from typing import Final

from glasshouse_dashboards.queries.shared import API, HEARTBEAT_AGE, RANGE, RATE, quantile, share

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

TRAFFIC: Final = {
    "requests": f"sum(rate(http_server_request_duration_seconds_count{{{API}}}{RATE}))"
}
ERRORS: Final = {
    "requests": share(
        "sum(rate(http_server_request_duration_seconds_count"
        f'{{{API},http_response_status_code=~"5.."}}{RATE}))',
        f"sum(rate(http_server_request_duration_seconds_count{{{API}}}{RATE}))",
    ),
    "jobs": share(
        f'sum(rate(jobs_total{{outcome=~"failed|aborted"}}{RATE}))', f"sum(rate(jobs_total{RATE}))"
    ),
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
    "payments confirmed": f'sum(rate(payments_total{{state="confirmed"}}{RATE}))',
    "runs completed": f'sum(rate(automation_runs_total{{state="completed"}}{RATE}))',
    "notifications delivered": f'sum(rate(notifications_total{{status="delivered"}}{RATE}))',
}
FAILURES: Final = {
    "payments": f'sum(rate(payments_total{{state="failed"}}{RATE}))',
    "runs": f'sum(rate(automation_runs_total{{state="failed"}}{RATE}))',
    "notifications": f'sum(rate(notifications_total{{status="failed"}}{RATE}))',
}
REQUESTS: Final = f"sum(increase(http_server_request_duration_seconds_count{{{API}}}{RANGE}))"
