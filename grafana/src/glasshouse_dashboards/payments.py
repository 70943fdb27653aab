"""Payments: do they get confirmed, how fast, and what fails?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.looks import lines, log_lines, number


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        Dashboard("Payments")
        .uid("payments")
        .description("Do payments get confirmed, how fast, and what fails?")
        .tags(["glasshouse"])
        .refresh("10s")
        .time("now-1h", "now")
        .readonly()
        .with_panel(
            number(
                "Created",
                "Payments created in the chosen time.",
                "short",
                'sum(increase(payments_total{state="created"}[$__range]))',
            )
        )
        .with_panel(
            number(
                "Confirmed",
                "Payments confirmed by the chain in the chosen time.",
                "short",
                'sum(increase(payments_total{state="confirmed"}[$__range]))',
            )
        )
        .with_panel(
            number(
                "Failed",
                "Payments that ended without confirmation in the chosen time.",
                "short",
                'sum(increase(payments_total{state="failed"}[$__range])) or vector(0)',
            )
        )
        .with_panel(
            lines(
                "Payments by state",
                "Created and confirmed should run together; failed should be flat.",
                "reqps",
                {"{{state}}": "sum by (state) (rate(payments_total[$__rate_interval]))"},
            )
        )
        .with_panel(
            lines(
                "Confirmation delay",
                "From creation to confirmation. Rises before payments fail.",
                "s",
                {
                    f"{share}th percentile": f"histogram_quantile(0.{share}, sum by (le) "
                    "(rate(payment_confirmation_delay_seconds_bucket[$__rate_interval])))"
                    for share in (50, 95)
                },
            )
        )
        .with_panel(
            lines(
                "Confirmation jobs",
                "Executions by outcome. Retries and failures point at the chain.",
                "reqps",
                {
                    "{{outcome}}": "sum by (outcome) "
                    '(rate(jobs_total{job="confirm_payment"}[$__rate_interval]))'
                },
            )
        )
        .with_panel(
            log_lines(
                "Events",
                "Each payment's steps. Open a line and follow its trace.",
                '{service_name=~"backend-.+"} | event=~"payment.+"',
            )
        )
    )
