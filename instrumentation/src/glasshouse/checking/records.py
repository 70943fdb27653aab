"""One record of each signal, with something personal inside, redacted as every other."""

import time
from dataclasses import dataclass
from typing import Any, Final, cast

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import format_trace_id

from glasshouse.checking.targets import LOGS, METRICS, TRACES, Signal
from glasshouse.redaction.process import telemetry_redactor

NAME: Final = "glasshouse.check"
# Reserved for examples: nobody's.
PERSONAL: Final = "jane.doe@example.com"
_KEY: Final = "reply_to"


@dataclass(frozen=True, kw_only=True)
class Records:
    """What is sent, by signal, as its exporter takes it; and the trace that it belongs to."""

    batches: dict[Signal, Any]
    trace_id: str
    unmasked: frozenset[Signal]


def make() -> Records:
    """Return one redacted record of each signal. Nothing of this process is set up for it."""
    resource = Resource.create()
    spans, logs, reader = (
        InMemorySpanExporter(),
        InMemoryLogRecordExporter(),
        InMemoryMetricReader(),
    )
    tracing = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    logging = LoggerProvider(resource=resource, shutdown_on_exit=False)
    logging.add_log_record_processor(SimpleLogRecordProcessor(logs))
    metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    with tracing.get_tracer(NAME).start_as_current_span(NAME, attributes={_KEY: PERSONAL}) as span:
        body = f"Sent by glasshouse check, reply to {PERSONAL}"
        now = time.time_ns()
        logging.get_logger(NAME).emit(
            LogRecord(
                timestamp=now,
                observed_timestamp=now,
                severity_text="INFO",
                severity_number=SeverityNumber.INFO,
                body=body,
                attributes={_KEY: PERSONAL},
            )
        )
        metering.get_meter(NAME).create_counter(NAME).add(1, {_KEY: PERSONAL})
    redactor = telemetry_redactor()
    metrics = reader.get_metrics_data()
    batches: dict[Signal, Any] = {
        LOGS: redactor.logs(logs.get_finished_logs()),
        TRACES: redactor.spans(spans.get_finished_spans()),
        METRICS: redactor.metrics(metrics) if metrics else None,
    }
    return Records(
        batches=batches,
        trace_id=format_trace_id(span.get_span_context().trace_id),
        unmasked=frozenset(signal for signal, batch in batches.items() if PERSONAL in _text(batch)),
    )


def _text(batch: Any) -> str:
    items = cast(list[Any], batch) if isinstance(batch, list) else [batch]
    return "".join(item.to_json() for item in items)
