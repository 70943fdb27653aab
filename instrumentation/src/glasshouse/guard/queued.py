"""A log record in the queue of an exporter that redacts while it encodes.

It takes the place of four objects of the SDK's, each with a dictionary of its own.
"""

from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord

from glasshouse.guard.logs import RedactedLogRecord


class QueuedLog:
    """What a record says, as the application made it, and where it comes from, redacted."""

    __slots__ = (
        "attributes",
        "body",
        "event_name",
        "instrumentation_scope",
        "limits",
        "observed_timestamp",
        "resource",
        "severity_number",
        "severity_text",
        "span_id",
        "timestamp",
        "trace_flags",
        "trace_id",
    )

    attributes: dict[str, Any]
    body: str
    event_name: str | None
    instrumentation_scope: Any
    limits: Any
    observed_timestamp: int
    resource: Any
    severity_number: Any
    severity_text: str
    span_id: int
    timestamp: int
    trace_flags: Any
    trace_id: int

    def readable(self) -> ReadableLogRecord:
        """Return the same as the SDK has it: a copy that is redacted when somebody reads it."""
        log = LogRecord(
            timestamp=self.timestamp,
            observed_timestamp=self.observed_timestamp,
            context=Context(),
            severity_text=self.severity_text,
            severity_number=self.severity_number,
            body=self.body,
            attributes=self.attributes,
            event_name=self.event_name,
        )
        log.trace_id, log.span_id, log.trace_flags = self.trace_id, self.span_id, self.trace_flags
        return ReadableLogRecord(
            log_record=RedactedLogRecord(log),
            resource=self.resource,
            instrumentation_scope=self.instrumentation_scope,
            limits=self.limits,
        )
