"""Automation: do runs complete within their SLA, and what holds them up?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.panels import HALF, Thresholds, logs, row, stat, table, time_series
from glasshouse_dashboards.queries import automation as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "automation",
            "Do runs complete within their SLA, and what holds them up?",
            areas=["automation"],
            down=["jobs", "logs", "slos"],
            runbooks=["AutomationBacklog", "AutomationSlaBudgetBurn"],
            variables={"strategy": q.STRATEGIES},
        )
        .with_row(row("Symptom: do runs complete?"))
        .with_panel(stat("Requested", "Runs requested in the chosen time.", "short", q.REQUESTED))
        .with_panel(stat("Completed", "Runs completed in the chosen time.", "short", q.COMPLETED))
        .with_panel(
            stat(
                "Failed",
                "Runs that failed in the chosen time.",
                "short",
                q.FAILED,
                thresholds=Thresholds(1, 5),
            )
        )
        .with_panel(
            stat(
                "Within their SLA",
                "Share of the ended runs that kept to their SLA; 99 % is promised.",
                "percentunit",
                q.WITHIN_SLA,
                thresholds=Thresholds(0.995, 0.99, falling=True),
            )
        )
        .with_panel(
            time_series(
                "Runs by state",
                "Requested and completed should run together.",
                "ops",
                q.STATES,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Duration of runs",
                "From request to end, waiting included.",
                "s",
                q.DURATION,
                span=HALF,
            )
        )
        .with_row(row("Cause: queue and strategies"))
        .with_panel(
            time_series(
                "Oldest waiting run",
                "How long a due run has waited for a worker. 300 s pages somebody.",
                "s",
                q.AGE,
                thresholds=Thresholds(60, 300),
            )
        )
        .with_panel(
            time_series(
                "Failed by strategy",
                "A single strategy points at itself, all of them at what they share.",
                "ops",
                q.FAILED_BY_STRATEGY,
            )
        )
        .with_panel(time_series("Jobs", "Executions of automation jobs by outcome.", "ops", q.JOBS))
        .with_row(row("Detail: strategies and events"))
        .with_panel(
            time_series(
                "Duration by strategy, 95th percentile",
                "Which strategy is slow.",
                "s",
                q.DURATION_BY_STRATEGY,
                span=HALF,
            )
        )
        .with_panel(
            table(
                "By strategy and state",
                "Runs in the chosen time.",
                "short",
                q.BY_STRATEGY,
                {"strategy": "Strategy", "state": "State", "Value": "Runs"},
            )
        )
        .with_panel(logs("Events", "Each run's steps. Open a line and follow its trace.", q.EVENTS))
    )
