"""One payment, followed from the request to Tempo, Loki and Prometheus."""

import concurrent.futures
import re
from typing import Any

import httpx
import pytest

from support import backends
from support.backends import attribute
from support.following import Followed, follow
from support.payments import pay, wait_confirmed
from support.stack import Stack
from support.waiting import until
from support.words import fresh

CONCURRENT = 50


by_name = Followed.named


@pytest.fixture(scope="module")
def followed(http: httpx.Client, stack: Stack) -> Followed:
    """A confirmed payment and its whole trace."""
    request_id = fresh("follow-")
    transaction = pay(http, stack, "EUR", request_id)
    body = wait_confirmed(http, stack, transaction)
    assert body["amount"] == "19.99"
    assert body["blockchainTxId"].startswith("0x")

    return follow(
        http,
        stack,
        path="/payments",
        identifier=transaction,
        request_id=request_id,
        job="confirm_payment",
    )


def test_api_and_job_are_one_chain_of_spans(followed: Followed) -> None:
    [request] = by_name(followed, "backend-api", "POST /payments")
    [create] = by_name(followed, "backend-api", "Payments.create")
    [send] = by_name(followed, "backend-api", "send confirm_payment")
    [process] = by_name(followed, "backend-worker", "process confirm_payment")
    [confirm] = by_name(followed, "backend-worker", "Confirmation.confirm")
    assert not request.get("parentSpanId")
    assert create["parentSpanId"] == request["spanId"]
    assert send["parentSpanId"] == create["spanId"]
    assert process["parentSpanId"] == send["spanId"]
    assert confirm["parentSpanId"] == process["spanId"]


@pytest.mark.parametrize("service", ["backend-api", "backend-worker"])
def test_both_services_have_database_spans(followed: Followed, service: str) -> None:
    statements = {
        span["name"]
        for span in followed.spans
        if span["service"] == service and attribute(span, "db.system.name") == "postgresql"
    }
    assert {"backend-api": "INSERT", "backend-worker": "UPDATE"}[service] in statements


def test_the_chain_calls_are_client_spans_of_the_job(followed: Followed) -> None:
    calls = [
        span
        for span in followed.spans
        if span["service"] == "backend-worker" and attribute(span, "http.request.method") == "POST"
    ]
    assert len(calls) >= 2  # submitted, then asked for the receipt
    assert {span["kind"] for span in calls} == {"SPAN_KIND_CLIENT"}


def test_every_span_carries_the_request_id(followed: Followed) -> None:
    assert {attribute(span, "request.id") for span in followed.spans} == {followed.request_id}


def test_its_logs_are_in_loki_under_the_same_trace(
    http: httpx.Client, stack: Stack, followed: Followed
) -> None:
    expected = {
        ("backend-api", "payment.created"),
        ("backend-worker", "payment.submitted"),
        ("backend-worker", "payment.confirmed"),
        ("backend-worker", "job.finished"),
    }
    query = f'{{service_name=~"backend-.+"}} | trace_id="{followed.trace_id}"'

    def probe() -> tuple[list[dict[str, Any]] | None, object]:
        lines = backends.loki_lines(http, stack.url("loki"), query)
        found = {(line["labels"]["service_name"], line["labels"].get("event")) for line in lines}
        return (lines if expected <= found else None), found

    lines = until(probe, what="the payment's events in Loki")
    events = [line["labels"] for line in lines if line["labels"].get("event")]
    assert {(e["service_name"], e["event"]) for e in events} == expected
    assert {e["request_id"] for e in events} == {followed.request_id}
    payments = [e for e in events if e["event"].startswith("payment.")]
    assert {e["payment_transaction_id"] for e in payments} == {followed.identifier}
    # The person is a pseudonym, the same in every event.
    [user] = {e["payment_user_id"] for e in payments}
    assert re.fullmatch(r"\[user:[0-9a-f]{16}\]", user)


def test_fifty_concurrent_payments_are_counted_exactly(http: httpx.Client, stack: Stack) -> None:
    def counted(query: str) -> float:
        series = backends.prometheus_query(http, stack.url("prometheus"), query)
        return sum(item["value"] for item in series)

    # Other tests pay in pounds, too, but none at the same time.
    states = ("created", "submitted", "confirmed")
    queries = {state: f'payments_total{{currency="GBP",state="{state}"}}' for state in states}
    amount = 'payments_amount_total{currency="GBP",state="confirmed"}'
    delays = 'payment_confirmation_delay_seconds_count{currency="GBP"}'
    before = {query: counted(query) for query in [*queries.values(), amount, delays]}

    with concurrent.futures.ThreadPoolExecutor(CONCURRENT) as pool:
        ids = [fresh("many-") for _ in range(CONCURRENT)]
        transactions = list(pool.map(lambda id_: pay(http, stack, "GBP", id_), ids))
    assert len(set(transactions)) == CONCURRENT
    for transaction in transactions:
        wait_confirmed(http, stack, transaction)

    # All that is to be seen in the end, which one scrape may have and the next query not yet.
    wanted = {**dict.fromkeys(queries.values(), CONCURRENT), amount: CONCURRENT * 19.99}
    wanted[delays] = CONCURRENT

    def probe() -> tuple[dict[str, float] | None, object]:
        found = {query: round(counted(query) - before[query], 2) for query in wanted}
        whole = all(found[query] >= round(least, 2) for query, least in wanted.items())
        return (found if whole else None), found

    assert until(probe, what="fifty payments in each state") == {
        query: round(number, 2) for query, number in wanted.items()
    }
