"""Payments: do they get confirmed, how fast, and what fails?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.objectives import WITHIN, WITHIN_S
from glasshouse_dashboards.panels import Thresholds, logs, row, stat, table, time_series
from glasshouse_dashboards.queries import payments as q

_PROMISED = "payment-confirmation"


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "payments",
            "Do payments get confirmed, how fast, and what fails?",
            areas=["payments"],
            down=["jobs", "logs", "slos"],
            runbooks=["PaymentOutage", "PaymentConfirmationStalled"],
            variables={"currency": q.CURRENCIES},
        )
        .with_row(row("Symptom: do payments go through?"))
        .with_panel(
            stat("Created", "Payments created in the chosen time.", "short", q.CREATED, span=5)
        )
        .with_panel(
            stat(
                "Confirmed",
                "Payments confirmed by the chain in the chosen time.",
                "short",
                q.CONFIRMED,
                span=5,
            )
        )
        .with_panel(
            stat(
                "Failed",
                "Payments that ended without confirmation in the chosen time.",
                "short",
                q.FAILED,
                thresholds=Thresholds(1, 3),
                span=5,
            )
        )
        .with_panel(
            stat(
                f"Confirmed within {WITHIN[_PROMISED]}",
                "Share of the ended payments; 95 % is promised.",
                "percentunit",
                q.WITHIN_PROMISE,
                thresholds=Thresholds(0.97, 0.95, falling=True),
                span=9,
            )
        )
        .with_panel(
            time_series(
                "Payments by state",
                "Created, submitted and confirmed should run together; failed should be flat.",
                "ops",
                q.STATES,
            )
        )
        .with_panel(
            time_series(
                "Confirmation delay",
                "From creation to confirmation. Rises before payments fail; "
                f"{WITHIN[_PROMISED]} is promised.",
                "s",
                q.DELAY,
                thresholds=Thresholds(0.75 * WITHIN_S[_PROMISED], WITHIN_S[_PROMISED]),
            )
        )
        .with_panel(
            time_series(
                "Failed of ended",
                "Share of payments that failed of those that ended.",
                "percentunit",
                q.FAILED_SHARE,
                thresholds=Thresholds(0.03, 0.05),
            )
        )
        .with_row(row("Cause: jobs and the chain"))
        .with_panel(
            time_series(
                "Confirmation jobs",
                "Executions by outcome. Retries and failures point at the chain.",
                "ops",
                q.CONFIRMATION_JOBS,
            )
        )
        .with_panel(
            time_series(
                "Calls to the chain and other hosts, 95th percentile",
                "How long the worker waits for an answer, by the host that it calls.",
                "s",
                q.OUTSIDE,
            )
        )
        .with_panel(
            time_series(
                "Waiting confirmation jobs",
                "Jobs that are due and wait for a worker.",
                "short",
                q.WAITING,
            )
        )
        .with_row(row("Detail: money and events"))
        .with_panel(
            time_series(
                "Confirmed amounts",
                "Money confirmed each second, each in its own currency's unit.",
                "none",
                q.AMOUNTS,
                span=12,
            )
        )
        .with_panel(
            table(
                "By currency and state",
                "Payments in the chosen time.",
                "short",
                q.BY_CURRENCY,
                {"currency": "Currency", "state": "State", "Value": "Payments"},
            )
        )
        .with_panel(
            logs(
                "Events",
                "Each payment's steps. Open a line and follow its trace.",
                q.EVENTS,
            )
        )
    )
