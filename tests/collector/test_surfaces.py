"""Personal data on each surface of each signal that the stock processors reach."""

import json
from typing import Any

import pytest

from glasshouse_stack.doctor import canary as canaries
from glasshouse_stack.doctor.canary import Canary
from support import otlp
from support.collector import Rig
from support.waiting import until

pytestmark = pytest.mark.collector

Item = dict[str, Any]


def log_body(c: Canary) -> Item:
    return otlp.log(c.text, {"word": c.word})


def log_body_map(c: Canary) -> Item:
    inner = {"kvlistValue": {"values": otlp.attributes({"note": c.text})}}
    body = {"kvlistValue": {"values": [{"key": "customer", "value": inner}]}}
    return otlp.log("", {"word": c.word}) | {"body": body}


def log_attribute(c: Canary) -> Item:
    return otlp.log("order", {"word": c.word, "note": c.text})


def log_number_attribute(c: Canary) -> Item:
    return otlp.log("order", {"word": c.word, "number": int(c.card.replace(" ", ""))})


def log_sensitive_key(c: Canary) -> Item:
    return otlp.log("order", {"word": c.word, "user.password": c.token})


def span_name(c: Canary) -> Item:
    return otlp.span(f"GET /{c.email}/{c.card}", {"word": c.word})


def span_attribute(c: Canary) -> Item:
    return otlp.span("order", {"word": c.word, "note": c.text})


def span_status(c: Canary) -> Item:
    status = {"code": 2, "message": f"failed for {c.email} {c.card}"}
    return otlp.span("order", {"word": c.word}) | {"status": status}


def span_trace_state(c: Canary) -> Item:
    return otlp.span("order", {"word": c.word}) | {
        "traceState": f"vendor={c.card.replace(' ', '')}"
    }


def span_event(c: Canary) -> Item:
    event = {
        "timeUnixNano": otlp.log("")["timeUnixNano"],
        "name": f"mail to {c.email}",
        "attributes": otlp.attributes({"exception.message": c.text}),
    }
    return otlp.span("order", {"word": c.word}) | {"events": [event]}


def metric_attribute(c: Canary) -> Item:
    return otlp.gauge("orders.open", 1.0, {"word": c.word, "customer": c.text})


SURFACES = {
    "logs": [log_body, log_body_map, log_attribute, log_number_attribute, log_sensitive_key],
    "traces": [span_name, span_attribute, span_status, span_trace_state, span_event],
    "metrics": [metric_attribute],
}


def send(rig: Rig, signal: str, item: Item) -> None:
    sender = otlp.Sender(rig.endpoint, "surfaces")
    {"logs": sender.logs, "traces": sender.spans, "metrics": sender.metrics}[signal]([item])
    sender.close()


def stored_request(rig: Rig, signal: str, word: str) -> str:
    """Return what the sink stored of the request with ``word`` in it, as text."""

    def probe() -> tuple[str | None, object]:
        requests = [json.dumps(request) for request in rig.stored(signal)]
        # The word is in forbidden values too: look for the attribute that carries it alone.
        found = [text for text in requests if f'"stringValue": "{word}"' in text]
        return (found[0] if found else None), f"{len(requests)} requests"

    return until(probe, what=f"the sentinel {word} in {signal}")


@pytest.mark.parametrize(
    ("signal", "surface"),
    [(signal, surface) for signal, surfaces in SURFACES.items() for surface in surfaces],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_no_canary_passes(rig: Rig, redaction: str, signal: str, surface: Any) -> None:
    canary = canaries.make()
    item = surface(canary)
    sent = canary.leaks(json.dumps(item))
    assert sent, "this surface carries nothing forbidden"

    send(rig, signal, item)
    stored = stored_request(rig, signal, canary.word)

    assert canary.leaks(stored) == ([] if redaction == "on" else sent)
