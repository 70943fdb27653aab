"""Events that are kept until they are acknowledged: how they are prepared, and sent."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from opentelemetry import context, trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, LogRecordExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from glasshouse import acknowledged, events
from glasshouse.acknowledged import (
    EventSender,
    Outcome,
    PreparedEvent,
    announce_event,
    is_exported,
    prepare_event,
)
from glasshouse.context import Ids, with_ids
from glasshouse.pseudonym import hmac_key, user_pseudonym
from support import otlp_sink
from support.otlp_sink import Request, Sink
from support.ports import free

INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")
SPAN = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", "k" * 32)
    monkeypatch.delenv("GLASSHOUSE_HMAC_KEY_FILE", raising=False)
    hmac_key.cache_clear()


def event(**changes: Any) -> PreparedEvent:
    return prepare_event("order.placed", "Order placed", **{"order_id": "o_1", **changes})


def sender(monkeypatch: pytest.MonkeyPatch, url: str, timeout: float = 60) -> EventSender:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    return EventSender(timeout)


def test_an_event_has_the_ids_the_span_and_the_time_of_its_moment():
    token = context.attach(
        trace.set_span_in_context(
            NonRecordingSpan(SPAN), with_ids(Ids("request-one", "correlation-one"))
        )
    )
    before = time.time_ns()
    made = event(user_id="jane@example.com", note="card 4111 1111 1111 1111", price=1.23456789)
    context.detach(token)
    assert before - 1000 <= made.time <= time.time_ns()
    assert made.time % 1000 == 0
    assert made.traceparent == f"00-{0xA1:032x}-{0xB2:016x}-01"
    assert dict(made.attributes) == {
        "event": "order.placed",
        "order.order_id": "o_1",
        "order.user_id": user_pseudonym("jane@example.com"),
        "order.note": "card [card:1111]",
        "order.price": 1.234568,
        "request.id": "request-one",
        "correlation.id": "correlation-one",
    }
    assert (made.level, made.name, made.message) == (logging.INFO, "order.placed", "Order placed")
    assert event().id != event().id


def test_an_event_does_not_point_to_a_trace_that_is_not_sampled():
    unsampled = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(0))
    token = context.attach(trace.set_span_in_context(NonRecordingSpan(unsampled)))
    made = event()
    context.detach(token)
    assert made.traceparent is None


def test_outside_of_everything_an_event_has_neither():
    made = event()
    assert made.traceparent is None
    assert "request.id" not in made.attributes


class Odd:
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("caf\udce9", "caf\\udce9"),
        ("x" * 5000, "x" * 4096),
        (float("nan"), "nan"),
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (True, True),
        (Odd(), "[unchecked]"),
    ],
)
def test_what_no_record_can_carry_is_repaired(value: Any, kept: object):
    made = event(odd=value)
    assert made.attributes["order.odd"] == kept
    assert type(made.attributes["order.odd"]) is type(kept)
    assert json.loads(json.dumps(dict(made.attributes), allow_nan=False)) == made.attributes


def test_half_a_pair_in_a_user_id_has_a_pseudonym_of_its_own():
    whole, half = event(user_id="bob"), event(user_id="bob\ud800")
    assert whole.attributes["order.user_id"] != half.attributes["order.user_id"]


ANSWERS = [
    (200, "acknowledged"),
    (202, "acknowledged"),
    # The exporter takes it for success; nobody has read the request.
    (302, "unavailable"),
    (400, "refused"),
    (413, "refused"),
    # Wrong settings on either side: every event would be refused.
    (401, "unavailable"),
    (404, "unavailable"),
    (429, "unavailable"),
    (500, "unavailable"),
    (503, "unavailable"),
]


@pytest.mark.parametrize(("status", "outcome"), ANSWERS)
def test_an_answer_says_what_became_of_a_batch(
    monkeypatch: pytest.MonkeyPatch, status: int, outcome: Outcome
):
    with otlp_sink.running(lambda _: status) as sink:
        # Little time for the exporter's own repeats, all for an answer that ends it.
        timeout = 0.9 if status in (429, 503) else 60
        found = sender(monkeypatch, sink.url, timeout).send([event(), event()])
    assert found == outcome
    assert len({flat["log.record.uid"] for flat in map(attributes, sink.log_records())}) == 2


def test_nobody_there_is_unavailable(monkeypatch: pytest.MonkeyPatch):
    url = f"http://127.0.0.1:{free(['nobody'])['nobody']}"
    assert sender(monkeypatch, url, timeout=0.5).send([event()]) == "unavailable"


def test_no_answer_in_time_is_unavailable(monkeypatch: pytest.MonkeyPatch):
    with otlp_sink.running(slow) as sink:
        assert sender(monkeypatch, sink.url, timeout=0.2).send([event()]) == "unavailable"


def slow(_: Request) -> int:
    time.sleep(2)
    return 200


def test_a_sender_goes_on_after_each_answer(monkeypatch: pytest.MonkeyPatch):
    answers = iter([400, 200, 400, 200])
    with otlp_sink.running(lambda _: next(answers)) as sink:
        one = sender(monkeypatch, sink.url)
        assert [one.send([event()]) for _ in range(4)] == ["refused", "acknowledged"] * 2
        one.close()


@pytest.mark.parametrize("change", [{"time": -1}, {"attributes": {"a": object()}}])
def test_what_cannot_be_encoded_is_refused(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]):
    broken = PreparedEvent(**{**vars(event()), **change})
    with otlp_sink.running() as sink:
        one = sender(monkeypatch, sink.url)
        found = one.send([broken])
        assert one.send([event()]) == "acknowledged"
    assert found == "refused" or sink.log_records()[0]["attributes"]


def test_what_the_exporter_cannot_encode_is_refused_without_a_request(
    monkeypatch: pytest.MonkeyPatch,
):
    made = acknowledged._record(event())
    made.log_record.body = object()  # type: ignore[assignment]
    with otlp_sink.running() as sink:
        one = sender(monkeypatch, sink.url)
        monkeypatch.setattr(acknowledged, "_record", lambda _: made)
        assert one.send([event()]) == "refused"
        monkeypatch.undo()
        assert one.send([event()]) == "acknowledged"
    assert len(sink.requests) == 1


def test_a_record_has_the_time_of_the_event_and_not_of_its_sending(
    monkeypatch: pytest.MonkeyPatch,
):
    old = PreparedEvent(**{**vars(event()), "time": 1_700_000_000_123_456_000})
    with otlp_sink.running() as sink:
        sender(monkeypatch, sink.url).send([old])
    [record] = sink.log_records()
    times = (record["timeUnixNano"], record["observedTimeUnixNano"])
    assert times == ("1700000000123456000",) * 2


def test_its_requests_are_not_instrumented(monkeypatch: pytest.MonkeyPatch):
    enabled: list[bool] = []
    request = requests.Session.request

    def watched(*args: Any, **kwargs: Any) -> requests.Response:
        enabled.append(is_instrumentation_enabled())
        return request(*args, **kwargs)

    monkeypatch.setattr(requests.Session, "request", watched)
    with otlp_sink.running() as sink:
        sender(monkeypatch, sink.url).send([event()])
    assert enabled == [False]
    assert is_instrumentation_enabled()


def test_what_is_stored_by_somebody_else_is_redacted_when_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
):
    with otlp_sink.running() as sink:
        raw = PreparedEvent(**{**vars(event()), "attributes": {"order.to": "jane@example.com"}})
        sender(monkeypatch, sink.url).send([raw])
    assert "jane@example.com" not in str(sink.log_records())
    assert "[email:" in str(sink.log_records())


@pytest.mark.parametrize(
    ("variables", "provider", "exported"),
    [
        ({}, True, True),
        ({"OTEL_LOGS_EXPORTER": "console, otlp"}, True, True),
        ({"OTEL_LOGS_EXPORTER": "none"}, True, False),
        ({"OTEL_LOGS_EXPORTER": "console"}, True, False),
        ({"OTEL_SDK_DISABLED": "True"}, True, False),
        ({}, False, False),
    ],
)
def test_events_are_kept_only_where_logs_are_sent(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    provider: bool,
    exported: bool,
):
    for name in ("OTEL_LOGS_EXPORTER", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    present: Callable[[], object] = LoggerProvider if provider else object
    monkeypatch.setattr(acknowledged, "get_logger_provider", present)
    assert is_exported() is exported


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (LogRecordExportResult.SUCCESS, "acknowledged"),
        (LogRecordExportResult.FAILURE, "unavailable"),
    ],
)
@pytest.mark.parametrize(
    ("variables", "used"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True),
        ({"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"}, True),
        (
            {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf",
            },
            False,
        ),
    ],
)
def test_events_go_by_the_protocol_that_is_set(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    used: bool,
    result: LogRecordExportResult,
    outcome: str,
):
    class OverGrpc(InMemoryLogRecordExporter):
        def __init__(self, timeout: float) -> None:
            super().__init__()
            made.append(timeout)

        def export(self, batch: Any) -> LogRecordExportResult:
            assert not is_instrumentation_enabled()
            return result

    made: list[float] = []
    entry = SimpleNamespace(load=lambda: OverGrpc)
    monkeypatch.setattr(acknowledged, "entry_points", lambda **_: [entry])
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with otlp_sink.running() as sink:
        found = sender(monkeypatch, sink.url, timeout=7).send([event()])
    assert made == ([7] if used else [])
    assert found == (outcome if used else "acknowledged")
    assert len(sink.requests) == (0 if used else 1)


def test_a_line_that_cannot_be_written_reaches_nobody(monkeypatch: pytest.MonkeyPatch):
    def fail(_: logging.LogRecord) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(events, "show_event", fail)
    announce_event(event())


PROGRAM = """
import json
from opentelemetry import trace
from glasshouse import emit_event
from glasshouse.acknowledged import EventSender, announce_event, prepare_event
from glasshouse.context import Ids, with_ids
from opentelemetry import context

