"""API: rate, errors and duration by route."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.objectives import WITHIN, WITHIN_S
from glasshouse_dashboards.panels import HALF, Thresholds, row, stat, table, time_series
from glasshouse_dashboards.queries import api as q

_PROMISED = "api-latency"
_SLOW = Thresholds(0.8 * WITHIN_S[_PROMISED], WITHIN_S[_PROMISED])


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "api",
            "Do requests succeed, how fast, and on which route do they not?",
            areas=["api", "health"],
            down=["postgres", "logs", "slos"],
            runbooks=[
                "ErrorRateAboveBaseline",
                "ApiAvailabilityBudgetBurn",
                "ApiLatencyBudgetBurn",
            ],
            variables={"route": q.ROUTES},
        )
        .with_row(row("Symptom: rate, errors, duration"))
        .with_panel(
            stat("Requests", "Answered in the chosen time, probes left out.", "short", q.REQUESTS)
        )
        .with_panel(
            stat(
                "Without server error",
                "99.9 % is promised.",
                "percentunit",
                q.AVAILABILITY,
                thresholds=Thresholds(0.9995, 0.999, falling=True),
            )
        )
        .with_panel(
            stat(
                f"Faster than {WITHIN[_PROMISED]}",
                "Share of the answers that are no server errors; 95 % is promised.",
                "percentunit",
                q.FAST,
                thresholds=Thresholds(0.97, 0.95, falling=True),
            )
        )
        .with_panel(
            stat("In flight", "Requests that are being answered now.", "short", q.IN_FLIGHT)
        )
        .with_panel(
            time_series("Rate by route", "Requests answered each second.", "reqps", q.RATE_BY_ROUTE)
        )
        .with_panel(
            time_series(
                "Server errors",
                "Share of requests answered with 5xx.",
                "percentunit",
                q.ERRORS,
                thresholds=Thresholds(0.001, 0.01),
            )
        )
        .with_panel(
            time_series(
                "Duration",
                "Of all answers. A dot is one request: open its trace.",
                "s",
                q.DURATION,
                thresholds=_SLOW,
            )
        )
        .with_row(row("Cause: which route, which answer, the database?"))
        .with_panel(
            time_series(
                "Duration by route, 95th percentile",
                "One slow route points at its own work, all of them at what they share.",
                "s",
                q.DURATION_BY_ROUTE,
                thresholds=_SLOW,
            )
        )
        .with_panel(
            time_series("By status", "Answers by status code.", "reqps", q.STATUS, stacked=True)
        )
        .with_panel(
            time_series(
                "Database, 95th percentile",
                "Duration of the API's statements, by their kind.",
                "s",
                q.DATABASE,
            )
        )
        .with_row(row("Detail: refusals and routes"))
        .with_panel(
            time_series(
                "Refused",
                "Requests answered with 4xx: a client's fault, or a contract that changed.",
                "reqps",
                q.REFUSED,
                span=HALF,
            )
        )
        .with_panel(
            table(
                "By route and status",
                "Requests in the chosen time. No route: nothing of ours has that path.",
                "short",
                q.BY_ROUTE,
                {
                    "http_request_method": "Method",
                    "http_route": "Route",
                    "http_response_status_code": "Status",
                    "Value": "Requests",
                },
            )
        )
    )
