"""From a record of the standard library to the queue of the exporter, without the SDK's copies.

Only where the SDK's parts are those that the configurator puts up: ids are stamped, then the guard
queues for an exporter that redacts while it encodes. With any other processor, or where another
package has replaced one of these methods, records go the SDK's way.
"""

# What the SDK's logger hands on to is shown to nobody.
# pyright: reportPrivateUsage=false

import logging
from time import time_ns
from types import FunctionType
from typing import Any, Final, cast

from opentelemetry.sdk._logs import Logger
from opentelemetry.sdk._logs._internal import SynchronousMultiLogRecordProcessor
from opentelemetry.trace import INVALID_SPAN_ID, INVALID_TRACE_ID, get_current_span

from glasshouse.capture.loggers import Way, shortcuts
from glasshouse.capture.translate import (
    Said,
    level_of,
    message,
    nanoseconds,
    severity,
    severity_text,
)
from glasshouse.context import attributes_of
from glasshouse.guard.logs import LogGuard
from glasshouse.guard.queued import QueuedLog
from glasshouse.guard.safely import safely
from glasshouse.guard.trusted import Queueing
from glasshouse.processors import IdsLogRecordProcessor
from glasshouse.runtime_context import get_current

_SAMPLED: Final = 1
_UPSTREAM: Final = "opentelemetry.sdk."
# The methods that are left out.
_EMIT: Final = "emit"
_ON_EMIT: Final = "on_emit"
_ENABLED: Final = "_is_enabled"


_LOGGER: Final = vars(Logger)
_PROCESSOR: Final = vars(SynchronousMultiLogRecordProcessor)


class _Way:
    """The way of one logger, as the SDK's parts are now."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._methods = _methods()
        self._of = _every(logger)
        self._origin: tuple[Any, Any] = (None, None)
        self._guard, self._queueing = _ends(logger, self._of)
        self.is_open = self._queueing is not None

    def is_current(self) -> bool:
        emit, enabled, on_emit = self._methods
        return (
            _every(self._logger) is self._of
            and _LOGGER[_EMIT] is emit
            and _LOGGER[_ENABLED] is enabled
            and _PROCESSOR[_ON_EMIT] is on_emit
        )

    def put(self, record: logging.LogRecord, given: Said) -> None:
        logger = self._logger
        if not logger._is_enabled():
            return
        context = get_current()
        span = get_current_span(context).get_span_context()
        attributes = given.attributes
        if ids := attributes_of(context):
            attributes.update(ids)
        log = QueuedLog()
        flags = log.trace_flags = span.trace_flags
        if flags & _SAMPLED:
            log.trace_id, log.span_id = span.trace_id, span.span_id
        else:
            log.trace_id, log.span_id = INVALID_TRACE_ID, INVALID_SPAN_ID
        log.timestamp = nanoseconds(record.created)
        log.observed_timestamp = time_ns()
        log.severity_text = severity_text(record)
        log.severity_number = severity(level_of(record))
        log.body = message(record)
        log.attributes = attributes
        log.event_name = given.event_name
        log.limits = logger._log_record_limits
        resource = logger._resource
        # After a fork it is another one.
        if self._origin[0] is not resource:
            found = cast(LogGuard, self._guard).origin(resource, logger._instrumentation_scope)
            self._origin = (resource, found)
        log.resource, log.instrumentation_scope = self._origin[1]
        logger._logger_metrics.emit_log()
        safely(self._queueing, cast(Queueing, self._queueing).queue, log)


def install() -> None:
    """Let records take the way of this module where it is open. Safe to call twice."""
    if way_of not in shortcuts:
        shortcuts.append(way_of)


def way_of(logger: Any) -> Way:
    """Return the way of a logger."""
    return _Way(logger)


def _ends(logger: Any, processors: Any) -> tuple[LogGuard | None, Queueing | None]:
    """Return the guard and what it hands on to, where nothing else is on the way."""
    nothing = None, None
    if type(logger) is not Logger or not vars(logger).keys().isdisjoint((_EMIT, _ENABLED)):
        return nothing
    processor: Any = logger._multi_log_record_processor
    if type(processor) is not SynchronousMultiLogRecordProcessor or _ON_EMIT in vars(processor):
        return nothing
    if not all(map(_is_upstream, _methods())):
        return nothing
    if tuple(map(type, processors)) != (IdsLogRecordProcessor, LogGuard):
        return nothing
    guard = cast(LogGuard, processors[1])
    queueing = guard.inner
    if not isinstance(queueing, Queueing) or not queueing.takes_queued:
        return nothing
    return guard, queueing


def _is_upstream(method: Any) -> bool:
    return type(method) is FunctionType and str(method.__module__).startswith(_UPSTREAM)


def _every(logger: Any) -> Any:
    processor = getattr(logger, "_multi_log_record_processor", None)
    return getattr(processor, "_log_record_processors", None)


def _methods() -> tuple[Any, ...]:
    # Not by access: what wraps a method passes for it in every respect but identity.
    return _LOGGER[_EMIT], _LOGGER[_ENABLED], _PROCESSOR[_ON_EMIT]
