"""structlog: events that it prints itself over OTLP, and redacted where they are printed.

By default structlog writes its lines itself. Each such event is exported with its level, its
exception, and its keys and values as attributes, as they are before the last processor renders
them; what a processor drops is not. The rendered line is redacted.

Events that go on to the standard library are left to its capture. With `ProcessorFormatter` such a
record's message is the dictionary of the event: that one is exported from here, in the same form.
"""

import contextlib
import inspect
import logging
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextvars import ContextVar
from types import FrameType, SimpleNamespace
from typing import Any, Final, cast

from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.instrumentation.utils import unwrap
from wrapt import register_post_import_hook, wrap_function_wrapper

from glasshouse import capture
from glasshouse.console_text import redacted_text
from glasshouse.handed_on import handing_on, is_handed_on
from glasshouse.instrumentors.library import require
from glasshouse.instrumentors.records import made
from glasshouse.redaction import Redactor

_LIBRARY: Final = "structlog"
# Names of methods that are no levels of the standard library, and what they stand for.
_LEVELS: Final = {
    "exception": logging.ERROR,
    "err": logging.ERROR,
    "failure": logging.ERROR,
    "fatal": logging.CRITICAL,
    "warn": logging.WARNING,
    "trace": logging.DEBUG // 2,
}
# Of the event's keys, those that the record has a place of its own for.
_PLACED: Final = frozenset(
    {"event", "exc_info", "level", "level_number", "logger", "stack_info", "timestamp"}
)
# Where a call of the application does not come from.
_NOT_CALLERS: Final = frozenset(
    {
        "asyncio",
        "concurrent",
        "contextvars",
        "glasshouse",
        "opentelemetry",
        "structlog",
        "threading",
        "wrapt",
    }
)
_CALLING: Final = "_ASYNC_CALLING_STACK"
# The texts of the event that this call is about, for what a logger passes on.
_texts: Final[ContextVar[list[Any] | None]] = ContextVar("glasshouse.structlog", default=None)


class StructlogInstrumentor(BaseInstrumentor):
    """Exports structlog's own events and redacts the lines that it prints."""

    _active = False

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("structlog >= 22.1",)

    def _instrument(self, **kwargs: Any) -> None:
        require(_LIBRARY, self.instrumentation_dependencies())
        self._active = True
        # Not imported here: it takes the standard output of that moment.
        register_post_import_hook(self._patch, _LIBRARY)

    def _uninstrument(self, **kwargs: Any) -> None:
        self._active = False
        if _LIBRARY in sys.modules:
            for name in _WRAPPERS:
                unwrap(sys.modules[_LIBRARY].BoundLoggerBase, name)

    def _patch(self, module: Any) -> None:
        if self._active:
            for name, wrapper in _WRAPPERS.items():
                wrap_function_wrapper(module.BoundLoggerBase, name, wrapper)


def _handed_on(proxy: Callable[..., Any], bound: Any, args: Any, kwargs: Any) -> Any:
    with handing_on(_LIBRARY) as texts:
        token = _texts.set(texts)
        try:
            return proxy(*args, **kwargs)
        finally:
            _texts.reset(token)


def _processed(process: Callable[..., Any], bound: Any, args: Any, kwargs: Any) -> Any:
    call = _Call(bound, args, kwargs)
    processors = list(bound._processors)
    # The last one makes text of the event: what it is given is what is exported.
    processors.insert(max(0, len(processors) - 1), call.see)
    stand_in = SimpleNamespace(
        _processors=processors, _context=bound._context, _logger=bound._logger
    )
    result = cast(Any, process).__func__(stand_in, *args, **kwargs)
    try:
        return call.finish(result)
    except Exception:  # noqa: BLE001 (values of the application, which may raise anything)
        return result


