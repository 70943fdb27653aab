"""loguru: its records over OTLP, and what its sinks write redacted.

Each record is exported once, where loguru hands it to its sinks, after the patchers. Every sink
writes redacted text, whenever it was added: the formatted line, `serialize=True`, tracebacks with
the values of variables. What loguru filters by level or by `disable` is not exported. After
`logger.remove()` without another sink, records from ``LOG_LEVEL`` on are.

A function that is a sink gets redacted text with `message.record` as it is.
"""

import contextlib
import inspect
import io
import logging
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.instrumentation.utils import unwrap
from wrapt import register_post_import_hook, wrap_function_wrapper

from glasshouse import capture
from glasshouse.console_text import redacted_text
from glasshouse.handed_on import LIBRARY, handing_on, is_handed_on
from glasshouse.instrumentors.library import require
from glasshouse.instrumentors.records import made
from glasshouse.redaction import Redactor

_LIBRARY: Final = "loguru"
# Records that one thread may have under way: a sink or a patcher may log in turn.
_MOST_UNDER_WAY: Final = 16
_NAME: Final = re.compile(r"\w+")


class _Seen(threading.local):
    """The times of the last records of this thread; a time object belongs to one record."""

    def __init__(self) -> None:
        self.times: deque[Any] = deque(maxlen=_MOST_UNDER_WAY)


_seen: Final = _Seen()


class LoguruInstrumentor(BaseInstrumentor):
    """Exports loguru's records and redacts what its sinks write."""

    _active = False
    _silent: int | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("loguru >= 0.7, < 0.8",)

    def _instrument(self, **kwargs: Any) -> None:
        require(_LIBRARY, self.instrumentation_dependencies())
        self._active = True
        # Not imported here: its default sink takes the standard error of that moment.
        register_post_import_hook(self._patch, _LIBRARY)

    def _uninstrument(self, **kwargs: Any) -> None:
        self._active = False
        if _LIBRARY not in sys.modules:
            return
        for module, name, _ in self._wrappers():
            owner, _, method = name.rpartition(".")
            unwrap(getattr(sys.modules[module], owner), method)
        unwrap(logging.Handler, "handle")

    def _patch(self, module: Any) -> None:
        if not self._active:
            return
        for path, name, wrapper in self._wrappers():
            wrap_function_wrapper(path, name, wrapper)
        wrap_function_wrapper(logging.Handler, "handle", _marked)
        self._logger = module.logger

    def _wrappers(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            ("loguru._handler", "Handler.emit", _exported),
            *(
                ("loguru._simple_sinks", f"{sink}.write", _redacted)
                for sink in ("StreamSink", "StandardSink", "CallableSink", "AsyncSink")
            ),
            ("loguru._file_sink", "FileSink.write", _redacted),
            ("loguru._better_exceptions", "ExceptionFormatter._get_relevant_values", _values),
            ("loguru._better_exceptions", "ExceptionFormatter._format_value", _value),
            ("loguru._error_interceptor", "ErrorInterceptor.print", _reported),
            ("loguru._logger", "Logger.remove", self._removed),
            ("loguru._logger", "Logger.add", self._added),
        ]

    def _removed(self, remove: Callable[..., None], logger: Any, args: Any, kwargs: Any) -> None:
        try:
            remove(*args, **kwargs)
        finally:
            if not logger._core.handlers:
                # Without any sink loguru makes no records.
                self._silent = logger.add(_discard, level=logging.getLogger().level, catch=False)

    def _added(self, add: Callable[..., int], logger: Any, args: Any, kwargs: Any) -> int:
        number = add(*args, **kwargs)
        silent, self._silent = self._silent, None
        # The application's sinks decide from which level on there are records.
        if silent is not None and silent in logger._core.handlers:
            logger.remove(silent)
        return number


def _discard(_message: str) -> None:
    """Keep nothing: the record was exported before."""


def _exported(emit: Callable[..., None], _handler: Any, args: Any, kwargs: Any) -> None:
    record = args[0] if args else kwargs["record"]
    # Values of the application, which may raise anything.
    with contextlib.suppress(Exception):
        _export_once(record)
    emit(*args, **kwargs)


def _export_once(record: dict[str, Any]) -> None:
    # Called for each sink with the same record.
    time = record["time"]
    if any(time is seen for seen in _seen.times):
        return
    _seen.times.append(time)
    if is_handed_on(_LIBRARY, record["message"]):
        return
    error = record["exception"]
    capture.export(
        made(
            name=record["name"] or _LIBRARY,
            level=(record["level"].no, record["level"].name),
            message=record["message"],
            attributes=record["extra"],
            exc_info=(error.type, error.value, error.traceback) if error else None,
            pathname=record["file"].path,
            lineno=record["line"],
            funcName=record["function"],
            created=time.timestamp(),
            thread=record["thread"].id,
            threadName=record["thread"].name,
        )
    )


def _redacted(write: Callable[..., None], _sink: Any, args: Any, kwargs: Any) -> None:
    message = args[0] if args else kwargs["message"]
    text = str(message)
    shown = type(message)(redacted_text(text))
    shown.record = message.record
    with handing_on(_LIBRARY, text, shown, message.record["message"]):
        write(shown)


def _marked(handle: Callable[..., Any], _handler: Any, args: Any, kwargs: Any) -> Any:
    """Mark the record that a handler of the standard library has: it may pass it to loguru."""
    with handing_on(LIBRARY, *args, *kwargs.values()):
        return handle(*args, **kwargs)


class _Shown:
    """Has a representation that is already known."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _value(show: Callable[..., str], _formatter: Any, args: Any, kwargs: Any) -> str:
    """Redact a variable's value before it is shortened: of half an address nothing is found."""
    value = args[0] if args else kwargs["v"]
    try:
        text = Redactor.default().for_caller().text(repr(value))
    except Exception:  # noqa: BLE001 (loguru has its own text for what cannot be shown)
        return show(value)
    return show(_Shown(text))


def _values(
    values: Callable[..., Iterator[tuple[int, str]]], _formatter: Any, args: Any, kwargs: Any
) -> Iterator[tuple[int, str]]:
    """Redact the values of variables by their names: `password` says more than its value."""
    bound = inspect.signature(values).bind(*args, **kwargs).arguments
    source = bound["source"]
    redactor = Redactor.default().for_caller()
    for column, text in values(*args, **kwargs):
        name = _NAME.match(source, column)
        yield column, str(redactor.value(text, name[0] if name else ""))


def _reported(report: Callable[..., None], interceptor: Any, args: Any, kwargs: Any) -> None:
    """Write loguru's report of a sink that failed: it shows the whole record."""
    record = args[0] if args else kwargs.get("record")
    given = kwargs.get("exception")
    error = sys.exc_info()[1] if given is None else given
    if not sys.stderr:
        return
    text = io.StringIO()
    text.write(f"--- Logging error in Loguru Handler #{interceptor._handler_id} ---\n")
    try:
        text.write(f"Record was: {record}\n")
    except Exception:  # noqa: BLE001 (values of the application, which may raise anything)
        text.write("Record was: /!\\ Unprintable record /!\\\n")
    traceback.print_exception(error, file=text)
    text.write("--- End of logging error ---\n")
    try:
        sys.stderr.write(redacted_text(text.getvalue()))
    except (OSError, ValueError):
        return
