"""Service detail: one service, whoever wrote it, from its requests to its log lines."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders.dashboard import Dashboard, TextBoxVariable
from grafana_foundation_sdk.models.common import VisibilityMode

from glasshouse_dashboards.layout import base_dashboard, choice, one_of, variable
from glasshouse_dashboards.objectives import WITHIN_S
from glasshouse_dashboards.panels import (
    HALF,
    QUARTER,
    Column,
    Thresholds,
    log_rate,
    logs,
    merged_table,
    row,
    span_rate,
    stat,
    time_series,
    traces,
)
from glasshouse_dashboards.queries import service as q
from glasshouse_dashboards.queries import services

_FAILED = Thresholds(0.001, 0.01)
_SLOW = Thresholds(0.8 * WITHIN_S["api-latency"], WITHIN_S["api-latency"])
_LEFT = Thresholds(0.5, 0.1, falling=True)
_OTHER = "/d/service?var-service=${__value.raw:percentencode}&${__url_time_range}"
_SIXTH = 4


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    made = (
        base_dashboard(
            "service",
            "Does this service answer, how fast, what does it wait for, and what does it say?",
            down=["services", "logs", "slos"],
            runbooks=["ErrorRateAboveBaseline"],
            starts=q.STARTS,
        )
        .with_variable(variable("tenant", services.TENANTS))
        .with_variable(variable("environment", services.ENVIRONMENTS))
        .with_variable(one_of("service", services.SERVICES, "backend-api"))
        .with_variable(variable("route", q.ROUTES))
        .with_variable(
            choice(
                "objective", "Without error, %", ["99", "99.5", "99.9", "99.95", "99.99"], "99.9"
            )
        )
        .with_variable(choice("fast", "Fast enough, %", ["90", "95", "99"], "95"))
        .with_variable(choice("limit", "Fast is, s", ["0.1", "0.25", "0.5", "1", "2.5"], "0.5"))
        .with_variable(TextBoxVariable("search").label("Text in lines").default_value(""))
    )
    return _detail(_cause(_symptom(made)))


def _symptom(board: Dashboard) -> Dashboard:
    return (
        board.with_row(row("Symptom: does it answer, fast, within its budget?"))
        .with_panel(
            stat(
                "Requests",
                "Answered in the chosen time, over HTTP and RPC. What came before a process' first "
                "export is not counted.",
                "short",
                q.REQUESTS,
                span=_SIXTH,
            )
        )
        .with_panel(
            stat(
                "Without server error",
                "Share of the requests. How much is wished for is chosen at the top.",
                "percentunit",
                q.AVAILABILITY,
                span=_SIXTH,
            )
        )
        .with_panel(
            stat(
                "Fast enough",
                "Share of the answers without server error that took at most as long as is chosen "
                "at the top; between two bounds of a histogram it is an estimate.",
                "percentunit",
                q.FAST,
                span=_SIXTH,
            )
        )
        .with_panel(
            stat(
                "95th percentile",
                "Of the duration, in the chosen time.",
                "s",
                q.P95,
                thresholds=_SLOW,
                span=_SIXTH,
            )
        )
        .with_panel(
            stat(
                "Budget left: errors",
                "Of what the objective allows in the chosen time. Below nothing it is broken.",
                "percentunit",
                q.BUDGET,
                thresholds=_LEFT,
                decimals=0,  # far below nothing it is a long number
                span=_SIXTH,
            )
        )
        .with_panel(
            stat(
                "Budget left: too slow",
                "Of what the objective allows in the chosen time. Below nothing it is broken.",
                "percentunit",
                q.FAST_BUDGET,
                thresholds=_LEFT,
                decimals=0,  # far below nothing it is a long number
                span=_SIXTH,
            )
        )
        .with_panel(
            time_series(
                "Rate by route",
                "Requests answered each second.",
                "reqps",
                q.RATES,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Server errors by route",
                "Share of requests answered with 5xx, or a status of RPC that is as bad.",
                "percentunit",
                q.ERRORS,
                thresholds=_FAILED,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Duration",
                "Of all answers. A dot is one request: open its trace.",
                "s",
                q.DURATION,
                thresholds=_SLOW,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Burn rate",
                "1 uses up the budget exactly; 14.4 of 30 days' budget pages somebody.",
                "short",
                q.BURN,
                thresholds=Thresholds(6, 14.4),
                span=QUARTER,
            )
        )
    )


def _cause(board: Dashboard) -> Dashboard:
    return (
        board.with_row(row("Cause: which route, which peer, the database?"))
        .with_panel(
            merged_table(
                "Routes",
                "In the chosen time. No route: what it answers has no name for that path.",
                {
                    "http_request_method": "Method",
                    "http_route": "Route",
                    "rpc_service": "RPC service",
                    "rpc_method": "RPC method",
                },
                [
                    Column("Requests", q.BY_ROUTE["rate"], "reqps"),
                    Column("Errors", q.BY_ROUTE["failed"], "percentunit", _FAILED),
                    Column("95th percentile", q.BY_ROUTE["p95"], "s", _SLOW),
                ],
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Duration by route, 95th percentile",
                "One slow route points at its own work, all of them at what they share.",
                "s",
                q.ROUTE_DURATION,
                thresholds=_SLOW,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "By status",
                "Answers by status code.",
                "reqps",
                q.STATUSES,
                stacked=True,
                span=QUARTER,
            )
        )
        .with_panel(
            merged_table(
                "Called by",
                "From spans, whatever the environment. Who sends no spans is called user.",
                {"client": "Service", "connection_type": "Kind"},
                _calls(q.CALLERS),
                links={"Service": _OTHER},
                span=HALF,
            )
        )
        .with_panel(
            merged_table(
                "Calls to",
                "From spans, whatever the environment: databases, and services that send spans.",
                {"server": "Service", "connection_type": "Kind"},
                _calls(q.CALLED),
                links={"Service": _OTHER},
                span=HALF,
            )
        )
        .with_panel(
            time_series("Calls by peer", "Requests that it sends, each second.", "reqps", q.PEERS)
        )
        .with_panel(
            time_series(
                "Failed calls by peer",
                "Share without an answer, or answered with 4xx or 5xx.",
                "percentunit",
                q.PEER_ERRORS,
                thresholds=_FAILED,
            )
        )
        .with_panel(
            time_series(
                "Duration by peer, 95th percentile",
                "As this service measures it.",
                "s",
                q.PEER_DURATION,
            )
        )
        .with_panel(
            time_series(
                "Database calls",
                "By system and operation, each second.",
                "ops",
                q.STATEMENTS,
            )
        )
        .with_panel(
            time_series(
                "Database errors",
                "Calls that failed, by their reason, each second.",
                "ops",
                q.STATEMENT_ERRORS,
            )
        )
        .with_panel(
            time_series(
                "Database duration, 95th percentile",
                "As this service measures it.",
                "s",
                q.STATEMENT_DURATION,
            )
        )
    )


def _calls(queries: Mapping[str, str]) -> list[Column]:
    return [
        Column("Calls", queries["rate"], "reqps"),
        Column("Errors", queries["failed"], "percentunit", _FAILED),
        Column("95th percentile", queries["p95"], "s"),
    ]


def _detail(board: Dashboard) -> Dashboard:
    return (
        board.with_row(row("Detail: runtime, traces, lines"))
        .with_panel(
            time_series(
                "Processor",
                "In cores, of all its processes; of an event loop the share that it is busy.",
                "short",
                q.CPU,
            )
        )
        .with_panel(time_series("Memory", "Of all its processes.", "bytes", q.MEMORY))
        .with_panel(
            time_series(
                "Threads and files",
                "Of all its processes.",
                "short",
                q.THREADS,
            )
        )
        .with_panel(
            time_series(
                "Garbage collections",
                "Each second, by kind.",
                "ops",
                q.COLLECTIONS,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Pauses",
                "95th percentile of collections; of an event loop the 99th of its delay.",
                "s",
                q.PAUSES,
                span=HALF,
            )
        )
        .with_panel(
            span_rate(
                "Spans answered",
                "Requests and messages, by name. Also without metrics, but only those sampled.",
                "reqps",
                q.SPANS,
                span=QUARTER,
            )
        )
        .with_panel(
            span_rate(
                "Calls in spans",
                "By address that is called, databases included.",
                "reqps",
                q.SPANS_OUT,
                span=QUARTER,
            )
        )
        .with_panel(
            span_rate(
                "Failed spans",
                "By name, each second.",
                "reqps",
                q.FAILED_SPANS,
                span=QUARTER,
            )
        )
        .with_panel(
            span_rate(
                "Duration of spans answered",
                "Median and 95th percentile, to the next power of two.",
                "s",
                q.SPANS_DURATION,
                span=QUARTER,
            ).show_points(VisibilityMode.ALWAYS)  # where spans are few no two are neighbours
        )
        .with_panel(
            traces("Failed traces", "With a span of this service that failed.", q.FAILED_TRACES)
        )
        .with_panel(
            traces(
                "Slow traces",
                "With a request to this service over the limit that is chosen at the top.",
                q.SLOW_TRACES,
            )
        )
        .with_panel(
            log_rate(
                "Lines by severity",
                "Errors and warnings should be few, and alike over time.",
                "short",
                q.SEVERITIES,
            )
        )
        .with_panel(
            logs(
                "Errors and warnings",
                "Severity WARN and worse. Open one, follow its trace.",
                q.ERROR_LINES,
                span=HALF,
            )
        )
        .with_panel(logs("Lines", "All, or those with the text at the top.", q.ALL_LINES))
    )
