"""Values that the schema, the service and the traffic know are those of the catalogue."""

from collections.abc import Iterable
from enum import StrEnum

import pytest

from backend.automation.strategies import STRATEGIES
from backend.jobs.queue import JOBS
from backend.notifications.channels.base import CHANNELS
from backend.notifications.templates import templates
from backend.payments.money import MINOR_DIGITS
from backend.telemetry import known_values
from glasshouse_loadgen import actions
from glasshouse_loadgen import known_values as values_of_traffic


@pytest.mark.parametrize(
    ("known", "used"),
    [
        (known_values.PaymentCurrency, MINOR_DIGITS),
        (known_values.AutomationStrategy, STRATEGIES),
        (known_values.NotificationTemplate, templates()),
        (known_values.JobName, JOBS),
        (known_values.NotificationChannel, CHANNELS),
    ],
)
def test_the_service_has_what_the_catalogue_names(
    known: type[StrEnum], used: Iterable[str]
) -> None:
    assert sorted(known) == sorted(used), "change telemetry/*.yaml, then `make telemetry`"


def test_traffic_uses_every_known_value() -> None:
    assert tuple(values_of_traffic.PaymentCurrency) == actions.CURRENCIES
    assert tuple(values_of_traffic.AutomationStrategy) == actions.STRATEGIES
    assert tuple(values_of_traffic.NotificationChannel) == actions.CHANNELS
    assert tuple(values_of_traffic.NotificationTemplate) == actions.TEMPLATES
