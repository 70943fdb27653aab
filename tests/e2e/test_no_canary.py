"""No personal data in any backend or container log, whichever door it came through."""

import json
import time
from typing import Any

import httpx

from glasshouse_cli.doctor import canary as canaries
from glasshouse_cli.doctor.canary import Canary
from support import backends, otlp
from support.stack import Stack
from support.waiting import until

# What a canary can be in is not older than the canary.
CLOCKS_S = 5


def everything(http: httpx.Client, stack: Stack, made: float) -> dict[str, str]:
    """Return all that was stored since a canary was made, at a Unix time in seconds."""
    urls = {name: stack.url(name) for name in ("loki", "tempo", "prometheus")}
    return backends.everything_in(http, urls, since=made - CLOCKS_S)


def wait_for_sentinel(http: httpx.Client, stack: Stack, word: str) -> None:
    """Wait until the sentinel has arrived, as an attribute or a request id, in each backend that
    gets requests: everything sent before it has arrived, too."""
    loki, tempo = stack.url("loki"), stack.url("tempo")
    line = f'{{service_name=~".+"}} | word="{word}" or request_id="{word}"'
    span = f'{{span.word="{word}" || span.request.id="{word}"}}'

    def probe() -> tuple[bool | None, object]:
        found = {
            "loki": bool(backends.loki_lines(http, loki, line)),
            "tempo": bool(backends.tempo_search(http, tempo, span)),
        }
        return (True if all(found.values()) else None), found

    until(probe, what=f"the sentinel {word}")


def test_what_is_sent_by_otlp_is_stored_redacted(
    http: httpx.Client, stack: Stack, otlp_endpoint: str, redaction: str
) -> None:
    canary, made = canaries.make(), time.time()
    sender = otlp.Sender(otlp_endpoint, "canary", stack.sender)
    trace_id = canary.trace_id
    items = {"word": canary.word, "note": canary.text}
    sender.logs([otlp.log(canary.text, items)])
    sender.spans([otlp.span("canary", items, trace_id=trace_id)])
    sender.metrics([otlp.gauge("canary.orders", 1.0, items)])
    sender.close()

    wait_for_sentinel(http, stack, canary.word)
    prometheus = stack.url("prometheus")

    def gauge() -> tuple[Any, object]:
        series = backends.prometheus_query(
            http, prometheus, f'canary_orders{{word="{canary.word}"}}'
        )
        return (series or None), series

    until(gauge, what="the sentinel in Prometheus")
    # Once, and all of it: the other tests have filled the backends, too.
    stored = everything(http, stack, made)
    assert {name for name, text in stored.items() if canary.word not in text} == set()

    expected = [] if redaction == "on" else ["email", "card", "token"]
    assert {name: canary.leaks(text) for name, text in stored.items()} == dict.fromkeys(
        stored, expected
    )


def hostile_requests(api: str, caller: dict[str, str], c: Canary) -> list[httpx.Request]:
    """Requests that carry a canary wherever a client can put one.

    Each once as a caller's, whose request reaches the endpoint, and once as a stranger's.
    """
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
    known = [
        httpx.Request(
            one.method,
            one.url,
            content=one.content,
            headers=[*caller.items(), *one.headers.items()],
        )
        for one in requests
        if "Authorization" not in one.headers
    ]
    return requests + known


def test_what_comes_through_the_api_stays_out_of_backends_and_container_logs(
    http: httpx.Client, stack: Stack
) -> None:
    canary, made = canaries.make(), time.time()
    requests = hostile_requests(stack.api, stack.caller, canary)
    for request in requests:
        answer = http.send(request)
        assert answer.status_code < 500, (request.method, request.url.path, answer.text)
        # The answer itself does not send it back either.
        assert canary.leaks(answer.text + json.dumps(dict(answer.headers))) == []
    # The sentinel: a payment whose request id is harmless, sent after all of them.
    answer = http.post(
        f"{stack.api}/payments",
        json={"userId": "user-1", "amount": "5.00", "currency": "EUR"},
        headers={**stack.caller, "X-Request-ID": canary.word},
    )
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text

    wait_for_sentinel(http, stack, canary.word)

    def written() -> tuple[dict[str, str] | None, object]:
        logs = stack.container_logs()
        missing = [name for name in ("api's log", "worker's log") if canary.word not in logs[name]]
        return (None if missing else logs), f"the sentinel is missing in {missing}"

    logs = until(written, what="the sentinel in both logs")
    stored = everything(http, stack, made) | logs
    places = ("loki", "tempo", "api's log", "worker's log")
    assert [name for name in places if canary.word not in stored[name]] == []
    assert {name: canary.leaks(text) for name, text in stored.items()} == {
        name: [] for name in stored
    }
    # Everything that runs was searched, the one-shot containers too.
    services = ("api", "worker", "postgres", "collector", "migrate", "sandbox", "loki", "tempo")
    assert {f"{service}'s log" for service in services} <= set(stored)
