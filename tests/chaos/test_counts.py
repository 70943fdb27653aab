"""Counted exactly, with a backend away and through a restart of the Collector."""

import concurrent.futures
import time
from contextlib import closing

import httpx

from support import backends, otlp
from support.stack import Stack
from support.waiting import until

SENDERS = 16
REQUESTS = 400
EVENTS_PER_REQUEST = 50
AMOUNT = 0.1
CURRENCY = "XTS"  # the code that ISO 4217 keeps for tests
GIVE_UP_AFTER_S = 240


def post(stack: Stack, request: int) -> None:
    """Send one batch; the same again while nobody listens, as every OTLP exporter does."""
    items = {"payment.currency": CURRENCY, "payment.amount": AMOUNT}
    events = [
        otlp.log(
            "Payment created",
            items | {"payment.transaction_id": f"{request}-{n}"},
            event="payment.created",
        )
        for n in range(EVENTS_PER_REQUEST)
    ]
    give_up = time.monotonic() + GIVE_UP_AFTER_S
    instance = f"sender-{request % SENDERS}"
    with closing(otlp.Sender(stack.otlp, otlp.BELIEVED, stack.sender, instance=instance)) as sender:
        while True:
            try:
                sender.logs(events)
            except (httpx.TransportError, httpx.HTTPStatusError):
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
            else:
                return


def test_twenty_thousand_events_are_counted_through_an_outage_and_a_restart(
    http: httpx.Client, stack: Stack
) -> None:
    stack.docker("stop", "loki")
    try:
        with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
            sent = [pool.submit(post, stack, request) for request in range(REQUESTS)]
            # In the middle of it.
            next(concurrent.futures.as_completed(sent[REQUESTS // 4 :]))
            stack.docker("restart", "collector")
            for one in sent:
                one.result(timeout=GIVE_UP_AFTER_S * 2)
    finally:
        stack.docker("start", "loki")
    stack.wait_ready(["loki", "collector"])

    total = REQUESTS * EVENTS_PER_REQUEST
    url = stack.url("prometheus")

    def probe() -> tuple[float | None, object]:
        series = backends.prometheus_query(http, url, f'payments_total{{currency="{CURRENCY}"}}')
        counted = sum(item["value"] for item in series)
        return (counted if counted >= total else None), series

    assert until(probe, what="every event is counted") == total
    [amount] = backends.prometheus_query(
        http, url, f'payments_amount_total{{currency="{CURRENCY}"}}'
    )
    assert round(amount["value"], 2) == round(total * AMOUNT, 2)
    # Prometheus saw one counter that only rose: a reset would be counted twice by increase().
    [resets] = backends.prometheus_query(
        http, url, f'resets(payments_total{{currency="{CURRENCY}"}}[10m])'
    )
    assert resets["value"] == 0
