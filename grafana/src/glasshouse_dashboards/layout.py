"""What every dashboard has beside its panels: question, links, marks, variables, defaults."""

from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from glasshouse_dashboards.panels import annotation, link
from glasshouse_dashboards.queries import history

# Titles by uid: the uid is the file's name and what links name.
TITLES: Final = {
    "start": "Start here",
    "api": "API",
    "payments": "Payments",
    "automation": "Automation",
    "notifications": "Notifications",
    "jobs": "Jobs and workers",
    "slos": "SLOs",
    "logs": "Logs and errors",
    "pipeline": "Telemetry pipeline",
    "collectors": "Collectors",
    "postgres": "Postgres",
    "services": "Services",
    "service": "Service detail",
}
# Where people's browsers reach Prometheus, which serves the runbooks, too. A variable of each
# dashboard, because a dashboard cannot read PROMETHEUS_PORT.
PROMETHEUS_URL: Final = "http://127.0.0.1:9090"
_DEPLOYS: Final = """\
max by (service_name, service_version) (
  target_info{%s} unless target_info offset 1m
)"""


def base_dashboard(
    uid: str,
    question: str,
    *,
    areas: Sequence[str] = (),
    down: Sequence[str],
    runbooks: Sequence[str],
    variables: Mapping[str, str] | None = None,
    all_value: str = ".*",
    starts: str = 'service_name=~"backend-.+"',
    counts: bool = True,
) -> dashboards.Dashboard:
    """Return a dashboard without panels.

    ``areas`` are those of the alerts marked on it, all if none. ``down`` are the dashboards to
    open next, ``runbooks`` the alerts whose pages help. ``variables`` maps a name to the
    label_values() query that fills it; ``all_value`` is the pattern that stands for all of them.
    ``starts`` selects the services whose starts are marked. ``counts``: whether panels read
    counters, of which what is recorded is read over days.
    """
    chosen = f',area=~"{"|".join(areas)}"' if areas else ""
    firing = f'ALERTS{{alertstate="firing",alertname!="Watchdog"{chosen}}}'
    made = (
        dashboards.Dashboard(TITLES[uid])
        .uid(uid)
        .description(question)
        .tags(["glasshouse"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .annotation(
            annotation(
                "Alerts",
                "red",
                firing,
                "{{alertname}}",
                ["severity", "area", "slo", "job_name", "job"],
            )
        )
        .annotation(
            annotation("Starts", "blue", _DEPLOYS % starts, "{{service_name}} {{service_version}}")
        )
        .with_variable(
            dashboards.ConstantVariable("prometheus")
            .label("Prometheus in your browser")
            .value(PROMETHEUS_URL)
        )
    )
    if counts:
        made = made.with_variable(_resolution())
    for name, query in (variables or {}).items():
        made = made.with_variable(variable(name, query, all_value))
    for target in down:
        made = made.link(link(TITLES[target], f"/d/{target}", "The next dashboard"))
    for alert in runbooks:
        made = made.link(
            link(f"Runbook: {alert}", f"${{prometheus}}/user/{alert}.md", "What to do")
        )
    return made


def variable(name: str, query: str, all_value: str = ".*") -> dashboards.QueryVariable:
    """Return a variable that stands for some or all of what a label_values() query returns."""
    # A pattern and not the list of values: it also matches series without that label.
    return (
        _query_variable(name, query)
        .multi(True)
        .include_all(True)
        .all_value(all_value)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def one_of(name: str, query: str, first: str) -> dashboards.QueryVariable:
    """Return a variable that stands for one value; another than the query returns can be typed.

    ``first`` is chosen until somebody chooses; where it does not exist, Grafana takes another.
    """
    return (
        _query_variable(name, query)
        .allow_custom_value(True)
        .current(VariableOption(selected=True, text=first, value=first))
    )


def _resolution() -> dashboards.QueryVariable:
    """Return the hidden variable of `queries/history.py`, which follows from the chosen time."""
    asked = history.asked()
    return (
        _query_variable(history.VARIABLE, asked)
        .regex(f'/{history.VARIABLE}="([^"]+)"/')
        .current(VariableOption(selected=True, text=history.SAMPLES, value=history.SAMPLES))
        .hide(VariableHide.HIDE_VARIABLE)
    )


def _query_variable(name: str, query: str) -> dashboards.QueryVariable:
    return (
        dashboards.QueryVariable(name)
        .label(name.capitalize())
        .datasource(DataSourceRef(type_val="prometheus", uid="prometheus"))
        .query({"query": query, "refId": name})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .hide(VariableHide.DONT_HIDE)
    )


def choice(name: str, label: str, values: Sequence[str], first: str) -> dashboards.CustomVariable:
    """Return a variable with fixed ``values``; another number can be typed."""
    return (
        dashboards.CustomVariable(name)
        .label(label)
        .values(",".join(values))
        .allow_custom_value(True)
        .options(
            [VariableOption(selected=value == first, text=value, value=value) for value in values]
        )
        .current(VariableOption(selected=True, text=first, value=first))
    )
