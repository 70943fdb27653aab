"""Logs and errors: what do services say, and what about one request?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard, TextBoxVariable

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.panels import log_rate, logs, row
from glasshouse_dashboards.queries import logs as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "logs",
            "What do services say, what goes wrong, and what happened in one request?",
            down=["pipeline"],
            counts=False,
            runbooks=["ErrorRateAboveBaseline"],
            variables={"service": q.SERVICES},
            all_value=".+",  # Loki refuses a selector that matches everything
        )
        .with_variable(TextBoxVariable("search").label("Text").default_value(""))
        .with_variable(TextBoxVariable("correlation").label("correlationId").default_value(".*"))
        .with_row(row("Symptom: how much, how bad?"))
        .with_panel(
            log_rate(
                "Lines by severity",
                "Errors and warnings should be few, and alike over time.",
                "short",
                {"{{severity_text}}": q.BY_LEVEL},
            )
        )
        .with_panel(
            log_rate("Lines by service", "Who speaks.", "short", {"{{service_name}}": q.BY_SERVICE})
        )
        .with_row(row("Cause: errors"))
        .with_panel(
            logs("Errors", "Severity ERROR and worse. Open one, follow its trace.", q.ERRORS)
        )
        .with_panel(logs("Warnings", "Severity WARN.", q.WARNINGS))
        .with_row(row("Detail: everything, by text or correlationId"))
        .with_panel(
            logs(
                "Lines",
                "Fill in a text, or a correlationId to see one request in all services.",
                q.ALL,
            )
        )
    )
