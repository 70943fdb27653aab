"""SLOs: is a promise in danger, and how fast does its budget burn?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.panels import HALF, Thresholds, bar_gauge, row, stat, table, time_series
from glasshouse_dashboards.queries import slos as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "slos",
            "Is a promise in danger, and how fast does its error budget burn?",
            down=["api", "payments", "automation", "notifications"],
            counts=False,
            runbooks=[
                "ApiAvailabilityBudgetBurn",
                "ApiLatencyBudgetBurn",
                "PaymentConfirmationBudgetBurn",
                "NotificationDeliveryBudgetBurn",
                "AutomationSlaBudgetBurn",
            ],
            variables={"slo": q.NAMES},
        )
        .with_row(row("Symptom: what is left?"))
        .with_panel(
            stat(
                "Burn alerts",
                "Budgets that burn too fast now.",
                "short",
                q.BURNING,
                thresholds=Thresholds(1, 2),
            )
        )
        .with_panel(
            stat(
                "Objectives",
                "What is promised, over 30 days.",
                "percentunit",
                q.OBJECTIVE,
                legend="{{slo}}",
                span=18,
            )
        )
        .with_panel(
            bar_gauge(
                "Budget left",
                "Of 30 days. At nothing left the promise is broken.",
                "percentunit",
                q.BUDGET,
                legend="{{slo}}",
                thresholds=Thresholds(0.5, 0.1, falling=True),
                max_value=1,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Budget left over time",
                "A step is an incident, a slope is a habit.",
                "percentunit",
                q.BUDGET_OVER_TIME,
                thresholds=Thresholds(0.5, 0.1, falling=True),
                span=HALF,
            )
        )
        .with_row(row("Cause: what burns?"))
        .with_panel(
            time_series(
                "Fast burn",
                "1 uses up the budget in exactly 30 days; 14.4 in both windows pages somebody.",
                "short",
                q.FAST,
                thresholds=Thresholds(6, 14.4),
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Slow burn",
                "Over 6 h a factor of 6 pages somebody; over 3 d a factor of 1 is a ticket.",
                "short",
                q.SLOW,
                thresholds=Thresholds(1, 6),
                span=HALF,
            )
        )
        .with_row(row("Detail: events"))
        .with_panel(
            time_series("Good in the last hour", "Share of good events.", "percentunit", q.GOOD)
        )
        .with_panel(time_series("Events", "What is counted, each second.", "ops", q.EVENTS))
        .with_panel(
            time_series("Bad events", "What uses up the budget, each second.", "ops", q.BAD)
        )
        .with_panel(
            table(
                "Burn alerts",
                "Pending ones burn, but not for long enough.",
                "short",
                q.ALERTS,
                {
                    "alertname": "Alert",
                    "severity": "Severity",
                    "window": "Window",
                    "alertstate": "State",
                },
                span=24,
            )
        )
    )
