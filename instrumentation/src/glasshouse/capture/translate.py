"""Translates records of the standard library into OTLP's.

The mapping is the one of OpenTelemetry's own handler: severity by number, the message as the body,
what `extra` holds as attributes, an exception in ``exception.*``.
"""

import functools
import logging
import math
import traceback
from time import time_ns
from typing import Any, Final, NamedTuple

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.semconv.attributes import code_attributes, exception_attributes
from opentelemetry.trace import get_current_span

from glasshouse.redaction.plain import UNREADABLE, Reader
from glasshouse.runtime_context import get_current

# What every record has; anything else was put there by `extra`.
RESERVED: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_EVENT_NAMES: Final = ("otel.event.name", "event.name")
# As the data model of logs calls them.
_SEVERITY_TEXTS: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_HIGHEST: Final = logging.CRITICAL + 3
_A_SECOND: Final = 10**9
# Those that need no reading.
_PLAIN: Final = frozenset((str, int, float, bool, type(None)))
# What the SDK takes into its attributes without a change.
_KEPT: Final = frozenset((*_PLAIN, bytes))


def level_of(record: logging.LogRecord) -> int:
    """Return the number of a record's level; 0 where somebody made a record without one."""
    level: Any = record.levelno
    return level if isinstance(level, int) else logging.NOTSET


@functools.lru_cache(maxsize=256)
def severity(level: int) -> SeverityNumber:
    """Return the number of a level: DEBUG, INFO, WARNING, ERROR and CRITICAL, with steps between.

    https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
    """
    if level < logging.DEBUG:
        return SeverityNumber.UNSPECIFIED if level <= 0 else SeverityNumber.TRACE
    tens, rest = divmod(min(level, _HIGHEST), 10)
    return SeverityNumber(1 + 4 * tens + min(rest, 3))


def message(record: logging.LogRecord) -> str:
    """Return the message; a marker where its arguments do not fit it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 (a log call raises for no defect of its arguments)
        return UNREADABLE


class Said(NamedTuple):
    """What the caller put into a record beside its message.

    is_plain: every attribute is one that the SDK takes as it is.
    """

    attributes: dict[str, Any]
    event_name: str | None
    is_plain: bool


def said(record: logging.LogRecord, *, with_code: bool = False) -> Said:
    """Read a record's attributes. Never raises for what the caller put into it.

    Args:
        with_code: also say where the call stands, in ``code.*``.
    """
    reader: Reader | None = None
    attributes: dict[str, Any] = {}
    for name, value in tuple(vars(record).items()):
        if name not in RESERVED:
            if type(name) is not str or not name or type(value) not in _PLAIN:
                reader = reader or Reader()
                attributes[reader.name(name)] = reader.plain(value)
            else:
                attributes[name] = value
    event_name = None
    if attributes:
        for key in _EVENT_NAMES:
            named = attributes.pop(key, None)
            if event_name is None and named is not None:
                event_name = str(named)
    if with_code:
        attributes[code_attributes.CODE_FILE_PATH] = record.pathname
        attributes[code_attributes.CODE_FUNCTION_NAME] = record.funcName
        attributes[code_attributes.CODE_LINE_NUMBER] = record.lineno
    if record.exc_info is not None or record.exc_text:
        attributes |= _exception(record, reader or Reader())
    is_plain = (reader is None and not with_code) or all(
        type(value) in _KEPT for value in attributes.values()
    )
    return Said(attributes, event_name, is_plain)


def translate(record: logging.LogRecord, given: Said | None = None) -> LogRecord:
    """Return the record for OTLP. Never raises for what the caller put into it.

    given: what `said` returned, if it was asked before.
    """
    attributes, event_name, _ = given or said(record)
    context = get_current()
    span = get_current_span(context).get_span_context()
    # Not by its constructor, which looks all of this up again.
    log = LogRecord.__new__(LogRecord)
    vars(log).update(
        timestamp=nanoseconds(record.created),
        observed_timestamp=time_ns(),
        context=context,
        trace_id=span.trace_id,
        span_id=span.span_id,
        trace_flags=span.trace_flags,
        severity_text=severity_text(record),
        severity_number=severity(level_of(record)),
        body=message(record),
        attributes=attributes,
        event_name=event_name,
        exception=None,
    )
    return log


def severity_text(record: logging.LogRecord) -> str:
    """Return the name of a record's level as the data model of logs has it."""
    level = str(record.levelname)
    return _SEVERITY_TEXTS.get(level, level)


def nanoseconds(created: Any) -> int:
    """Return 0, which means unknown, for what is no time."""
    if not isinstance(created, (int, float)) or not math.isfinite(created) or created < 0:
        return 0
    return int(created * _A_SECOND)


def _exception(record: logging.LogRecord, reader: Reader) -> dict[str, Any]:
    information = record.exc_info
    if not isinstance(information, tuple):
        text = record.exc_text
        return {exception_attributes.EXCEPTION_STACKTRACE: text} if text else {}
    kind, error, frames = information
    found: dict[str, Any] = {}
    if kind is not None:
        found[exception_attributes.EXCEPTION_TYPE] = kind.__name__
    if error is not None and error.args:
        found[exception_attributes.EXCEPTION_MESSAGE] = str(reader.plain(error.args[0]))
    if frames is not None:
        try:
            lines = traceback.format_exception(kind, error, frames)
        except Exception:  # noqa: BLE001 (an exception's own text may raise)
            lines = traceback.format_tb(frames)
        found[exception_attributes.EXCEPTION_STACKTRACE] = "".join(lines)
    return found
