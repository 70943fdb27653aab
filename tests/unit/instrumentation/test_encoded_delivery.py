"""Who gets records that are encoded, and that such an exporter keeps to its own settings."""

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from glasshouse import guard
from glasshouse.delivery import exporter_arguments, log_record_processor, span_processor
from glasshouse.encoding.upstream import takes_encoded
from support import otlp_sink
from support.otlp_sink import Fault, Request, Sink

CARD = "4111111111111111"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


@pytest.fixture(autouse=True)
def guarded() -> Iterator[None]:
    guard.install()
    yield
    guard.uninstall()


def exporter(kind: type[Any], sink: Sink, signal: str, **given: Any) -> Any:
    arguments = exporter_arguments()[kind]
    return kind(endpoint=f"{sink.url}/v1/{signal}", timeout=5, **arguments, **given)


def provider(*exporters: SpanExporter) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    for one in exporters:
        made.add_span_processor(span_processor(one))
    return made


def say(traces: TracerProvider) -> None:
    with traces.get_tracer("library", "1").start_as_current_span("pay") as span:
        span.set_attributes({"card": CARD, "n": 5})
        span.add_event("paid", {"by": CARD})
    assert traces.force_flush(60_000)


def texts(attributes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in attributes}


def test_spans_arrive_redacted_with_the_exporter_s_own_settings(sink: Sink) -> None:
    headers = {"x-tenant": "shop"}
    own = exporter(OTLPSpanExporter, sink, "traces", headers=headers, compression=Compression.Gzip)
    traces = provider(own)
    say(traces)
    traces.shutdown()
    [request] = sink.requests
    assert request.headers["x-tenant"] == "shop"
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["content-type"] == "application/x-protobuf"
    [span] = sink.spans()
    assert span["name"] == "pay"
    assert texts(span["attributes"]) == {"card": "[card:1111]", "n": "5"}
    assert texts(span["events"][0]["attributes"]) == {"by": "[card:1111]"}


def test_log_records_arrive_redacted(sink: Sink) -> None:
    records = LoggerProvider(shutdown_on_exit=False)
    records.add_log_record_processor(log_record_processor(exporter(OTLPLogExporter, sink, "logs")))
    records.get_logger("library").emit(
        body=f"paid by {CARD}", attributes={"card": CARD, "n": 5}, severity_text="INFO"
    )
    assert records.force_flush(60_000)
    records.shutdown()
    [record] = sink.log_records()
    assert record["body"] == {"stringValue": "paid by [card:1111]"}
    assert texts(record["attributes"]) == {"card": "[card:1111]", "n": "5"}
    assert record["severityText"] == "INFO"


def test_another_try_sends_the_same_bytes(sink: Sink) -> None:
    def at_first(_: Request) -> Fault | None:
        return None if sink.refused else Fault(status=503)

    sink.fault = at_first
    traces = provider(exporter(OTLPSpanExporter, sink, "traces"))
    say(traces)
    traces.shutdown()
    assert [one.body for one in sink.requests] == [one.body for one in sink.refused]
    assert sink.spans()[0]["name"] == "pay"


class Own(SpanExporter):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.seen += spans
        return SpanExportResult.SUCCESS


class Deriving(OTLPSpanExporter):
    """Somebody's own: it may read what it is given."""

    seen: tuple[Any, ...] = ()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.seen = (*self.seen, *spans)
        return super().export(spans)


def test_exporters_of_others_get_redacted_spans(sink: Sink) -> None:
    own, deriving = Own(), Deriving(endpoint=f"{sink.url}/v1/traces")
    traces = provider(own, deriving)
    say(traces)
    for [span] in (own.seen, deriving.seen):
        assert dict(span.attributes) == {"card": "[card:1111]", "n": 5}
    traces.shutdown()
    assert texts(sink.spans()[0]["attributes"]) == {"card": "[card:1111]", "n": "5"}


def test_a_console_beside_it_changes_nothing(sink: Sink) -> None:
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        traces = provider(exporter(OTLPSpanExporter, sink, "traces"))
        traces.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=nowhere)))
        say(traces)
        traces.shutdown()
    [span] = sink.spans()
    assert texts(span["attributes"]) == {"card": "[card:1111]", "n": "5"}


@pytest.mark.parametrize(
    ("kind", "name"), [(OTLPSpanExporter, "encode_spans"), (OTLPLogExporter, "encode_logs")]
)
def test_a_release_that_encodes_elsewhere_gets_records(
    monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str
) -> None:
    made = kind(endpoint="http://127.0.0.1:1")
    assert takes_encoded(made)
    monkeypatch.delattr(importlib.import_module(kind.__module__), name)
    assert not takes_encoded(made)
