"""SLOs: is a promise in danger, and how fast does its budget burn?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.frame import frame
from glasshouse_dashboards.looks import HALF, Limits, bars, lines, number, row, rows
from glasshouse_dashboards.queries import slos as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        frame(
            "slos",
            "Is a promise in danger, and how fast does its error budget burn?",
            down=["api", "payments", "automation", "notifications"],
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
            number(
                "Burn alerts",
                "Budgets that burn too fast now.",
                "short",
                q.BURNING,
                limits=Limits(1, 2),
            )
        )
        .with_panel(
            number(
                "Objectives",
                "What is promised, over 30 days.",
                "percentunit",
                q.OBJECTIVE,
                legend="{{slo}}",
                span=18,
            )
        )
        .with_panel(
            bars(
                "Budget left",
                "Of 30 days. At nothing left the promise is broken.",
                "percentunit",
                q.BUDGET,
                legend="{{slo}}",
                limits=Limits(0.5, 0.1, falling=True),
                most=1,
                span=HALF,
            )
        )
        .with_panel(
            lines(
                "Budget left over time",
                "A step is an incident, a slope is a habit.",
                "percentunit",
                q.BUDGET_OVER_TIME,
                limits=Limits(0.5, 0.1, falling=True),
                span=HALF,
            )
        )
        .with_row(row("Cause: what burns?"))
        .with_panel(
            lines(
                "Fast burn",
                "1 uses up the budget in exactly 30 days; 14.4 in both windows wakes somebody.",
                "short",
                q.FAST,
                limits=Limits(6, 14.4),
                span=HALF,
            )
        )
        .with_panel(
            lines(
                "Slow burn",
                "Over 6 h a factor of 6 wakes somebody; over 3 d a factor of 1 is a ticket.",
                "short",
                q.SLOW,
                limits=Limits(1, 6),
                span=HALF,
            )
        )
        .with_row(row("Detail: events"))
        .with_panel(lines("Good in the last hour", "Share of good events.", "percentunit", q.GOOD))
        .with_panel(lines("Events", "What is counted, each second.", "ops", q.EVENTS))
        .with_panel(lines("Bad events", "What uses up the budget, each second.", "ops", q.BAD))
        .with_panel(
            rows(
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
