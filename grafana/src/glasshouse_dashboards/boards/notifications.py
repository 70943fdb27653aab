"""Notifications: do they arrive, by which channel do they not, and why?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.panels import HALF, Thresholds, logs, row, stat, time_series
from glasshouse_dashboards.queries import notifications as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "notifications",
            "Do notifications arrive, by which channel do they not, and why?",
            areas=["notifications"],
            down=["jobs", "logs", "slos"],
            runbooks=["NotificationFailures", "NotificationDeliveryBudgetBurn"],
            variables={"channel": q.CHANNELS},
        )
        .with_row(row("Symptom: do they arrive?"))
        .with_panel(stat("Queued", "Notifications queued in the chosen time.", "short", q.QUEUED))
        .with_panel(
            stat("Delivered", "Notifications delivered in the chosen time.", "short", q.DELIVERED)
        )
        .with_panel(
            stat(
                "Failed",
                "Notifications given up in the chosen time.",
                "short",
                q.FAILED,
                thresholds=Thresholds(1, 3),
            )
        )
        .with_panel(
            stat(
                "Delivered of ended",
                "99 % is promised.",
                "percentunit",
                q.DELIVERED_SHARE,
                thresholds=Thresholds(0.995, 0.99, falling=True),
            )
        )
        .with_panel(
            time_series(
                "By status",
                "Queued and delivered should run together; failed should be flat.",
                "ops",
                q.STATUSES,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Failed of ended, by channel",
                "A single channel points at its provider. 10 % pages somebody.",
                "percentunit",
                q.FAILED_BY_CHANNEL,
                thresholds=Thresholds(0.01, 0.1),
                span=HALF,
            )
        )
        .with_row(row("Cause: delivery jobs"))
        .with_panel(
            time_series(
                "Delivery jobs",
                "Executions by outcome. Retries come before failures.",
                "ops",
                q.JOBS,
            )
        )
        .with_panel(
            time_series(
                "Duration of a delivery",
                "One execution. A slow provider shows here first.",
                "s",
                q.JOB_DURATION,
            )
        )
        .with_panel(
            time_series(
                "Oldest waiting delivery",
                "How long a due delivery has waited for a worker.",
                "s",
                q.WAITING,
                thresholds=Thresholds(60, 300),
            )
        )
        .with_row(row("Detail: channels and events"))
        .with_panel(
            time_series(
                "Delivered by channel",
                "What each channel carries.",
                "ops",
                q.BY_CHANNEL,
                stacked=True,
                span=24,
            )
        )
        .with_panel(
            logs(
                "Events",
                "Each notification's steps. Neither address nor text is in them.",
                q.EVENTS,
            )
        )
    )
