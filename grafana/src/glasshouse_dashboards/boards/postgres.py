"""Postgres, from its clients' side: is it there, is it fast, does it fail?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.panels import HALF, Thresholds, row, stat, time_series
from glasshouse_dashboards.queries import postgres as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "postgres",
            "Is the database there, is it fast, does it fail? As its clients see it.",
            areas=["health", "jobs"],
            down=["logs"],
            runbooks=["HealthCheckFailing", "JobBacklog"],
            variables={"operation": q.OPERATIONS},
        )
        .with_row(row("Symptom: is it there, is it fast?"))
        .with_panel(
            stat(
                "Reachable",
                "What the API's health check finds: 1 is healthy.",
                "short",
                q.HEALTH,
                thresholds=Thresholds(1, 1, falling=True),
            )
        )
        .with_panel(stat("Statements", "Each second, last 5 minutes.", "ops", q.RATE_NOW))
        .with_panel(
            stat(
                "Duration, 95th percentile",
                "Of one statement, last 5 minutes.",
                "s",
                q.P95_NOW,
                thresholds=Thresholds(0.1, 0.5),
            )
        )
        .with_panel(
            stat(
                "Statements at once",
                "Average of the last 5 minutes: how many connections are busy.",
                "short",
                q.BUSY_NOW,
                decimals=2,
            )
        )
        .with_panel(
            time_series(
                "Duration",
                "Of one statement. A dot is one of them: open its trace.",
                "s",
                q.DURATION,
                thresholds=Thresholds(0.1, 0.5),
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Errors",
                "Statements that failed, by their error's class.",
                "ops",
                q.ERRORS,
                span=HALF,
            )
        )
        .with_row(row("Cause: which statements, whose?"))
        .with_panel(time_series("Statements by kind", "Each second.", "ops", q.BY_OPERATION))
        .with_panel(
            time_series(
                "Duration by kind, 95th percentile",
                "Slow writes point at locks or disk, slow reads at a missing index.",
                "s",
                q.DURATION_BY_OPERATION,
            )
        )
        .with_panel(
            time_series(
                "Statements at once",
                "Busy connections by service. Near the pool's size requests wait.",
                "short",
                q.BUSY,
            )
        )
        .with_row(row("Detail: services, rows, queue"))
        .with_panel(time_series("Statements by service", "Who asks.", "ops", q.BY_SERVICE))
        .with_panel(
            time_series(
                "Rows returned",
                "By one statement. Many rows are a question that lacks a limit.",
                "short",
                q.ROWS,
            )
        )
        .with_panel(
            time_series(
                "Waiting jobs", "The queue is a table here: due jobs by name.", "short", q.BACKLOG
            )
        )
    )
