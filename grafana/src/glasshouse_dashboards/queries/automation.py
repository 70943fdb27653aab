"""Automation runs, by the variable `strategy`."""

from typing import Final

from glasshouse_dashboards.queries.shared import increase, quantile, quantiles, rate

_CHOSEN: Final = 'strategy=~"$strategy"'
_JOBS: Final = 'job_name=~"run_automation|run_scheduled_automation"'
STRATEGIES: Final = "label_values(automation_runs_total, strategy)"


def _count_in_state(state: str) -> str:
    return increase("automation_runs_total", f'state="{state}",{_CHOSEN}')


REQUESTED: Final = _count_in_state("requested")
COMPLETED: Final = _count_in_state("completed")
FAILED: Final = _count_in_state("failed")
WITHIN_SLA: Final = (
    increase("automation_runs_sla_total", f'within_sla="true",{_CHOSEN}')
    + f" / ({increase('automation_runs_sla_total', _CHOSEN)} > 0)"
)
STATES: Final = {"{{state}}": rate("automation_runs_total", _CHOSEN, "state")}
DURATION: Final = quantiles("automation_run_duration_seconds", _CHOSEN)
FAILED_BY_STRATEGY: Final = {
    "{{strategy}}": rate("automation_runs_total", f'state="failed",{_CHOSEN}', "strategy")
}
AGE: Final = {"{{job_name}}": f"max by (job_name) (jobs_oldest_pending_age_seconds{{{_JOBS}}})"}
JOBS: Final = {"{{job_name}} {{outcome}}": rate("jobs_total", _JOBS, "job_name, outcome")}
BY_STRATEGY: Final = f"{increase('automation_runs_total', _CHOSEN, 'strategy, state')} > 0"
DURATION_BY_STRATEGY: Final = {
    "{{strategy}}": quantile(95, "automation_run_duration_seconds", _CHOSEN, by="strategy")
}
EVENTS: Final = '{service_name=~"backend-.+"} | event=~`automation\\..+`'
