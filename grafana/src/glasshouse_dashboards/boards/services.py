"""Services: which ones send anything, and is one of them in trouble?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard, variable
from glasshouse_dashboards.objectives import WITHIN_S
from glasshouse_dashboards.panels import (
    HALF,
    Column,
    Thresholds,
    linked,
    log_rate,
    merged_table,
    row,
    span_rate,
    stat,
    table,
    time_series,
)
from glasshouse_dashboards.queries import services as q

_FAILED = Thresholds(0.001, 0.01)
_SLOW = Thresholds(0.8 * WITHIN_S["api-latency"], WITHIN_S["api-latency"])
_DETAIL = "/d/service?var-service=${__value.raw:percentencode}&${__url_time_range}"
_DETAIL_OF_LINE = "/d/service?var-service=${__field.displayName:percentencode}&${__url_time_range}"


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "services",
            "Which services send anything, and is one of them in trouble?",
            down=["service", "logs", "pipeline"],
            runbooks=["ErrorRateAboveBaseline"],
            starts=q.STARTS,
        )
        .with_variable(variable("tenant", q.TENANTS))
        .with_variable(variable("environment", q.ENVIRONMENTS))
        .with_variable(variable("service", q.SERVICES, ".+"))
        .with_row(row("Symptom: does each one answer?"))
        .with_panel(stat("Services", "That sent metrics in the chosen time.", "short", q.COUNT))
        .with_panel(
            stat(
                "Requests", "Answered a second, on average of the chosen time.", "reqps", q.REQUESTS
            )
        )
        .with_panel(
            stat(
                "Worst share of errors",
                "Of the service that fails most, in the chosen time.",
                "percentunit",
                q.FAILED,
                thresholds=_FAILED,
            )
        )
        .with_panel(
            stat(
                "Slowest, 95th percentile",
                "Of the service that takes longest, in the chosen time.",
                "s",
                q.SLOWEST,
                thresholds=_SLOW,
            )
        )
        .with_panel(
            merged_table(
                "Services that answer",
                "In the chosen time, over HTTP and RPC. A click on a name opens its details. What "
                "came before a process' first export is not counted.",
                {"service_name": "Service"},
                [
                    Column("Requests", q.RATE_NOW, "reqps"),
                    Column("Errors", q.FAILED_NOW, "percentunit", _FAILED),
                    Column("95th percentile", q.P95_NOW, "s", _SLOW),
                ],
                links={"Service": _DETAIL},
            )
        )
        .with_panel(
            linked(
                time_series("Rate", "Requests answered each second.", "reqps", q.RATES),
                "Details",
                _DETAIL_OF_LINE,
            )
        )
        .with_panel(
            linked(
                time_series(
                    "Errors",
                    "Share of requests answered with 5xx, or a status of RPC that is as bad.",
                    "percentunit",
                    q.ERRORS,
                    thresholds=_FAILED,
                ),
                "Details",
                _DETAIL_OF_LINE,
            )
        )
        .with_panel(
            linked(
                time_series(
                    "Duration, 95th percentile",
                    "Of all answers. A dot is one request: open its trace.",
                    "s",
                    q.DURATION,
                    thresholds=_SLOW,
                ),
                "Details",
                _DETAIL_OF_LINE,
            )
        )
        .with_row(row("Cause: who calls whom, and what takes long?"))
        .with_panel(
            merged_table(
                "Calls between services",
                "From spans, whatever the environment. Who sends no spans is called user.",
                {"client": "From", "server": "To", "connection_type": "Kind"},
                [
                    Column("Calls", q.CALLS["rate"], "reqps"),
                    Column("Errors", q.CALLS["failed"], "percentunit", _FAILED),
                    Column("95th percentile", q.CALLS["p95"], "s"),
                ],
                links={"From": _DETAIL, "To": _DETAIL},
            )
        )
        .with_panel(
            time_series(
                "Calls to peers, 95th percentile",
                "As the caller measures them.",
                "s",
                q.PEERS,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Database calls, 95th percentile",
                "As their clients measure them.",
                "s",
                q.DATABASES,
                span=HALF,
            )
        )
        .with_row(row("Detail: who sends what?"))
        .with_panel(
            linked(
                span_rate(
                    "Spans by service",
                    "Also of services without metrics. A click opens details.",
                    "ops",
                    q.SPANS,
                ),
                "Details",
                _DETAIL_OF_LINE,
            )
        )
        .with_panel(
            linked(
                log_rate(
                    "Lines by service",
                    "The 20 that log most, each second. A click opens details.",
                    "ops",
                    {"{{service_name}}": q.LINES},
                ),
                "Details",
                _DETAIL_OF_LINE,
            )
        )
        .with_panel(
            table(
                "Senders of metrics",
                "Each version of a service, and the SDK that it sends with.",
                "short",
                q.SENDERS,
                {
                    "service_name": "Service",
                    "service_version": "Version",
                    "deployment_environment_name": "Environment",
                    "telemetry_sdk_language": "SDK",
                    "telemetry_sdk_version": "of version",
                },
            )
        )
        .with_panel(
            table(
                "Old names",
                "Who sends calls in milliseconds, under names from before the stable conventions. "
                "They are shown, but without the labels that are new.",
                "short",
                q.OLD,
                {"service_name": "Service", "__name__": "Metric", "Value": "Series"},
            )
        )
    )
