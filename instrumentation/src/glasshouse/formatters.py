"""The forms of a console line: JSON, JSON as Google's Cloud Logging reads it, and text.

All that a caller may have put in is redacted, as much of it as the calling thread has the time for.
"""

import datetime
import functools
import json
import logging
import math
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context

from glasshouse.capture.translate import RESERVED
from glasshouse.context import current_ids
from glasshouse.events import EVENT_ATTRIBUTE, EVENT_NAME_ATTRIBUTE, field_name
from glasshouse.redaction import Redactor
from glasshouse.runtime_context import get_current

_GOOGLE: Final = "logging.googleapis.com/"
# What Cloud Logging takes out of a line to make the entry's own fields of it, beside those above.
_READ_BY_GOOGLE: Final = frozenset(
    ("severity", "time", "timestamp", "timestampSeconds", "timestampNanos", "httpRequest")
)

_SEVERITIES: Final = (
    (logging.CRITICAL, "CRITICAL"),
    (logging.ERROR, "ERROR"),
    (logging.WARNING, "WARNING"),
    (logging.INFO, "INFO"),
    (logging.DEBUG, "DEBUG"),
)

# What a terminal takes for a command, or what turns the direction of text; the tab is neither.
_WIDE_CONTROL: Final = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_CONTROL: Final = re.compile(f"[\\x00-\\x08\\x0a-\\x1f]|{_WIDE_CONTROL.pattern}")
_SHORT: Final = {"\r": "\\r", "\n": "\\n"}
_ENCODER: Final = json.JSONEncoder(
    default=str, ensure_ascii=False, allow_nan=False, separators=(",", ":")
)

# Characters, and fields, of a record that needs no bounds; and what a number counts for.
_LONGEST_SHORT: Final = 512
_MOST_FIELDS: Final = 64
_NUMBER: Final = 16
_NUMBERS: Final = frozenset((int, float))
_SAMPLED: Final = 1
# The year 9999 ends.
_LAST_SECOND: Final = 253_402_300_799.0


class Parts(NamedTuple):
    """What a line of JSON is made of: its fixed keys, and what has to be redacted.

    short: all of that is of the most common kinds, and little.
    """

    head: dict[str, Any]
    message: str
    fields: dict[str, Any]
    exception: str | None
    short: bool = False


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object: the fixed keys first, the event's fields after.

    Everything that a caller may have put in is redacted, as much of it as the calling thread has
    the time for.
    """

    def __init__(self, service: str, redactor: Redactor | None = None) -> None:
        super().__init__()
        self._service = service
        self._redactor = redactor or Redactor.default()

    def format(self, record: logging.LogRecord) -> str:
        return self.line(self.parts(record))

    def parts(self, record: logging.LogRecord) -> Parts:
        """Return what a line is made of, as it is at this moment and on this thread."""
        head = self.head(record)
        message = record.getMessage()
        head["message"] = None  # redacted later, in its place
        head["logger"] = record.name
        head["service"] = self._service
        context = get_current()
        _add_ids(head, context)
        span = trace.get_current_span(context).get_span_context()
        # The trace of a span that is not sampled does not exist.
        if span.trace_flags & _SAMPLED and span.is_valid:
            self.add_span(head, span)
        exception = self.formatException(record.exc_info) if record.exc_info else None
        fields = _fields(record)
        short = exception is None and _is_short(message, fields)
        return Parts(head, message, fields, exception, short)

    def line(self, parts: Parts) -> str:
        """Return the line that these parts make."""
        head, message, fields, exception, short = parts
        line = {**head}
        redactor = self._redactor
        # The bounds cost more than what is short and ordinary.
        if not short:
            redactor = redactor.for_caller()
        line["message"] = redactor.text(message)
        for key, value in fields.items():
            # A field cannot pass for one of the fixed keys.
            name = redactor.name(key)
            taken = name in line or self.is_reserved(name)
            line[f"{name}_" if taken else name] = redactor.value(value, key)
        if exception is not None:
            # As it is exported, so that one redaction serves for both.
            line["exception"] = redactor.text(f"{exception}\n").removesuffix("\n")
        return _dump(line)

    def head(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return time and level, by their keys, in a map of its own."""
        return {"timestamp": _moment(record), "level": record.levelname.lower()}

    def add_span(self, head: dict[str, Any], span: trace.SpanContext) -> None:
        """Add what names a span, by its keys."""
        head["traceId"] = trace.format_trace_id(span.trace_id)
        head["spanId"] = trace.format_span_id(span.span_id)

    def is_reserved(self, name: str) -> bool:
        """Return whether a field may not have this name, though no fixed key has it now."""
        return False