fields = {"order_id": "o_1", "user_id": "jane@example.com", "price": 1.5, "paid": True}
context.attach(with_ids(Ids("request-one", "correlation-one")))
with trace.get_tracer("t").start_as_current_span("placing"):
    emit_event("order.failed", "Order failed", error_type="sold_out", **fields)
    kept = prepare_event("order.failed", "Order failed", error_type="sold_out", **fields)
announce_event(kept)
stored = json.loads(json.dumps(vars(kept)))
print(EventSender().send([type(kept)(**stored)]))
"""


def test_a_kept_event_is_sent_as_an_emitted_one_but_for_its_id(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    with otlp_sink.running() as sink:
        ended = subprocess.run(
            [str(INSTRUMENT), sys.executable, str(program)],
            env={
                "PATH": os.environ["PATH"],
                "OTEL_PYTHON_DISTRO": "glasshouse",
                "OTEL_SERVICE_NAME": "orders",
                "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
                "OTEL_METRICS_EXPORTER": "none",
                "GLASSHOUSE_HMAC_KEY": "k" * 32,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    assert "acknowledged" in ended.stdout, ended
    found = sorted(records(sink), key=lambda one: "log.record.uid" in attributes(one[2]))
    # One of each way: the line on the console is none of them.
    [(resource, scope, emitted), (other_resource, other_scope, kept)] = found
    assert other_resource == resource
    assert other_scope == scope
    both = [attributes(emitted), attributes(kept)]
    assert both[1].pop("log.record.uid")
    assert both[0] == both[1]
    apart = ("timeUnixNano", "observedTimeUnixNano", "attributes")
    assert [{k: v for k, v in one.items() if k not in apart} for one in (emitted, kept)] == [
        {k: v for k, v in emitted.items() if k not in apart}
    ] * 2
    # No request of its own in the traces.
    assert [one["name"] for one in sink.spans()] == ["placing"]
    lines = [json.loads(one) for one in ended.stdout.splitlines() if '"order.failed"' in one]
    assert len(lines) == 2
    changing = ("timestamp", "traceId", "spanId")
    assert [{k: v for k, v in one.items() if k not in changing} for one in lines] == [
        {k: v for k, v in lines[0].items() if k not in changing}
    ] * 2


def records(sink: Sink) -> list[tuple[Any, Any, dict[str, Any]]]:
    return [
        (resource["resource"], scope["scope"], record)
        for request in sink.stored("logs")
        for resource in request["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
        if record.get("eventName")
    ]


def attributes(record: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in record["attributes"]}
