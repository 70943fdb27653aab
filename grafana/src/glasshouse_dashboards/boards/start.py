"""Is everything well? Traffic, errors, latency, saturation, budgets, and what fires."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.frame import frame
from glasshouse_dashboards.looks import HALF, QUARTER, Limits, bars, lines, number, row, rows
from glasshouse_dashboards.objectives import WITHIN, WITHIN_S
from glasshouse_dashboards.queries import start as q

_PROMISED = "api-latency"


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        frame(
            "start",
            "Is everything well? If not, where to look next.",
            down=["slos", "api", "payments", "automation", "notifications", "jobs", "pipeline"],
            runbooks=["HealthCheckFailing", "ErrorRateAboveBaseline"],
        )
        .with_row(row("Symptom: is anybody hurt?"))
        .with_panel(
            number(
                "Firing alerts",
                "Alerts that fire now, Watchdog left out.",
                "short",
                q.FIRING_COUNT,
                limits=Limits(1, 3),
            )
        )
        .with_panel(
            number(
                "Least budget left",
                "Of all objectives, the least of the 30 days' error budget that is left.",
                "percentunit",
                q.WORST_BUDGET,
                limits=Limits(0.5, 0.1, falling=True),
            )
        )
        .with_panel(
            number(
                "Worker heartbeat",
                "Age of the freshest heartbeat. At 30 s no worker is alive.",
                "s",
                q.HEARTBEAT,
                limits=Limits(15, 30),
            )
        )
        .with_panel(
            number(
                "Requests",
                "Requests that the API answered in the chosen time, probes left out.",
                "short",
                q.REQUESTS,
            )
        )
        .with_panel(
            bars(
                "Error budget left",
                "What is left of each objective's budget of 30 days. Under 10 % stop taking risks.",
                "percentunit",
                q.BUDGETS,
                legend="{{slo}}",
                limits=Limits(0.5, 0.1, falling=True),
                most=1,
                span=HALF,
            )
        )
        .with_panel(
            rows(
                "Firing now",
                "Every alert that fires. Watchdog always does: it proves that alerts travel.",
                "short",
                q.FIRING,
                {"alertname": "Alert", "severity": "Severity", "area": "Area"},
            )
        )
        .with_row(row("Cause: the four golden signals"))
        .with_panel(
            lines(
                "Traffic",
                "Requests that the API answers. A sudden fall is as telling as a rise.",
                "reqps",
                q.TRAFFIC,
                span=QUARTER,
            )
        )
        .with_panel(
            lines(
                "Errors",
                "Share of requests answered with a server error, and of jobs that failed.",
                "percentunit",
                q.ERRORS,
                limits=Limits(0.001, 0.01),
                span=QUARTER,
            )
        )
        .with_panel(
            lines(
                "Latency, 95th percentile",
                "Of requests and of job executions. "
                f"{WITHIN[_PROMISED]} is promised for requests only.",
                "s",
                q.LATENCY,
                limits=Limits(0.8 * WITHIN_S[_PROMISED], WITHIN_S[_PROMISED]),
                span=QUARTER,
            )
        )
        .with_panel(
            lines(
                "Saturation: oldest waiting job",
                "How long due jobs wait for a worker. 300 s wakes somebody.",
                "s",
                q.SATURATION,
                limits=Limits(60, 300),
                span=QUARTER,
            )
        )
        .with_row(row("Detail: what the backend does"))
        .with_panel(
            lines(
                "Done",
                "Payments confirmed, runs completed and notifications delivered.",
                "ops",
                q.FLOWS,
            )
        )
        .with_panel(
            lines(
                "Failed",
                "Payments, runs and notifications that ended badly. Should be flat.",
                "ops",
                q.FAILURES,
            )
        )
        .with_panel(
            bars(
                "Health checks",
                "1 is well, 0 fails. A failing check for 2 minutes wakes somebody.",
                "short",
                q.HEALTH,
                legend="{{check}}",
                limits=Limits(1, 1, falling=True),
                most=1,
            )
        )
    )
