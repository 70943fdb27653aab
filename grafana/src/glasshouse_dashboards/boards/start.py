"""Is everything healthy? Traffic, errors, latency, saturation, budgets, and what fires."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.objectives import WITHIN, WITHIN_S
from glasshouse_dashboards.panels import (
    HALF,
    QUARTER,
    Thresholds,
    bar_gauge,
    row,
    stat,
    table,
    time_series,
)
from glasshouse_dashboards.queries import start as q

_PROMISED = "api-latency"


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "start",
            "Is everything healthy? If not, where to look next.",
            down=[
                "slos",
                "services",
                "api",
                "payments",
                "automation",
                "notifications",
                "jobs",
                "pipeline",
            ],
            runbooks=["ApiDown", "BackendSilent", "HealthCheckFailing", "ErrorRateAboveBaseline"],
        )
        .with_row(row("Symptom: are users affected?"))
        .with_panel(
            stat(
                "Firing alerts",
                "Alerts that fire now, Watchdog left out.",
                "short",
                q.FIRING_COUNT,
                thresholds=Thresholds(1, 3),
            )
        )
        .with_panel(
            stat(
                "Least budget left",
                "Of all objectives, the least of the 30 days' error budget that is left.",
                "percentunit",
                q.WORST_BUDGET,
                thresholds=Thresholds(0.5, 0.1, falling=True),
            )
        )
        .with_panel(
            stat(
                "Worker heartbeat",
                "Age of the freshest heartbeat. At 30 s no worker is alive.",
                "s",
                q.HEARTBEAT,
                thresholds=Thresholds(15, 30),
            )
        )
        .with_panel(
            stat(
                "Requests",
                "Requests that the API answered in the chosen time, probes left out.",
                "short",
                q.REQUESTS,
            )
        )
        .with_panel(
            bar_gauge(
                "Error budget left",
                "What is left of each objective's budget of 30 days. Under 10 % stop taking risks.",
                "percentunit",
                q.BUDGETS,
                legend="{{slo}}",
                thresholds=Thresholds(0.5, 0.1, falling=True),
                max_value=1,
                span=HALF,
            )
        )
        .with_panel(
            table(
                "Firing now",
                "Every alert that fires. Watchdog always does: it proves delivery.",
                "short",
                q.FIRING,
                {"alertname": "Alert", "severity": "Severity", "area": "Area"},
            )
        )
        .with_row(row("Cause: the four golden signals"))
        .with_panel(
            time_series(
                "Traffic",
                "Requests that the API answers. A sudden fall matters as much as a rise.",
                "reqps",
                q.TRAFFIC,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Errors",
                "Share of requests answered with a server error, and of jobs that failed.",
                "percentunit",
                q.ERRORS,
                thresholds=Thresholds(0.001, 0.01),
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Latency, 95th percentile",
                "Of requests and of job executions. "
                f"{WITHIN[_PROMISED]} is promised for requests only.",
                "s",
                q.LATENCY,
                thresholds=Thresholds(0.8 * WITHIN_S[_PROMISED], WITHIN_S[_PROMISED]),
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Saturation: oldest waiting job",
                "How long due jobs wait for a worker. 300 s pages somebody.",
                "s",
                q.SATURATION,
                thresholds=Thresholds(60, 300),
                span=QUARTER,
            )
        )
        .with_row(row("Detail: what the backend does"))
        .with_panel(
            time_series(
                "Done",
                "Payments confirmed, runs completed and notifications delivered.",
                "ops",
                q.FLOWS,
            )
        )
        .with_panel(
            time_series(
                "Failed",
                "Payments, runs and notifications that ended badly. Should be flat.",
                "ops",
                q.FAILURES,
            )
        )
        .with_panel(
            bar_gauge(
                "Health checks",
                "1 is healthy, 0 fails. 2 minutes of 0 page somebody, 1 minute of the API's.",
                "short",
                q.HEALTH,
                legend="{{check}}",
                thresholds=Thresholds(1, 1, falling=True),
                max_value=1,
            )
        )
    )
