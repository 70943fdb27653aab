"""Redacts what other handlers write, whoever sets them up and whenever."""

import copy
import logging
import logging.handlers
from collections.abc import Callable
from typing import Any, Final

from opentelemetry._logs import get_logger_provider

from glasshouse.capture.translate import RESERVED, message
from glasshouse.redaction import Redactor

_seen: Final[set[type]] = {logging.Handler}
_originals: Final[list[tuple[type, str, Any]]] = []
_OF_OPENTELEMETRY: Final = "LoggingHandler"


class Redacting:
    """Mixed into a handler that redacts what it writes by itself."""


def install() -> None:
    """Redact each text that a handler of this process formats."""
    _put(logging.Handler, "handle", _handling)
    _put(logging.Handler, "format", _redacting)
    # These two send a record's fields without formatting them.
    _put(logging.handlers.SocketHandler, "makePickle", _with_copy)
    _put(logging.handlers.HTTPHandler, "mapLogRecord", _with_copy)


def uninstall() -> None:
    """Leave all handlers as they were."""
    while _originals:
        setattr(*_originals.pop())
    _seen.intersection_update({logging.Handler})


def _put(kind: type, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = vars(kind)[name]
    _originals.append((kind, name, original))
    setattr(kind, name, wrap(original))


def _redacting(original: Callable[..., Any]) -> Callable[..., Any]:
    def format(self: logging.Handler, record: logging.LogRecord) -> Any:
        text = original(self, record)
        if isinstance(self, Redacting):
            return text
        redactor = Redactor.default().for_caller()
        return redactor.text(text) if isinstance(text, str) else redactor.value(text)

    return format


def _handling(original: Callable[..., Any]) -> Callable[..., Any]:
    def handle(self: logging.Handler, record: logging.LogRecord) -> Any:
        kind = type(self)
        if kind not in _seen:
            _see(kind)
        return False if _is_second(self) else original(self, record)

    return handle


def _is_second(handler: logging.Handler) -> bool:
    """Return whether it would export what has been exported."""
    kind = type(handler)
    if kind.__name__ != _OF_OPENTELEMETRY or not kind.__module__.startswith("opentelemetry."):
        return False
    return vars(handler).get("_logger_provider") is get_logger_provider()


def _see(kind: type) -> None:
    """Redact in a class that has a way of its own to format."""
    for base in kind.__mro__:
        if base is logging.Handler:
            return
        if base not in _seen:
            _seen.add(base)
            if "format" in vars(base):
                _put(base, "format", _redacting)


def _with_copy(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: logging.Handler, record: logging.LogRecord) -> Any:
        return original(self, _copy(record))

    return send


def _copy(record: logging.LogRecord) -> logging.LogRecord:
    redactor = Redactor.default().for_caller()
    made = copy.copy(record)
    made.msg, made.args = redactor.text(message(record)), None
    if record.exc_info and not record.exc_text:
        made.exc_text = logging.Formatter().formatException(record.exc_info)
    made.exc_text, made.exc_info = redactor.text(made.exc_text or "") or None, None
    for name, value in tuple(vars(record).items()):
        if name not in RESERVED:
            vars(made)[name] = redactor.value(value, name)
    return made
