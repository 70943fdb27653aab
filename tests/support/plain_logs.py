"""Console lines and records for OTLP made step by step, as plainly as can be.

What the package makes with remembered parts and without copies must be the same.
"""

import datetime
import json
import logging
import math
import traceback
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, get_logger
from opentelemetry.context import get_current
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from glasshouse.capture.translate import RESERVED, level_of, message, severity
from glasshouse.context import current_ids
from glasshouse.events import field_name
from glasshouse.formatters import _encodable  # pyright: ignore[reportPrivateUsage]
from glasshouse.redaction import Redactor
from glasshouse.redaction.plain import Reader

ENCODER = json.JSONEncoder(default=str, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Unmarked(BatchLogRecordProcessor):
    """The SDK's own processor, which the guard gives a copy of each record."""


def line(record: logging.LogRecord, service: str, redactor: Redactor) -> str:
    """Return the record's line of JSON."""
    bounded = redactor.for_caller()
    made: dict[str, Any] = {
        "timestamp": _moment(record.created),
        "level": record.levelname.lower(),
        "message": bounded.text(record.getMessage()),
        "logger": record.name,
        "service": service,
        **_ids(),
    }
    for key, value in _fields(record).items():
        name = bounded.name(key)
        made[f"{name}_" if name in made else name] = bounded.value(value, key)
    if record.exc_info:
        made["exception"] = bounded.text(logging.Formatter().formatException(record.exc_info))
    try:
        text = ENCODER.encode(made)
    except (TypeError, ValueError):
        plain = {
            key: value if isinstance(value, str | int | None) else str(value)
            for key, value in made.items()
        }
        text = ENCODER.encode(plain)
    return _encodable(text)


def _moment(created: float) -> str:
    moment = datetime.datetime.fromtimestamp(created, tz=datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ids() -> dict[str, str]:
    found: dict[str, str] = {}
    if ids := current_ids():
        found["correlationId"] = ids.correlation
        if ids.request:
            found["requestId"] = ids.request
    span = trace.get_current_span().get_span_context()
    if span.is_valid and span.trace_flags.sampled:
        found["traceId"] = trace.format_trace_id(span.trace_id)
        found["spanId"] = trace.format_span_id(span.span_id)
    return found


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in RESERVED}
    event = extra.pop("otel.event.name", None)
    if event is None:
        return extra
    extra.pop("event", None)
    return {"event": event, **{field_name(event, key): value for key, value in extra.items()}}


def export(record: logging.LogRecord) -> None:
    """Hand the record to the SDK as its own handler would."""
    reader = Reader()
    attributes: dict[str, Any] = {
        reader.name(name): reader.plain(value)
        for name, value in tuple(vars(record).items())
        if name not in RESERVED
    }
    names = [attributes.pop(name, None) for name in ("otel.event.name", "event.name")]
    attributes |= _exception(record, reader)
    level = str(record.levelname)
    created: Any = record.created
    is_moment = isinstance(created, int | float) and math.isfinite(created) and created >= 0
    get_logger(str(record.name)).emit(
        LogRecord(
            timestamp=int(created * 10**9) if is_moment else 0,
            context=get_current(),
            severity_text={"WARNING": "WARN", "CRITICAL": "FATAL"}.get(level, level),
            severity_number=severity(level_of(record)),
            body=message(record),
            attributes=attributes,
            event_name=next((str(name) for name in names if name is not None), None),
        )
    )


def _exception(record: logging.LogRecord, reader: Reader) -> dict[str, Any]:
    if not isinstance(record.exc_info, tuple):
        return {"exception.stacktrace": record.exc_text} if record.exc_text else {}
    kind, error, frames = record.exc_info
    found: dict[str, Any] = {}
    if kind is not None:
        found["exception.type"] = kind.__name__
    if error is not None and error.args:
        found["exception.message"] = str(reader.plain(error.args[0]))
    if frames is not None:
        try:
            lines = traceback.format_exception(kind, error, frames)
        except Exception:  # noqa: BLE001  # its own text may raise
            lines = traceback.format_tb(frames)
        found["exception.stacktrace"] = "".join(lines)
    return found