class GcpFormatter(JsonFormatter):
    """Write a record as one JSON object whose fixed keys are those that Cloud Logging reads.

    On Cloud Run, GKE and wherever Google's agent takes lines from standard output. ``project`` is
    the id of the project in whose Cloud Trace the traces are, if any.
    """

    def __init__(
        self, service: str, redactor: Redactor | None = None, project: str | None = None
    ) -> None:
        super().__init__(service, redactor)
        self._project = project

    def head(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return time and severity. A level between two of Google's is the lower one."""
        severity = next((name for level, name in _SEVERITIES if record.levelno >= level), "DEFAULT")
        return {"severity": severity, "time": _moment(record)}

    def add_span(self, head: dict[str, Any], span: trace.SpanContext) -> None:
        """Add the trace by its name in the project, else by its bare id."""
        prefix = f"projects/{self._project}/traces/" if self._project else ""
        head[f"{_GOOGLE}trace"] = f"{prefix}{trace.format_trace_id(span.trace_id)}"
        head[f"{_GOOGLE}spanId"] = trace.format_span_id(span.span_id)
        head[f"{_GOOGLE}trace_sampled"] = True

    def is_reserved(self, name: str) -> bool:
        return name in _READ_BY_GOOGLE or name.startswith(_GOOGLE)


class TextFormatter(logging.Formatter):
    """Write a record as one line for people, with its fields at the end; redacted as in JSON."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redactor = redactor or Redactor.default()

    def format(self, record: logging.LogRecord) -> str:
        # Of all of it: the base class adds the exception's text at the end.
        return self._redactor.for_caller().text(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        found = self._redactor.for_caller().value(_fields(record))
        context = get_current()
        named: dict[str, Any] = {}
        _add_ids(named, context)
        span = trace.get_current_span(context).get_span_context()
        if span.trace_flags & _SAMPLED and span.is_valid:
            named["traceId"] = trace.format_trace_id(span.trace_id)
            named["spanId"] = trace.format_span_id(span.span_id)
        fields = {**found, **named}
        line = " ".join([super().formatMessage(record), *(f"{k}={v}" for k, v in fields.items())])
        # One record, one line: a text with a line break could pass for another record, and what
        # moves a terminal's cursor could hide one.
        return _encodable(_CONTROL.sub(_escape, line))


def _is_short(message: str, fields: dict[str, Any]) -> bool:
    # Whatever `getMessage` is made to return.
    if type(message) is not str or len(fields) > _MOST_FIELDS:  # pyright: ignore[reportUnnecessaryComparison]
        return False
    size = len(message)
    for key, value in fields.items():
        if type(key) is not str:
            return False
        size += len(key)
        if type(value) is str:
            size += len(value)
        elif type(value) in _NUMBERS:
            size += _NUMBER
        elif value is not None and type(value) is not bool:
            return False
    return size <= _LONGEST_SHORT


def _encoder() -> Callable[[dict[str, Any]], str]:
    """Return what `_ENCODER.encode` does, without what that sets up for each text."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    # No circles are looked for: a redacted value holds none.
    write: Any = json.encoder.encode_basestring
    encode: Any = make(None, str, write, None, ":", ",", False, False, False)
    return lambda line: "".join(encode(line, 0))


_encode: Final = _encoder()


def _dump(line: dict[str, Any]) -> str:
    try:
        text = _encode(line)
    except (TypeError, ValueError, RecursionError):
        # Keys that are no text, numbers that are none, circles.
        text = _ENCODER.encode({key: _plain(value) for key, value in line.items()})
    return _encodable(text)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | None) else str(value)


def _encodable(text: str) -> str:
    """Write half a surrogate pair as its escape, which is JSON, too.

    Likewise what a terminal may take for a command beyond ASCII: JSON's encoder leaves it.
    """
    if text.isascii():
        return text
    text = _WIDE_CONTROL.sub(_escape, text)
    return text.encode("utf-8", "backslashreplace").decode()


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"


def _moment(record: logging.LogRecord) -> str:
    created: Any = record.created
    if type(created) is not float or not 0 <= created < _LAST_SECOND:
        moment = datetime.datetime.fromtimestamp(created, tz=datetime.UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    part, whole = math.modf(created)
    # To the nearest microsecond and then down, as above.
    micros = round(part * 1_000_000)
    if micros == 1_000_000:
        whole, micros = whole + 1, 0
    return f"{_second(whole)}.{micros // 1000:03d}Z"


@functools.lru_cache(maxsize=8)
def _second(whole: float) -> str:
    return datetime.datetime.fromtimestamp(whole, tz=datetime.UTC).isoformat()[:19]


def _add_ids(head: dict[str, Any], context: Context) -> None:
    if ids := current_ids(context):
        head["correlationId"] = ids.correlation
        if ids.request:
            head["requestId"] = ids.request


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in RESERVED}
    event = extra.pop(EVENT_NAME_ATTRIBUTE, None)
    if event is None:
        return extra
    extra.pop(EVENT_ATTRIBUTE, None)
    return {"event": event, **{field_name(event, key): value for key, value in extra.items()}}
