"""No personal data in any backend or container log, whichever door it came through."""

import json
from typing import Any

import httpx
import pytest

from glasshouse_stack.doctor import canary as canaries
from glasshouse_stack.doctor.canary import Canary
from support import backends, otlp
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.stack


def everything(http: httpx.Client, stack: Stack) -> dict[str, str]:
    urls = {name: stack.url(name) for name in ("loki", "tempo", "prometheus")}
    return backends.everything_in(http, urls)


def wait_for_sentinel(http: httpx.Client, stack: Stack, word: str) -> dict[str, str]:
    """Return all that is stored, once the sentinel has arrived in every backend."""

    def probe() -> tuple[dict[str, str] | None, object]:
        stored = everything(http, stack)
        missing = [name for name, text in stored.items() if word not in text]
        return (None if missing else stored), f"the sentinel is missing in {missing}"

    return until(probe, what=f"the sentinel {word} in every backend", deadline_s=60)


def test_what_is_sent_by_otlp_is_stored_redacted(
    http: httpx.Client, stack: Stack, otlp_endpoint: str, redaction: str
) -> None:
    canary = canaries.make()
    sender = otlp.Sender(otlp_endpoint, "canary")
    trace_id = canary.trace_id
    items = {"word": canary.word, "note": canary.text}
    sender.logs([otlp.log(canary.text, items)])
    sender.spans([otlp.span("canary", items, trace_id=trace_id)])
    sender.metrics([otlp.gauge("canary.orders", 1.0, items)])
    sender.close()

    stored = wait_for_sentinel(http, stack, canary.word)

    expected = [] if redaction == "on" else ["email", "card", "token"]
    assert {name: canary.leaks(text) for name, text in stored.items()} == dict.fromkeys(
        stored, expected
    )


def hostile_requests(api: str, c: Canary) -> list[httpx.Request]:
    """Requests that carry a canary wherever a client can put one."""
    payment: dict[str, Any] = {"userId": "user-1", "amount": "5.00", "currency": "EUR"}
    card = c.card.replace(" ", "")
    post = [
        payment | {"note": c.text},
        payment | {"userId": c.email},
        payment | {"userId": card},
        payment | {"amount": c.card},
        payment | {"currency": c.token},
        [c.text],
    ]
    requests = [httpx.Request("POST", f"{api}/payments", json=body) for body in post]
    requests += [
        httpx.Request("POST", f"{api}/payments", content=c.text.encode()),
        httpx.Request(
            "POST", f"{api}/payments", json=payment, headers={"Idempotency-Key": c.email}
        ),
        httpx.Request("GET", f"{api}/payments/{c.email}"),
        httpx.Request("GET", f"{api}/payments/{card}"),
        httpx.Request("GET", f"{api}/payments/tx", params={"email": c.email, "token": c.token}),
        httpx.Request("GET", f"{api}/{card}"),
        httpx.Request("GET", f"{api}/payments/tx", headers={"X-Request-ID": c.email}),
        httpx.Request("GET", f"{api}/payments/tx", headers={"X-Correlation-ID": card}),
        httpx.Request("GET", f"{api}/payments/tx", headers={"User-Agent": f"bot {c.email}"}),
        httpx.Request("GET", f"{api}/payments/tx", headers={"Authorization": f"Bearer {c.token}"}),
        httpx.Request("GET", f"{api}/payments/tx", headers={"Cookie": f"session={c.token}"}),
        httpx.Request("GET", f"{api}/payments/tx", headers={"tracestate": f"v={card}"}),
    ]
    return requests


def test_what_comes_through_the_api_stays_out_of_backends_and_container_logs(
    http: httpx.Client, stack: Stack
) -> None:
    canary = canaries.make()
    requests = hostile_requests(stack.api, canary)
    for request in requests:
        answer = http.send(request)
        assert answer.status_code < 500, (request.method, request.url.path, answer.text)
        # The answer itself does not send it back either.
        assert canary.leaks(answer.text + json.dumps(dict(answer.headers))) == []
    # The sentinel: a payment whose request id is harmless, sent after all of them.
    answer = http.post(
        f"{stack.api}/payments",
        json={"userId": "user-1", "amount": "5.00", "currency": "EUR"},
        headers={"X-Request-ID": canary.word},
    )
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text

    def probe() -> tuple[dict[str, str] | None, object]:
        stored = everything(http, stack) | stack.container_logs()
        places = ("loki", "tempo", "api's log", "worker's log")
        missing = [name for name in places if canary.word not in stored[name]]
        return (None if missing else stored), f"the sentinel is missing in {missing}"

    stored = until(probe, what="the sentinel in Loki, Tempo and both logs", deadline_s=60)
    assert {name: canary.leaks(text) for name, text in stored.items()} == {
        name: [] for name in stored
    }
    # Everything that runs was looked at, the one-shot containers too.
    services = ("api", "worker", "postgres", "collector", "migrate", "sandbox", "loki", "tempo")
    assert {f"{service}'s log" for service in services} <= set(stored)
