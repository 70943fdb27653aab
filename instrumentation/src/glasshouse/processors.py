"""Span and log processors that stamp the current ids on everything a flow emits."""

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import INVALID_SPAN_ID, INVALID_TRACE_ID, TraceFlags

from glasshouse import edge
from glasshouse.context import attributes_of
from glasshouse.guard.trusted import Trusted


class IdsSpanProcessor(Trusted, SpanProcessor):
    """Put ``request.id`` and ``correlation.id`` on each span when it starts.

    A root that a stranger's request began is linked to the span that he named.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        span.set_attributes(attributes_of(parent_context))
        edge.link_root(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing to do: a span cannot be changed any more."""


class IdsLogRecordProcessor(Trusted, LogRecordProcessor):
    """Put ``request.id`` and ``correlation.id`` on each log record.

    A trace that is not sampled exists nowhere, so its records do not point to it.
    """

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        record = log_record.log_record
        if not (record.trace_flags or 0) & TraceFlags.SAMPLED:
            record.trace_id, record.span_id = INVALID_TRACE_ID, INVALID_SPAN_ID
        ids = attributes_of(record.context)
        if ids:
            record.attributes = {**(record.attributes or {}), **ids}

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held, so everything is flushed."""
        return True