class _Call:
    """One call of a logger's method."""

    def __init__(self, bound: Any, args: Any, kwargs: Any) -> None:
        named = dict(zip(("method_name", "event", "event_kw"), args, strict=False)) | kwargs
        self._logger: Any = bound._logger
        self._method: str = named["method_name"]
        self._given: dict[str, Any] = named["event_kw"]
        self._event: dict[str, Any] | None = None

    def see(self, _logger: Any, _method: str, event: object) -> object:
        """Be a processor that changes nothing."""
        if isinstance(event, dict):
            self._event = {**cast("dict[str, Any]", event)}
        return cast(object, event)

    def finish(self, result: Any) -> Any:
        """Export the event; return the logger's arguments as they may be shown."""
        if _is_stdlib(self._logger):
            self._for_formatter(result)
            return result
        if _keeps_for_itself(self._logger):
            return result
        args, kwargs = result
        self._export((self._text(), *args))
        return tuple(_shown(one) for one in args), {k: _shown(v, k) for k, v in kwargs.items()}

    def _for_formatter(self, result: Any) -> None:
        """Export an event that goes to `ProcessorFormatter`: its record's message is a map."""
        args, kwargs = result
        is_event = "_logger" in kwargs.get("extra", ()) and isinstance(args[0], dict)
        if is_event and self._logger.isEnabledFor(self._level()[0]):
            self._export(args)

    def _text(self) -> str:
        return _text((self._event or {}).get("event", ""))

    def _export(self, handed_on: Iterable[Any]) -> None:
        # Values of the application, which may raise anything.
        with contextlib.suppress(Exception):
            texts = _texts.get()
            if texts is not None:
                texts += [_text(one) for one in handed_on]
            if not is_handed_on(_LIBRARY, self._text()):
                capture.export(self._record())

    def _record(self) -> logging.LogRecord:
        event = self._event or {}
        frame = _caller()
        module = frame.f_globals.get("__name__") if frame else None
        name = event.get("logger") or getattr(self._logger, "name", None) or module or _LIBRARY
        exc_info = self._exc_info()
        # The processors that come before the last one may have made text of the exception.
        left_out = _PLACED | ({"exception"} if exc_info else frozenset[str]())
        fields: dict[str, Any] = {"exc_info": exc_info, "created": time.time()}
        if frame:
            code = frame.f_code
            fields |= {"pathname": code.co_filename, "lineno": frame.f_lineno}
            fields["funcName"] = code.co_name
        return made(
            name=str(name),
            level=self._level(),
            message=self._text(),
            attributes={key: value for key, value in event.items() if key not in left_out},
            **fields,
        )

    def _level(self) -> tuple[int, str]:
        method = self._method.lower()
        number = _LEVELS.get(method) or logging.getLevelNamesMapping().get(method.upper())
        number = logging.INFO if number is None else number
        return number, logging.getLevelName(number)

    def _exc_info(self) -> Any:
        event = self._event or {}
        given = self._given.get("exc_info", event.get("exc_info"))
        if given is None and self._method == "exception":
            given = True
        if isinstance(given, BaseException):
            return type(given), given, given.__traceback__
        if isinstance(given, tuple):
            return cast("tuple[Any, ...]", given)
        found = sys.exc_info() if given else (None, None, None)
        return found if found[0] else None


def _is_stdlib(logger: Any) -> bool:
    return isinstance(logger, logging.Logger | logging.LoggerAdapter)


def _keeps_for_itself(logger: Any) -> bool:
    """Return whether a logger writes nothing: those that are made for tests."""
    return type(logger).__module__ == "structlog.testing"


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _shown(value: Any, key: str = "") -> Any:
    if isinstance(value, str) and key:
        return Redactor.default().for_caller().value(value, key)
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, bytes | bytearray):
        text = bytes(value).decode("utf-8", "surrogateescape")
        shown = redacted_text(text)
        return value if shown == text else shown.encode("utf-8", "surrogateescape")
    return value


def _caller() -> FrameType | None:
    """Return the application's frame that logs; `None` where that cannot be seen."""
    module: Any = sys.modules.get("structlog.contextvars")
    # Where another thread does it for a coroutine.
    calling: Any = getattr(module, _CALLING, None)
    frame: FrameType | None = calling.get(None) if calling is not None else None
    frame = frame or inspect.currentframe()
    while frame and str(frame.f_globals.get("__name__")).partition(".")[0] in _NOT_CALLERS:
        frame = frame.f_back
    return frame


_WRAPPERS: Final = {"_proxy_to_logger": _handed_on, "_process_event": _processed}
