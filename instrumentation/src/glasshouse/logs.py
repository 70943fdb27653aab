"""Console logs: one JSON object a line (or text for people), in one shape for all libraries."""

import datetime
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace

from glasshouse.context import current_ids
from glasshouse.errors import ConfigurationError
from glasshouse.events import EVENT_ATTRIBUTE, EVENT_NAME_ATTRIBUTE, field_name

LEVEL_VARIABLE: Final = "LOG_LEVEL"
FORMAT_VARIABLE: Final = "LOG_FORMAT"
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMATS: Final = ("json", "text")

# What every record has; anything else was put there by `extra`.
_RESERVED: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# These write arguments, full URLs or one line a request at INFO.
_TALKATIVE: Final = ("httpx", "httpcore", "procrastinate", "uvicorn.access", "psycopg.pool")


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object: the fixed keys first, the event's fields after."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, tz=datetime.UTC)
        line: dict[str, Any] = {
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
            "service": self._service,
            **_correlation(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """Write a record as one line for people, with its fields at the end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = {**_fields(record), **_correlation()}
        return " ".join([super().formatMessage(record), *(f"{k}={v}" for k, v in fields.items())])


def _correlation() -> dict[str, str]:
    found: dict[str, str] = {}
    ids = current_ids()
    if ids:
        found |= {"correlationId": ids.correlation, "requestId": ids.request}
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        found["traceId"] = trace.format_trace_id(span.trace_id)
        found["spanId"] = trace.format_span_id(span.span_id)
    return found


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in _RESERVED}
    event = extra.pop(EVENT_NAME_ATTRIBUTE, None)
    if event is None:
        return extra
    extra.pop(EVENT_ATTRIBUTE, None)
    return {"event": event, **{field_name(event, key): value for key, value in extra.items()}}


def _choice(variable: str, environ: Mapping[str, str], allowed: tuple[str, ...]) -> str:
    value = environ.get(variable) or allowed[0]
    for choice in allowed:
        if value.lower() == choice.lower():
            return choice
    message = f"{variable}: {value!r} is not one of {', '.join(allowed)}"
    raise ConfigurationError(message)


def _without_color_message(record: logging.LogRecord) -> bool:
    """Drop uvicorn's second copy of its message, made for coloured terminals."""
    vars(record).pop("color_message", None)
    return True


class _ConsoleHandler(logging.StreamHandler[Any]):
    """Marks our handler, so that configuring twice adds nothing."""


def configure_logging(environ: Mapping[str, str] = os.environ) -> None:
    """Send all logging of this process to standard output, in one shape. Safe to call twice.

    ``LOG_LEVEL`` is DEBUG, INFO (default), WARNING, ERROR or CRITICAL; ``LOG_FORMAT`` is json
    (default) or text; ``OTEL_SERVICE_NAME`` becomes the field ``service``.

    Raises:
        ConfigurationError: one of them has another value.
    """
    level = _choice(LEVEL_VARIABLE, {LEVEL_VARIABLE: "INFO", **environ}, _LEVELS)
    style = _choice(FORMAT_VARIABLE, environ, _FORMATS)
    root = logging.getLogger()
    if any(isinstance(handler, _ConsoleHandler) for handler in root.handlers):
        return
    handler = _ConsoleHandler(sys.stdout)
    service = environ.get("OTEL_SERVICE_NAME", "unknown_service")
    handler.setFormatter(JsonFormatter(service) if style == "json" else TextFormatter())
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    # The SDK reports a failing export through logging. Exported in turn, that report would
    # fail, and report that, for as long as the Collector is away.
    sdk = logging.getLogger("opentelemetry")
    sdk.addHandler(handler)
    sdk.propagate = False
    # On the logger, so that it holds for the console and for OTLP.
    logging.getLogger("uvicorn.error").addFilter(_without_color_message)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
