"""Who may call the deployed API, and how often; a stranger cannot switch its own tracing off."""

import base64
import secrets
import time
from collections.abc import Iterator

import httpx
import pytest

from support import backends
from support.stack import Stack
from support.waiting import until
from support.words import fresh

GOOD = {"userId": "user-of-callers", "amount": "5.00", "currency": "EUR"}
# What one address has without a key: STRANGER_RATE and STRANGER_BURST.
STRANGERS_RATE, STRANGERS_BURST = 10, 40
# Over the burst, also where only a few more are answered in a second than are allowed in it.
MANY = 2000


@pytest.fixture
def rested() -> Iterator[None]:
    """Leave a full bucket to the other tests, which are strangers of this address, too.

    Who asks whether it is full takes from it, so this waits as long as the filling takes.
    """
    yield
    time.sleep(STRANGERS_BURST / STRANGERS_RATE)


@pytest.mark.parametrize("key", [None, "wrong-key-0123456789abcdef"])
def test_without_a_key_nothing_is_taken(http: httpx.Client, stack: Stack, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    answer = http.post(f"{stack.api}/payments", json=GOOD, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api"')
    assert answer.json()["requestId"] == answer.headers["X-Request-ID"]


def test_another_host_is_refused(http: httpx.Client, stack: Stack) -> None:
    headers = {**stack.caller, "Host": "evil.example"}
    answer = http.post(f"{stack.api}/payments", json=GOOD, headers=headers)
    assert answer.status_code == 421
    assert answer.json()["type"] == "urn:glasshouse:problem:host-unknown"


@pytest.mark.usefixtures("rested")
def test_too_many_are_sent_away_for_a_while_and_callers_are_not(
    http: httpx.Client, stack: Stack
) -> None:
    let_in = 0
    while (refused := http.get(f"{stack.api}/nowhere")).status_code == 401 and let_in < MANY:
        let_in += 1
    assert let_in > 0
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["type"] == "urn:glasshouse:problem:rate-limited"
    answer = http.post(f"{stack.api}/payments", json=GOOD, headers=stack.caller)
    assert answer.status_code == 202
    assert http.get(f"{stack.api}/livez").status_code == 200


def test_a_stranger_s_context_is_a_link_of_a_trace_of_its_own(
    http: httpx.Client, stack: Stack
) -> None:
    request_id, trace_id = fresh("edge-"), secrets.token_hex(16)
    headers = {"X-Request-ID": request_id, "traceparent": f"00-{trace_id}-{'ab' * 8}-00"}
    assert http.get(f"{stack.api}/nowhere", headers=headers).status_code in (401, 429)
    query = f'{{span.request.id="{request_id}"}}'

    def probe() -> tuple[str | None, object]:
        found = backends.tempo_search(http, stack.url("tempo"), query)
        return (found[0] if found else None), found

    found = until(probe, what="the stranger's trace")
    assert found != trace_id
    [span] = [
        span
        for span in backends.tempo_spans(http, stack.url("tempo"), found)
        if not span.get("parentSpanId")
    ]
    [link] = span["links"]
    # Tempo's JSON has ids in base64.
    assert base64.b64decode(link["traceId"]).hex() == trace_id
