"""Exporters that take everything at once and deliver it on a thread of their own."""

import functools
from collections.abc import Sequence
from typing import Any, Final, cast

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

from glasshouse import shutdown
from glasshouse.delivery.attempts import NOT_ENCODABLE, Attempts
from glasshouse.delivery.bounds import Bounds, bounds_from
from glasshouse.delivery.counting import Counts
from glasshouse.delivery.kinds import (
    ENCODED_LOGS,
    ENCODED_TRACES,
    LOGS,
    METRICS,
    TRACES,
    Kind,
)
from glasshouse.delivery.reporting import Reporter
from glasshouse.delivery.sender import Sender
from glasshouse.encoding.encoders import Logs, Spans
from glasshouse.encoding.upstream import takes_encoded
from glasshouse.guard.queued import QueuedLog
from glasshouse.guard.trusted import Queueing

# What the end of the process needs beside the delivery, in seconds.
_MARGIN_S: Final = 0.3
_FLUSH_S: Final = 30.0


@functools.cache
def _reporter() -> Reporter:
    return Reporter()


def _sender(kind: Kind, exporter: Any, succeeded: Any, bounds: Bounds | None) -> Sender:
    return Sender(
        kind,
        Attempts(kind, exporter, succeeded),
        bounds or bounds_from(),
        Counts(kind, exporter),
        _reporter(),
    )


def _put(sender: Sender, encoder: Spans | Logs | None, batch: Sequence[Any]) -> bool:
    if encoder is None:
        return sender.put(batch)
    encoded, failed = encoder.encode(batch)
    sender.refuse(failed, NOT_ENCODABLE)
    return sender.put(encoded) if len(encoded) else True


def _close(sender: Sender) -> None:
    sender.close(max(0.0, shutdown.remaining() - _MARGIN_S))


class BufferedSpanExporter(SpanExporter):
    """Keeps spans until another exporter has delivered them."""

    def __init__(self, exporter: SpanExporter, bounds: Bounds | None = None) -> None:
        self._exporter = exporter
        self._encoder = Spans() if takes_encoded(exporter) else None
        kind = ENCODED_TRACES if self._encoder else TRACES
        self._sender = _sender(kind, exporter, SpanExportResult.SUCCESS, bounds)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        taken = _put(self._sender, self._encoder, spans)
        return SpanExportResult.SUCCESS if taken else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        _close(self._sender)
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._sender.flush(timeout_millis / 1000)


class BufferedLogExporter(LogRecordExporter):
    """Keeps log records until another exporter has delivered them."""

    def __init__(self, exporter: LogRecordExporter, bounds: Bounds | None = None) -> None:
        self._exporter = exporter
        self._encoder = Logs() if takes_encoded(exporter) else None
        self.encodes = self._encoder is not None
        kind = ENCODED_LOGS if self._encoder else LOGS
        self._sender = _sender(kind, exporter, LogRecordExportResult.SUCCESS, bounds)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        taken = _put(self._sender, self._encoder, batch)
        return LogRecordExportResult.SUCCESS if taken else LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        _close(self._sender)
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._sender.flush(timeout_millis / 1000)


class BufferedMetricExporter(MetricExporter):
    """Keeps metrics until another exporter has delivered them.

    Of cumulative ones only the newest, which says all that the older ones said.
    """

    def __init__(self, exporter: MetricExporter, bounds: Bounds | None = None) -> None:
        preferred = vars(exporter)
        super().__init__(
            preferred_temporality=preferred.get("_preferred_temporality"),
            preferred_aggregation=preferred.get("_preferred_aggregation"),
        )
        self._exporter = exporter
        self._sender = _sender(METRICS, exporter, MetricExportResult.SUCCESS, bounds)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        taken = self._sender.put(metrics_data)
        return MetricExportResult.SUCCESS if taken else MetricExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        _close(self._sender)
        self._exporter.shutdown()  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        return self._sender.flush(timeout_millis / 1000)


class DeliveringSpanProcessor(BatchSpanProcessor):
    """Its flush waits for the delivery; the SDK's waits for the exporter's answer alone."""

    def __init__(self, exporter: SpanExporter) -> None:
        super().__init__(exporter)
        self._delivery = exporter

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        if not super().force_flush(_millis(timeout_millis)):
            return False
        return self._delivery.force_flush(_millis(timeout_millis))


class DeliveringLogRecordProcessor(Queueing, BatchLogRecordProcessor):
    """As above, for log records."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        super().__init__(exporter)
        self._delivery = exporter
        self.takes_queued = isinstance(exporter, BufferedLogExporter) and exporter.encodes

    def queue(self, record: ReadableLogRecord | QueuedLog) -> None:
        # Its queue takes anything; what comes out goes to the exporter above.
        self._batch_processor.emit(cast(Any, record))

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        if not super().force_flush(_millis(timeout_millis)):
            return False
        return self._delivery.force_flush(_millis(timeout_millis))


def _millis(timeout_millis: float | None) -> int:
    return int(_FLUSH_S * 1000 if timeout_millis is None else timeout_millis)


def span_processor(exporter: SpanExporter) -> BatchSpanProcessor:
    """Return a batch processor before ``exporter``, with the buffer between them."""
    return DeliveringSpanProcessor(BufferedSpanExporter(exporter))


def log_record_processor(exporter: LogRecordExporter) -> BatchLogRecordProcessor:
    """Return a batch processor before ``exporter``, with the buffer between them."""
    return DeliveringLogRecordProcessor(BufferedLogExporter(exporter))


def metric_exporter(exporter: MetricExporter) -> MetricExporter:
    """Return an exporter with the buffer before ``exporter``."""
    return BufferedMetricExporter(exporter)


def buffer_reader(reader: MetricReader) -> None:
    """Put the buffer before the exporter of a reader that has one.

    The SDK builds its readers itself and offers no place for a wrapper.
    """
    name = "_exporter"
    if isinstance(reader, PeriodicExportingMetricReader):
        exporter = getattr(reader, name)
        if not isinstance(exporter, BufferedMetricExporter):
            setattr(reader, name, BufferedMetricExporter(exporter))
