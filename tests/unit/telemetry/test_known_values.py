"""Values that the schema, the service and the traffic know are those of the catalogue."""

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest

from backend.automation.strategies import STRATEGIES
from backend.jobs.queue import JOBS
from backend.notifications.channels.base import CHANNELS
from backend.notifications.templates import templates
from backend.payments.money import MINOR_DIGITS
from backend.telemetry import known_values
from glasshouse_loadgen import actions
from glasshouse_loadgen import known_values as values_of_traffic

ROOT = Path(__file__).parents[3]
MIGRATIONS = ROOT / "service" / "src" / "backend" / "platform" / "migrations"
TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\);", re.DOTALL)
# What a column may hold at all; CHECKs with a condition beside it say more than that.
CHECK = re.compile(r"^    (\w+) text\b[^,]*?CHECK \(\1 IN \(([^)]*)\)\)", re.MULTILINE)


def checks() -> dict[str, list[str]]:
    """The values that each CHECK list of the migrations allows, by table and column."""
    return {
        f"{table}.{column}": re.findall(r"'(\w+)'", values)
        for file in sorted(MIGRATIONS.glob("*.sql"))
        for table, body in TABLE.findall(file.read_text(encoding="utf-8"))
        for column, values in CHECK.findall(body)
    }


def test_the_schema_allows_what_the_catalogue_names() -> None:
    expected: dict[str, type[StrEnum]] = {
        "payments.state": known_values.PaymentState,
        "job_runs.outcome": known_values.JobOutcome,
        "notifications.channel": known_values.NotificationChannel,
        "notifications.state": known_values.NotificationDeliveryStatus,
        "automation_runs.state": known_values.AutomationState,
    }
    found = checks()
    assert {name: sorted(values) for name, values in found.items()} == {
        name: sorted(values) for name, values in expected.items()
    }, "telemetry/*.yaml and a new migration must say the same"


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
