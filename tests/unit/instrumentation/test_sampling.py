"""An unsampled trace: not exported, its logs do not point to it, its context travels on."""

import logging
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry._logs import LogRecord
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    Decision,
    ParentBasedTraceIdRatio,
    Sampler,
)
from opentelemetry.trace import SpanKind, TraceFlags

from glasshouse.context import Ids, with_ids
from glasshouse.formatters import JsonFormatter
from glasshouse.processors import IdsLogRecordProcessor
from glasshouse.propagation import Hosts, install
from glasshouse.redaction import Redactor
from glasshouse.sampling import wrap
from support import http_server

LISTED = Hosts(["127.0.0.1"])


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with http_server.echoing() as url:
        yield url


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def call(
    request: pytest.FixtureRequest, echo: str, exported: InMemorySpanExporter
) -> Iterator[dict[str, str]]:
    """The headers that arrived from a call inside an unsampled request."""
    before = propagate.get_global_textmap()
    hosts: Hosts = request.param
    install(hosts)
    provider = TracerProvider(sampler=wrap(ALWAYS_OFF, hosts))
    provider.add_span_processor(SimpleSpanProcessor(exported))
    provider.add_span_processor(BatchSpanProcessor(exported))
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    token = otel_context.attach(with_ids(Ids("request-1", "correlation-1")))
    tracer = provider.get_tracer("test")
    with (
        tracer.start_as_current_span("GET /", kind=SpanKind.SERVER) as span,
        httpx.Client(timeout=240, trust_env=False) as client,
    ):
        arrived = client.get(f"{echo}/").json()
        arrived["our trace"] = f"{span.get_span_context().trace_id:032x}"
    provider.force_flush()
    yield arrived
    otel_context.detach(token)
    provider.shutdown()
    HTTPXClientInstrumentor().uninstrument()
    propagate.set_global_textmap(before)


@pytest.mark.parametrize("call", [LISTED, Hosts(["*"])], indirect=True)
def test_an_unsampled_call_hands_its_context_to_a_listed_host(
    call: dict[str, str], exported: InMemorySpanExporter
) -> None:
    _, trace_id, _, flags = call["traceparent"].split("-")
    assert trace_id == call["our trace"]
    assert not TraceFlags(int(flags, 16)).sampled
    assert call["x-correlation-id"] == "correlation-1"
    assert exported.get_finished_spans() == ()


@pytest.mark.parametrize("call", [Hosts([]), Hosts(["*.internal"])], indirect=True)
def test_and_to_no_other(call: dict[str, str], exported: InMemorySpanExporter) -> None:
    assert {"traceparent", "baggage", "x-correlation-id", "x-request-id"} & call.keys() == set()
    assert exported.get_finished_spans() == ()


@pytest.mark.parametrize(
    ("inner", "kind", "hosts", "decision"),
    [
        (ALWAYS_OFF, SpanKind.CLIENT, LISTED, Decision.RECORD_ONLY),
        (ALWAYS_OFF, SpanKind.CLIENT, Hosts([]), Decision.DROP),
        (ALWAYS_OFF, SpanKind.PRODUCER, Hosts([]), Decision.RECORD_ONLY),
        (ALWAYS_OFF, SpanKind.SERVER, LISTED, Decision.DROP),
        (ALWAYS_OFF, SpanKind.INTERNAL, LISTED, Decision.DROP),
        (ALWAYS_ON, SpanKind.CLIENT, LISTED, Decision.RECORD_AND_SAMPLE),
        (ParentBasedTraceIdRatio(0.0), SpanKind.CLIENT, LISTED, Decision.RECORD_ONLY),
        (ParentBasedTraceIdRatio(1.0), SpanKind.SERVER, LISTED, Decision.RECORD_AND_SAMPLE),
    ],
)
def test_only_what_may_carry_context_is_recorded(
    inner: Sampler, kind: SpanKind, hosts: Hosts, decision: Decision
) -> None:
    made = wrap(inner, hosts).should_sample(None, 1, "x", kind, {"server.address": "a"})
    assert made.decision is decision
    recorded = decision is not Decision.DROP
    assert dict(made.attributes or {}) == ({"server.address": "a"} if recorded else {})


def test_wrapping_twice_wraps_once() -> None:
    once = wrap(ALWAYS_OFF, LISTED)
    assert wrap(once, LISTED) is once
    assert once.get_description() == "AlwaysOffSampler"


def incoming(flags: str) -> otel_context.Context:
    """The context of a request whose sender decided on sampling."""
    carrier = {"traceparent": f"00-{0xAB:032x}-{0xCD:016x}-{flags}"}
    return with_ids(Ids("request-1", "correlation-1"), propagate.extract(carrier))


@pytest.mark.parametrize(("flags", "linked"), [("00", False), ("01", True)])
def test_a_log_record_points_to_its_trace_only_if_there_is_one(flags: str, linked: bool) -> None:
    exporter, provider = InMemoryLogRecordExporter(), LoggerProvider()
    provider.add_log_record_processor(IdsLogRecordProcessor())
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    tracer = TracerProvider(sampler=DEFAULT_ON).get_tracer("test")
    token = otel_context.attach(incoming(flags))
    try:
        with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER):
            provider.get_logger("test").emit(LogRecord(body="paid"))
            line = JsonFormatter("test", Redactor.default()).format(
                logging.makeLogRecord({"msg": "paid"})
            )
    finally:
        otel_context.detach(token)
        provider.shutdown()
    [data] = exporter.get_finished_logs()
    record = data.log_record
    assert (record.trace_id == 0xAB, bool(record.span_id)) == (linked, linked)
    assert dict(record.attributes or {})["request.id"] == "request-1"
    assert ('"traceId"' in line, '"spanId"' in line) == (linked, linked)
    assert '"requestId":"request-1"' in line


def test_the_sampler_of_the_environment_is_the_one_that_is_wrapped() -> None:
    provider = TracerProvider(sampler=ParentBasedTraceIdRatio(0.25))
    provider.sampler = wrap(provider.sampler, LISTED)
    assert provider.sampler.get_description().startswith("ParentBased{root:TraceIdRatioBased{0.25}")
    made = provider.get_tracer("test")
    context = trace.set_span_in_context(trace.INVALID_SPAN)
    kept = [made.start_span("x", context, SpanKind.SERVER).is_recording() for _ in range(2000)]
    assert 350 < sum(kept) < 650
