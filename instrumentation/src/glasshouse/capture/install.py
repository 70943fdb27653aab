"""Captures all records of the standard library where every logger hands them on.

Not by a handler: `dictConfig`, `fileConfig`, `basicConfig(force=True)`, servers and workers replace
handlers, and loggers that do not propagate never reach the root's.
"""

import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from glasshouse.capture import handlers
from glasshouse.capture.export import export
from glasshouse.handed_on import LIBRARY, is_handed_on

# Called with each record, before the handlers: our console notices here that it is gone.
watchers: Final[list[Callable[[logging.LogRecord], None]]] = []
_lock: Final = threading.Lock()
# What the logger would call without us: Python's own, or another library's that was there first.
_replaced: Final[list[Callable[..., Any]]] = []
# The record that was exported before its handlers were called.
_exported: Final[contextvars.ContextVar[logging.LogRecord | None]] = contextvars.ContextVar(
    "glasshouse.exported", default=None
)


def show(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Hand a record to the handlers, without exporting it."""
    token = _exported.set(record)
    try:
        logger.callHandlers(record)
    finally:
        _exported.reset(token)


def install() -> None:
    """Capture every record of this process from now on. Safe to call twice."""
    with _lock:
        if not _replaced:
            handlers.install()
            _replaced.append(logging.Logger.callHandlers)
            setattr(logging.Logger, "callHandlers", _call_handlers)  # noqa: B010 (as pyright wants it)


def uninstall() -> None:
    """Capture no more, and leave all loggers and handlers as they were."""
    with _lock:
        if _replaced:
            watchers.clear()
            handlers.uninstall()
            setattr(logging.Logger, "callHandlers", _replaced.pop())  # noqa: B010 (as above)


def is_installed() -> bool:
    """Return whether this process's records are captured."""
    return bool(_replaced)


def was_exported(record: logging.LogRecord) -> bool:
    """Return whether the record that is being handed to handlers was exported before."""
    # Or routed here from a library whose records are exported where they are made.
    return _exported.get() is record or is_handed_on(LIBRARY, record)


def _call_handlers(self: logging.Logger, record: logging.LogRecord) -> Any:
    if not was_exported(record):
        export(record)
    for watch in watchers:
        watch(record)
    return _replaced[0](self, record)
