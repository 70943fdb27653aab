"""Payments, by the variable `currency`."""

from typing import Final

from glasshouse_dashboards.objectives import BUCKET, SELECTORS
from glasshouse_dashboards.queries.shared import increase, quantile, quantiles, rate, share

_CHOSEN: Final = 'currency=~"$currency"'
_ENDED: Final = SELECTORS["payments_ended"]
CURRENCIES: Final = "label_values(payments_total, currency)"


def _count_in_state(state: str) -> str:
    return increase("payments_total", f'state="{state}",{_CHOSEN}')


CREATED: Final = _count_in_state("created")
CONFIRMED: Final = _count_in_state("confirmed")
FAILED: Final = _count_in_state("failed")
WITHIN_PROMISE: Final = (
    increase(
        "payment_confirmation_delay_seconds_bucket", f"{BUCKET['payment-confirmation']},{_CHOSEN}"
    )
    + f" / ({increase('payments_total', f'{_ENDED},{_CHOSEN}')} > 0)"
)
STATES: Final = {"{{state}}": rate("payments_total", _CHOSEN, "state")}
DELAY: Final = quantiles("payment_confirmation_delay_seconds", _CHOSEN)
FAILED_SHARE: Final = {
    "failed": share(
        rate("payments_total", f'state="failed",{_CHOSEN}'),
        rate("payments_total", f"{_ENDED},{_CHOSEN}"),
    )
}
CONFIRMATION_JOBS: Final = {
    "{{outcome}}": rate("jobs_total", 'job_name="confirm_payment"', "outcome")
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
    "{{currency}}": rate("payments_amount_total", f'state="confirmed",{_CHOSEN}', "currency")
}
BY_CURRENCY: Final = f"{increase('payments_total', _CHOSEN, 'currency, state')} > 0"
EVENTS: Final = '{service_name=~"backend-.+"} | event=~`payment\\..+`'
