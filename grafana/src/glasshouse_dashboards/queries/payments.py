"""Payments, by the variable `currency`."""

from typing import Final

from glasshouse_dashboards.objectives import LE, SELECTORS
from glasshouse_dashboards.queries.shared import RANGE, RATE, quantile, quantiles, share

_CHOSEN: Final = 'currency=~"$currency"'
_ENDED: Final = SELECTORS["payments_ended"]
CURRENCIES: Final = "label_values(payments_total, currency)"


def _count_in_state(state: str) -> str:
    return f'sum(increase(payments_total{{state="{state}",{_CHOSEN}}}{RANGE}))'


CREATED: Final = _count_in_state("created")
CONFIRMED: Final = _count_in_state("confirmed")
FAILED: Final = _count_in_state("failed")
WITHIN_PROMISE: Final = (
    "sum(increase(payment_confirmation_delay_seconds_bucket"
    f'{{le="{LE["payment-confirmation"]}",{_CHOSEN}}}{RANGE})) / '
    f"(sum(increase(payments_total{{{_ENDED},{_CHOSEN}}}{RANGE})) > 0)"
)
STATES: Final = {"{{state}}": f"sum by (state) (rate(payments_total{{{_CHOSEN}}}{RATE}))"}
DELAY: Final = quantiles("payment_confirmation_delay_seconds", _CHOSEN)
FAILED_SHARE: Final = {
    "failed": share(
        f'sum(rate(payments_total{{state="failed",{_CHOSEN}}}{RATE}))',
        f"sum(rate(payments_total{{{_ENDED},{_CHOSEN}}}{RATE}))",
    )
}
CONFIRMATION_JOBS: Final = {
    "{{outcome}}": f'sum by (outcome) (rate(jobs_total{{job_name="confirm_payment"}}{RATE}))'
}
# By host, because which one is the chain differs from place to place.
OUTSIDE: Final = {
    "{{server_address}}": quantile(
        95,
        "http_client_request_duration_seconds",
        'service_name="backend-worker"',
        by="server_address",
    ),
}
WAITING: Final = {
    "{{job_name}}": 'max by (job_name) (jobs_backlog{job_name=~"confirm_payment|sweep_payments"})'
}
AMOUNTS: Final = {
    "{{currency}}": (
        f'sum by (currency) (rate(payments_amount_total{{state="confirmed",{_CHOSEN}}}{RATE}))'
    )
}
BY_CURRENCY: Final = f"sum by (currency, state) (increase(payments_total{{{_CHOSEN}}}{RANGE})) > 0"
EVENTS: Final = '{service_name=~"backend-.+"} | event=~`payment\\..+`'
