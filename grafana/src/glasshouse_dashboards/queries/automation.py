"""Automation runs, by the variable `strategy`."""

from typing import Final

from glasshouse_dashboards.queries.shared import RANGE, RATE, quantile, quantiles

_CHOSEN: Final = 'strategy=~"$strategy"'
_JOBS: Final = 'job_name=~"run_automation|run_scheduled_automation"'
STRATEGIES: Final = "label_values(automation_runs_total, strategy)"


def _count_in_state(state: str) -> str:
    return f'sum(increase(automation_runs_total{{state="{state}",{_CHOSEN}}}{RANGE}))'


REQUESTED: Final = _count_in_state("requested")
COMPLETED: Final = _count_in_state("completed")
FAILED: Final = _count_in_state("failed")
WITHIN_SLA: Final = (
    f'sum(increase(automation_runs_sla_total{{within_sla="true",{_CHOSEN}}}{RANGE})) / '
    f"(sum(increase(automation_runs_sla_total{{{_CHOSEN}}}{RANGE})) > 0)"
)
STATES: Final = {"{{state}}": f"sum by (state) (rate(automation_runs_total{{{_CHOSEN}}}{RATE}))"}
DURATION: Final = quantiles("automation_run_duration_seconds", _CHOSEN)
FAILED_BY_STRATEGY: Final = {
    "{{strategy}}": (
        f'sum by (strategy) (rate(automation_runs_total{{state="failed",{_CHOSEN}}}{RATE}))'
    )
}
AGE: Final = {"{{job_name}}": f"max by (job_name) (jobs_oldest_pending_age_seconds{{{_JOBS}}})"}
JOBS: Final = {
    "{{job_name}} {{outcome}}": f"sum by (job_name, outcome) (rate(jobs_total{{{_JOBS}}}{RATE}))"
}
BY_STRATEGY: Final = (
    f"sum by (strategy, state) (increase(automation_runs_total{{{_CHOSEN}}}{RANGE})) > 0"
)
DURATION_BY_STRATEGY: Final = {
    "{{strategy}}": quantile(95, "automation_run_duration_seconds", _CHOSEN, by="strategy")
}
EVENTS: Final = '{service_name=~"backend-.+"} | event=~`automation\\..+`'
