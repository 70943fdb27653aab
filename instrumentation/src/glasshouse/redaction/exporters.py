"""Puts redaction between the SDK and its exporters.

Around the exporter, not in a processor: a span is immutable when it ends, and an exception there
would reach the application. Here it happens on the exporter's own thread.
"""

import functools
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from glasshouse.delivery.exporters import (
    BufferedLogExporter,
    BufferedSpanExporter,
    DeliveringLogRecordProcessor,
    DeliveringSpanProcessor,
)
from glasshouse.redaction.counting import count_record
from glasshouse.redaction.redactor import Redactor
from glasshouse.redaction.telemetry import TelemetryRedactor


@functools.cache
def telemetry_redactor() -> TelemetryRedactor:
    """Return the redactor of this process's records."""
    return TelemetryRedactor(Redactor.default(), count_record)


class RedactingSpanExporter(SpanExporter):
    """Hands redacted copies of spans to another exporter."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export(telemetry_redactor().spans(spans))

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class RedactingLogExporter(LogRecordExporter):
    """Hands redacted copies of log records to another exporter."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return self._exporter.export(telemetry_redactor().logs(batch))

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class RedactingMetricExporter(MetricExporter):
    """Hands redacted copies of metrics to another exporter."""

    def __init__(self, exporter: MetricExporter) -> None:
        super().__init__()
        self._exporter = exporter

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        redacted = telemetry_redactor().metrics(metrics_data)
        return self._exporter.export(  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped
            redacted, timeout_millis=timeout_millis, **kwargs
        )

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._exporter.shutdown(  # pyright: ignore[reportUnknownMemberType]  # as above
            timeout_millis=timeout_millis, **kwargs
        )

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis=timeout_millis)


def span_processor(exporter: SpanExporter) -> BatchSpanProcessor:
    """Return a batch processor that redacts before ``exporter``."""
    return DeliveringSpanProcessor(RedactingSpanExporter(BufferedSpanExporter(exporter)))


def log_record_processor(exporter: LogRecordExporter) -> BatchLogRecordProcessor:
    """Return a batch processor that redacts before ``exporter``."""
    return DeliveringLogRecordProcessor(RedactingLogExporter(BufferedLogExporter(exporter)))


def redact_reader(reader: MetricReader) -> None:
    """Put redaction before the exporter of a reader that has one.

    The SDK builds its readers itself and offers no place for a wrapper.
    """
    if not isinstance(reader, PeriodicExportingMetricReader):
        return
    name = "_exporter"
    exporter = getattr(reader, name)
    if not isinstance(exporter, RedactingMetricExporter):
        setattr(reader, name, RedactingMetricExporter(exporter))
