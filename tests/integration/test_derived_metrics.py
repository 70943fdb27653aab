"""N events in, N counted: the derived metrics are exact under concurrent senders."""

import concurrent.futures
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support import otlp
from support.collector import Rig
from support.waiting import until
from support.words import fresh

SENDERS = 16
REQUESTS = 400
EVENTS_PER_REQUEST = 50
CURRENCIES = ("EUR", "USD")
AMOUNT = Decimal("19.99")
# Sixteen digits after the point: redaction must not take them for a card.
DELAY = 1.4111111111111111

Labels = frozenset[tuple[str, str]]
Start = Callable[[str], AbstractContextManager[Rig]]


def samples(text: str, name: str) -> dict[Labels, float]:
    """Return the series of one name that have counted anything."""
    return {labels: number for labels, number in all_samples(text, name).items() if number}


def all_samples(text: str, name: str) -> dict[Labels, float]:
    return {
        frozenset(sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def events(request: int) -> list[dict[str, Any]]:
    """Fifty events: payments created and confirmed, their jobs, in both currencies."""
    made: list[dict[str, Any]] = []
    for index in range(EVENTS_PER_REQUEST):
        number = request * EVENTS_PER_REQUEST + index
        currency = CURRENCIES[number % 2]
        match index % 5:
            case 0 | 1:
                made.append(
                    otlp.log(
                        "Payment created",
                        {"payment.currency": currency, "payment.amount": str(AMOUNT)},
                        event="payment.created",
                    )
                )
            case 2 | 3:
                made.append(
                    otlp.log(
                        "Payment confirmed",
                        {
                            "payment.currency": currency,
                            "payment.amount": str(AMOUNT),
                            "payment.confirmation_delay": DELAY,
                        },
                        event="payment.confirmed",
                    )
                )
            case _:
                made.append(
                    otlp.log(
                        "Job finished",
                        {
                            "job.name": "confirm_payment",
                            "job.outcome": "succeeded",
                            "job.duration": 0.25,
                        },
                        event="job.finished",
                    )
                )
    return made


def expected_payments() -> Counter[Labels]:
    counted: Counter[Labels] = Counter()
    for request in range(REQUESTS):
        for event in events(request):
            name = str(event["eventName"])
            if not name.startswith("payment."):
                continue
            items = {a["key"]: a["value"]["stringValue"] for a in event["attributes"][:1]}
            labels = {"currency": items["payment.currency"], "state": name.split(".")[1]}
            counted[frozenset(labels.items())] += 1
    return counted


def test_known_series_stand_at_zero_before_the_first_event(at_first: str) -> None:
    """So that increase() sees the first one."""
    states = ("created", "submitted", "confirmed", "failed")
    assert all_samples(at_first, "payments_total") == {
        frozenset({("currency", currency), ("state", state)}): 0.0
        for currency in ("EUR", "GBP", "JPY", "USD")
        for state in states
    }
    notifications = all_samples(at_first, "notifications_total")
    assert set(notifications.values()) == {0.0}
    assert len(notifications) == 9  # three channels, three statuses


@pytest.fixture(scope="module")
def redacting_rig(collector_config: str, start: Start) -> Iterator[Rig]:
    """A Collector of this module's own: others count on the session's."""
    with start(collector_config) as running:
        yield running


@pytest.fixture(scope="module")
def at_first(redacting_rig: Rig) -> str:
    """The metrics before anything is counted."""
    return redacting_rig.derived_text()


@pytest.fixture(scope="module")
def derived(redacting_rig: Rig, at_first: str) -> str:
    """Send everything at once; return the metrics when the last job was counted."""

    def post(request: int) -> None:
        sender = otlp.Sender(
            redacting_rig.endpoint, otlp.BELIEVED, instance=f"sender-{request % SENDERS}"
        )
        sender.logs(events(request))
        sender.close()

    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(post, range(REQUESTS)))

    total = REQUESTS * EVENTS_PER_REQUEST

    def probe() -> tuple[str | None, object]:
        text = redacting_rig.derived_text()
        counted = sum(samples(text, "payments_total").values())
        counted += sum(samples(text, "jobs_total").values())
        return (text if counted >= total else None), f"{counted} of {total} events"

    return until(probe, what="every event is counted")


def test_payments_are_counted_exactly(derived: str) -> None:
    assert samples(derived, "payments_total") == expected_payments()


def test_amounts_are_exact_to_the_cent(derived: str) -> None:
    sums = samples(derived, "payments_amount_total")
    cents = {labels: round(Decimal(amount), 2) for labels, amount in sums.items()}
    assert cents == {labels: count * AMOUNT for labels, count in expected_payments().items()}


def test_histogram_counts_equal_the_events(derived: str) -> None:
    confirmed = {
        frozenset({label for label in labels if label[0] == "currency"}): count
        for labels, count in expected_payments().items()
        if ("state", "confirmed") in labels
    }
    assert samples(derived, "payment_confirmation_delay_seconds_count") == confirmed
    sums = samples(derived, "payment_confirmation_delay_seconds_sum")
    assert sums == pytest.approx({labels: count * DELAY for labels, count in confirmed.items()})


@pytest.mark.usefixtures("derived")
def test_an_invalid_number_costs_one_measurement_and_no_count(redacting_rig: Rig) -> None:
    currency = {"payment.currency": "SEK"}
    bad, good = currency | {"payment.amount": "a lot"}, currency | {"payment.amount": "5.00"}
    sender = otlp.Sender(redacting_rig.endpoint, otlp.BELIEVED)
    sender.logs([otlp.log("", items, event="payment.created") for items in (bad, good, good)])
    sender.close()
    labels = frozenset({("currency", "SEK"), ("state", "created")})

    def probe() -> tuple[str | None, object]:
        text = redacting_rig.derived_text()
        counted = samples(text, "payments_total").get(labels)
        return (text if counted == 3 else None), counted

    text = until(probe, what="the three payments are counted")
    assert samples(text, "payments_amount_total")[labels] == 10.0


@pytest.mark.usefixtures("derived")
def test_ten_thousand_currencies_are_bounded(redacting_rig: Rig) -> None:
    names = [fresh("X") for _ in range(10_000)]
    sender = otlp.Sender(redacting_rig.endpoint, otlp.BELIEVED)
    for start in range(0, len(names), 1000):
        sender.logs(
            otlp.log("", {"payment.currency": name}, event="payment.submitted")
            for name in names[start : start + 1000]
        )
    sender.close()

    def probe() -> tuple[dict[Labels, float] | None, object]:
        found = {
            labels: count
            for labels, count in samples(redacting_rig.derived_text(), "payments_total").items()
            if ("state", "submitted") in labels
        }
        return (found if sum(found.values()) >= len(names) else None), found

    found = until(probe, what="every payment is counted")
    assert sum(found.values()) == len(names)
    # Ten have a place of their own; one of these the test of invalid numbers may have taken.
    assert 10 <= len(found) <= 11
    assert found[frozenset({("currency", "other"), ("state", "submitted")})] >= len(names) - 10


@pytest.mark.usefixtures("derived")
def test_a_histogram_leads_to_a_trace(redacting_rig: Rig) -> None:
    trace = secrets.token_hex(16)
    record = otlp.log(
        "Payment confirmed",
        {"payment.currency": "JPY", "payment.confirmation_delay": 7.5},
        event="payment.confirmed",
    )
    sender = otlp.Sender(redacting_rig.endpoint, otlp.BELIEVED)
    sender.logs([record | {"traceId": trace, "spanId": secrets.token_hex(8)}])
    sender.close()
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}

    def probe() -> tuple[list[str] | None, object]:
        text = httpx.get(redacting_rig.derived, headers=accept, timeout=30).text
        bucket = 'payment_confirmation_delay_seconds_bucket{currency="JPY",le="10.0"}'
        found = [line for line in text.splitlines() if line.startswith(bucket)]
        return ([line for line in found if trace in line] or None), found

    [line] = until(probe, what="the bucket has an exemplar")
    assert f'trace_id="{trace}"' in line
    assert "} 7.5 " in line.partition("#")[2]


def test_jobs_are_counted_by_name_and_outcome(derived: str) -> None:
    job = frozenset({("job_name", "confirm_payment"), ("outcome", "succeeded")})
    count = REQUESTS * EVENTS_PER_REQUEST / 5
    assert samples(derived, "jobs_total") == {job: count}
    assert samples(derived, "job_duration_seconds_count") == {job: count}
    assert samples(derived, "job_duration_seconds_sum") == {job: count * 0.25}
