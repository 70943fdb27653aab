"""Personal data that nobody owns: sent through the stack to see that it does not arrive.

Each function takes base addresses, so it works on any Collector and any backend.
"""

from __future__ import annotations

import json
import re
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

SERVICE = "glasshouse-doctor"
METRIC = "glasshouse_doctor_canary"
_CARD_PREFIX = "411111"
_CARD_DIGITS = 16
_SEARCH_WINDOW_S = 3600


@dataclass(frozen=True, kw_only=True)
class Canary:
    """One batch. `word` is harmless and must arrive; email, card and token must not.

    card: digits in groups of four, with a valid Luhn digit. Ids are hexadecimal.
    """

    word: str
    email: str
    card: str
    token: str
    trace_id: str
    span_id: str

    @property
    def text(self) -> str:
        """A sentence with all of it."""
        return f"{self.word} wrote from {self.email}, paid with {self.card} and used {self.token}"

    def leaks(self, stored: str) -> list[str]:
        """Which of "email", "card", "token" are in `stored`, however they are grouped."""
        lower = stored.lower()
        digits = re.sub(r"(?<=\d)[ -](?=\d)", "", stored)
        found: list[str] = []
        if self.email.partition("@")[0] in lower:
            found.append("email")
        if self.card.replace(" ", "") in digits:
            found.append("card")
        if self.token.lower() in lower:
            found.append("token")
        return found


def make() -> Canary:
    """A fresh canary; no two are alike."""
    digits = _CARD_PREFIX + _random(string.digits, _CARD_DIGITS - len(_CARD_PREFIX) - 1)
    card = digits + luhn_digit(digits)
    return Canary(
        # Letters only, so that no rule can take it for a number.
        word="sentinel" + _random(string.ascii_lowercase, 16),
        email=f"canary.{_random(string.ascii_lowercase, 12)}@example.com",
        card=" ".join(card[i : i + 4] for i in range(0, _CARD_DIGITS, 4)),
        token="ghp_" + _random(string.ascii_letters + string.digits, 36),
        trace_id=secrets.token_hex(16),
        span_id=secrets.token_hex(8),
    )


def luhn_digit(digits: str) -> str:
    """The check digit that makes `digits` a valid card number."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def log_payload(canary: Canary) -> dict[str, Any]:
    """One log record as OTLP JSON, with the canary in body and attributes."""
    record = {
        "timeUnixNano": _now(),
        "severityNumber": 9,
        "severityText": "INFO",
        "traceId": canary.trace_id,
        "spanId": canary.span_id,
        "body": {"stringValue": canary.text},
        "attributes": _attributes(canary),
    }
    return _wrap("resourceLogs", "scopeLogs", "logRecords", record)


def span_payload(canary: Canary) -> dict[str, Any]:
    """One span as OTLP JSON, with the canary in attributes, an event and the status."""
    end = int(_now())
    span = {
        "traceId": canary.trace_id,
        "spanId": canary.span_id,
        "name": SERVICE,
        "kind": 1,
        "startTimeUnixNano": str(end - 1_000_000),
        "endTimeUnixNano": str(end),
        "attributes": _attributes(canary),
        "events": [{"timeUnixNano": str(end), "name": "canary", "attributes": _attributes(canary)}],
        "status": {"code": 1},
    }
    return _wrap("resourceSpans", "scopeSpans", "spans", span)


def metric_payload(canary: Canary) -> dict[str, Any]:
    """One gauge as OTLP JSON, with the canary in its attributes."""
    point = {"timeUnixNano": _now(), "asDouble": 1.0, "attributes": _attributes(canary)}
    metric = {"name": METRIC, "gauge": {"dataPoints": [point]}}
    return _wrap("resourceMetrics", "scopeMetrics", "metrics", metric)


def send(
    http: httpx.Client, otlp: str, signal: str, payload: dict[str, Any], sender: Mapping[str, str]
) -> str | None:
    """POST one payload to the Collector; None when it was accepted, else its answer.

    otlp: base address of OTLP over HTTP. signal: "logs", "traces" or "metrics". sender: headers
    of somebody who may send.
    """
    try:
        answer = http.post(f"{otlp}/v1/{signal}", json=payload, headers=sender)
    except httpx.HTTPError as error:
        return f"{type(error).__name__} at {otlp}"
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return (
            "HTTP 401: the Collector does not take the first line of secrets/otlp_token in the "
            "folder GLASSHOUSE_STATE"
        )
    if not answer.is_success:
        return f"HTTP {answer.status_code} at {otlp}"
    # A refusal of single records comes with status 200.
    try:
        refused = (answer.json() if answer.content else {}).get("partialSuccess", {})
    except ValueError:
        return f"what listens at {otlp} is no Collector"
    return f"refused: {json.dumps(refused)}" if any(refused.values()) else None


def stored_log(http: httpx.Client, loki: str, canary: Canary) -> str | None:
    """What Loki stored of the canary's log, None while it is not there."""
    query = f'{{service_name="{SERVICE}"}} |= "{canary.word}"'
    now = time.time_ns()
    window = {"start": str(now - _SEARCH_WINDOW_S * 10**9), "end": str(now + 60 * 10**9)}
    answer = http.get(f"{loki}/loki/api/v1/query_range", params={"query": query, **window})
    # Only the streams: statistics beside them are never empty.
    streams = answer.raise_for_status().json()["data"]["result"]
    return json.dumps(streams, ensure_ascii=False) if streams else None


def stored_trace(http: httpx.Client, tempo: str, canary: Canary) -> str | None:
    """What Tempo stored of the canary's span, found by search; None while it is not there."""
    query = f'{{ span.doctor.word = "{canary.word}" }}'
    now = int(time.time())
    window = {"start": now - _SEARCH_WINDOW_S, "end": now + 60}
    answer = http.get(f"{tempo}/api/search", params={"q": query, **window})
    if not answer.raise_for_status().json().get("traces"):
        return None
    trace = http.get(f"{tempo}/api/v2/traces/{canary.trace_id}")
    if trace.status_code == httpx.codes.NOT_FOUND:
        return None
    stored = json.dumps(trace.raise_for_status().json(), ensure_ascii=False)
    return stored if canary.word in stored else None


def stored_metric(http: httpx.Client, prometheus: str, canary: Canary) -> str | None:
    """What Prometheus stored of the canary's metric, None while it is not there."""
    query = f'{{__name__=~"{METRIC}.*", doctor_word="{canary.word}"}}'
    answer = http.get(f"{prometheus}/api/v1/query", params={"query": query})
    series = answer.raise_for_status().json()["data"]["result"]
    return json.dumps(series, ensure_ascii=False) if series else None


def _attributes(canary: Canary) -> list[dict[str, Any]]:
    values = {
        "doctor.word": canary.word,
        "doctor.note": canary.text,
        "user.email": canary.email,
        "payment.card": canary.card.replace(" ", ""),
        "doctor.credential": canary.token,
    }
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _wrap(resource_key: str, scope_key: str, key: str, item: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": SERVICE}}]}
    scope = {"scope": {"name": SERVICE}, key: [item]}
    return {resource_key: [{"resource": resource, scope_key: [scope]}]}


def _now() -> str:
    return str(time.time_ns())


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
