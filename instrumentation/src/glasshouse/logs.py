"""Console logs: one JSON object a line (or text for people), in one shape for all libraries."""

import codecs
import contextlib
import datetime
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Mapping
from traceback import format_exception
from typing import Any, Final

from opentelemetry import trace

from glasshouse import capture, uncaught
from glasshouse.capture import talkative
from glasshouse.capture.consoles import written_twice
from glasshouse.capture.handlers import Redacting
from glasshouse.capture.translate import RESERVED
from glasshouse.context import current_ids
from glasshouse.errors import ConfigurationError
from glasshouse.events import EVENT_ATTRIBUTE, EVENT_NAME_ATTRIBUTE, field_name
from glasshouse.redaction import Redactor
from glasshouse.redaction.plain import UNREADABLE
from glasshouse.settings import service_name

LEVEL_VARIABLE: Final = "LOG_LEVEL"
FORMAT_VARIABLE: Final = "LOG_FORMAT"
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMATS: Final = ("json", "text", "gcp")
# Google's own variable. Cloud Logging joins a line with its trace by the project, too.
PROJECT_VARIABLE: Final = "GOOGLE_CLOUD_PROJECT"
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
_TAKEN_AWAY: Final = (
    "The application has replaced the root logger's handlers: the console has its form from now "
    "on, still redacted; all records are exported as before"
)


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
        redactor = self._redactor.for_caller()
        line: dict[str, Any] = {
            **self.head(record),
            "message": redactor.text(record.getMessage()),
            "logger": record.name,
            "service": self._service,
            **_ids(),
            **self.span(),
        }
        for key, value in _fields(record).items():
            # A field cannot pass for one of the fixed keys.
            name = redactor.name(key)
            taken = name in line or self.is_reserved(name)
            line[f"{name}_" if taken else name] = redactor.value(value, key)
        if record.exc_info:
            line["exception"] = redactor.text(self.formatException(record.exc_info))
        return _dump(line)

    def head(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return time and level, by their keys."""
        return {"timestamp": _moment(record), "level": record.levelname.lower()}

    def span(self) -> dict[str, Any]:
        """Return what names the current span, by its keys."""
        return _span()

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

    def span(self) -> dict[str, Any]:
        """Return the trace by its name in the project, else by its bare id."""
        found = _span()
        if not found:
            return {}
        trace_id = found["traceId"]
        prefix = f"projects/{self._project}/traces/" if self._project else ""
        return {
            f"{_GOOGLE}trace": f"{prefix}{trace_id}",
            f"{_GOOGLE}spanId": found["spanId"],
            f"{_GOOGLE}trace_sampled": True,
        }

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
        fields = {**found, **_ids(), **_span()}
        line = " ".join([super().formatMessage(record), *(f"{k}={v}" for k, v in fields.items())])
        # One record, one line: a text with a line break could pass for another record, and what
        # moves a terminal's cursor could hide one.
        return _encodable(_CONTROL.sub(_escape, line))


def _dump(line: dict[str, Any]) -> str:
    try:
        text = _ENCODER.encode(line)
    except (TypeError, ValueError):
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
    moment = datetime.datetime.fromtimestamp(record.created, tz=datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ids() -> dict[str, str]:
    found: dict[str, str] = {}
    ids = current_ids()
    if ids:
        found["correlationId"] = ids.correlation
        if ids.request:
            found["requestId"] = ids.request
    return found


def _span() -> dict[str, str]:
    found: dict[str, str] = {}
    span = trace.get_current_span().get_span_context()
    # The trace of a span that is not sampled does not exist.
    if span.is_valid and span.trace_flags.sampled:
        found["traceId"] = trace.format_trace_id(span.trace_id)
        found["spanId"] = trace.format_span_id(span.span_id)
    return found


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in RESERVED}
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


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks as JSON does, which people can read, too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end


_ESCAPED: Final = "glasshouse.escaped"
codecs.register_error(_ESCAPED, _escaped)


class _ConsoleHandler(Redacting, logging.StreamHandler[Any]):
    """Marks our handler, so that configuring twice adds nothing."""

    def filter(self, record: logging.LogRecord) -> Any:
        """Leave out what another handler writes to the console, in a form of its own."""
        return not written_twice(self, record) and super().filter(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return a line that the stream's encoding can carry."""
        line = super().format(record)
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        return line if line.isascii() else line.encode(encoding, _ESCAPED).decode(encoding)

    def handleError(self, record: logging.LogRecord) -> None:
        """Write a marker in place of a record that cannot be written.

        The standard library would print the message and its arguments as they are.
        """
        error = sys.exc_info()[0]
        values = {"name": record.name, "levelno": record.levelno, "levelname": record.levelname}
        marker = logging.makeLogRecord({**values, "created": record.created, "msg": UNREADABLE})
        vars(marker)["error.type"] = error.__qualname__ if error else "unknown"
        # The stream itself may be gone.
        with contextlib.suppress(Exception):
            self.stream.write(self.format(marker) + self.terminator)
            self.flush()


class _Watch:
    """Says once that the application has taken our handler away."""

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._said = False

    def __call__(self, _: logging.LogRecord) -> None:
        if self._said or self._handler in logging.root.handlers:
            return
        self._said = True
        values = {"name": "glasshouse", "levelno": logging.WARNING, "levelname": "WARNING"}
        self._handler.handle(logging.makeLogRecord({**values, "msg": _TAKEN_AWAY}))


def _print_redacted(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """Write an exception as Python does: with it comes the one that it interrupted."""
    # Standard error may be gone.
    with contextlib.suppress(Exception):
        text = "".join(format_exception(kind, error, traceback))
        sys.stderr.write(Redactor.default().for_caller().text(text))
        sys.stderr.flush()


def _log_uncaught() -> None:
    """Send exceptions that nobody catches through logging, in place of standard error."""
    logger = logging.getLogger("glasshouse.uncaught")
    main_hook = sys.excepthook

    def in_main(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        if not issubclass(kind, Exception):
            # Ctrl-C, and the like.
            if main_hook is sys.__excepthook__:
                _print_redacted(kind, error, traceback)
            else:
                main_hook(kind, error, traceback)
            return
        logger.critical("Uncaught exception", exc_info=(kind, error, traceback))

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None:
            triple = (failed.exc_type, failed.exc_value, failed.exc_traceback)
            logger.error("Uncaught exception in a thread", exc_info=triple)

    def in_clean_up(failed: Any) -> None:
        triple = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        logger.error("Exception ignored", exc_info=triple)

    sys.excepthook, threading.excepthook = in_main, in_thread
    sys.unraisablehook = in_clean_up


def _formatter(
    style: str, service: str, redactor: Redactor, environ: Mapping[str, str]
) -> logging.Formatter:
    if style == "text":
        return TextFormatter(redactor)
    if style == "gcp":
        return GcpFormatter(service, redactor, environ.get(PROJECT_VARIABLE) or None)
    return JsonFormatter(service, redactor)


def configure_logging(environ: Mapping[str, str] = os.environ) -> None:
    """Send all logging of this process to standard output, in one shape. Safe to call twice.

    Warnings go the same way, and so do exceptions that nobody catches.

    ``LOG_LEVEL`` is DEBUG, INFO (default), WARNING, ERROR or CRITICAL; ``LOG_FORMAT`` is json
    (default), text or gcp, JSON with the keys that Google's Cloud Logging reads (there
    ``GOOGLE_CLOUD_PROJECT`` names the project of the traces); the service's name becomes the field
    ``service``.

    Raises:
        ConfigurationError: one of them has another value, or the policy or key of redaction is
            unusable.
    """
    level = _choice(LEVEL_VARIABLE, {LEVEL_VARIABLE: "INFO", **environ}, _LEVELS)
    style = _choice(FORMAT_VARIABLE, environ, _FORMATS)
    root = logging.getLogger()
    if any(isinstance(handler, _ConsoleHandler) for handler in root.handlers):
        return
    handler = _ConsoleHandler(sys.stdout)
    service = service_name(environ)
    redactor = Redactor.default()
    handler.setFormatter(_formatter(style, service, redactor, environ))
    root.addHandler(handler)
    root.setLevel(level)
    capture.install()
    capture.watchers.append(_Watch(handler))
    logging.captureWarnings(True)
    _log_uncaught()
    uncaught.install()
    # Other handlers' reports of a record that they could not format show it as it is.
    logging.raiseExceptions = False
    # On the logger, so that it holds for the console and for OTLP.
    logging.getLogger("uvicorn.error").addFilter(_without_color_message)
    for name in talkative.NAMES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
