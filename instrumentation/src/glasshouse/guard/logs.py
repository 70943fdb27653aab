"""Log records for processors: each gets a redacted copy of its own.

A processor may change a record for those after it. So what it did to its copy is what the next one
gets, redacted again.
"""

import copy
from typing import Any, Final

from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

from glasshouse.guard.safely import safely
from glasshouse.guard.trusted import Queueing
from glasshouse.redaction.process import telemetry_redactor

_RAW: Final = "_glasshouse_raw"
_NONE: Final = Context()
_MOST_SCOPES: Final = 1024
# Known without redaction, and asked for on the application's thread.
_PLAIN: Final = ("trace_id", "span_id", "trace_flags", "severity_number", "context")


class RedactedLogRecord(LogRecord):
    """The copy of a log record that may leave, made when somebody first reads it."""

    def __init__(self, log: LogRecord) -> None:
        # Not the base class': its fields are missing until one of them is read.
        known, own = vars(log), vars(self)
        for name in _PLAIN:
            if name in known:
                own[name] = known[name]
        own[_RAW] = log

    def __getattr__(self, name: str) -> Any:
        own = vars(self)
        log = own.get(_RAW)
        if log is not None and not name.startswith("__"):
            # What was set on the copy stands.
            own.update({**vars(telemetry_redactor().log(log)), **own})
            own.pop(_RAW, None)
        if name in own:
            return own[name]
        raise AttributeError(name)

    @property
    def was_read(self) -> bool:
        return _RAW not in vars(self)


_UNTOUCHED: Final = frozenset({*_PLAIN, _RAW})


def raw_of(log: object) -> LogRecord | None:
    """Return what a copy is made of; None where it was made or written to, or is no such copy."""
    if type(log) is not RedactedLogRecord:
        return None
    own = vars(log)
    return own.get(_RAW) if own.keys() == _UNTOUCHED else None


def redacted(record: ReadWriteLogRecord) -> ReadWriteLogRecord:
    """Return a copy of a record that may leave."""
    # Not by its constructor, which reads all attributes.
    made = copy.copy(record)
    redactor = telemetry_redactor()
    made.log_record = RedactedLogRecord(record.log_record)
    if record.resource is not None:
        made.resource = redactor.resource(record.resource, "logs")
    made.instrumentation_scope = redactor.scope(record.instrumentation_scope, "logs")
    return made


class LogGuard(LogRecordProcessor):
    """Hands on to ``inner`` what may leave."""

    def __init__(self, inner: LogRecordProcessor) -> None:
        self.inner = inner
        self._queueing = inner if isinstance(inner, Queueing) else None
        # The last resource, and scopes by their identity: each with what may leave of it.
        self._resource: tuple[Any, Any] = (None, None)
        self._scopes: dict[int, tuple[Any, Any]] = {}

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        if self._queueing is None:
            safely(self.inner, self._on_emit, log_record)
        else:
            safely(self.inner, self._queue, log_record, self._queueing)

    def origin(self, given: Resource | None, scope: Any) -> tuple[Resource, Any]:
        """Return what may leave of a resource and a scope."""
        resource, last = given or Resource.create({}), self._resource
        if last[0] is not resource:
            last = self._resource = resource, telemetry_redactor().resource(resource, "logs")
        known = self._scopes.get(id(scope))
        if known is None or known[0] is not scope:
            known = scope, telemetry_redactor().scope(scope, "logs")
            if len(self._scopes) >= _MOST_SCOPES:
                self._scopes = {}
            self._scopes[id(scope)] = known
        return last[1], known[1]

    def _queue(self, record: ReadWriteLogRecord, processor: Queueing) -> None:
        """Queue what the SDK's batch processor would: no reference to the context is kept."""
        log = RedactedLogRecord(record.log_record)
        log.context = _NONE
        resource, scope = self.origin(record.resource, record.instrumentation_scope)
        # Not by its constructor, which takes as long as all of the above.
        made = ReadableLogRecord.__new__(ReadableLogRecord)
        vars(made).update(
            log_record=log, resource=resource, instrumentation_scope=scope, limits=record.limits
        )
        processor.queue(made)

    def _on_emit(self, record: ReadWriteLogRecord) -> None:
        own = redacted(record)
        try:
            self.inner.on_emit(own)
        finally:
            after = own.log_record
            if not isinstance(after, RedactedLogRecord) or after.was_read:
                record.log_record = after

    def enabled(self, **kwargs: Any) -> bool:
        found = safely(self.inner, self.inner.enabled, **kwargs)
        return True if found is None else bool(found)

    def shutdown(self) -> None:
        safely(self.inner, self.inner.shutdown)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(safely(self.inner, self.inner.force_flush, timeout_millis))

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["inner"], name)
