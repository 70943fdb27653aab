"""Captures all records of the standard library where every logger hands them on.

Not by a handler: `dictConfig`, `fileConfig`, `basicConfig(force=True)`, servers and workers replace
handlers, and loggers that do not propagate never reach the root's.
"""

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
_installed: Final[list[bool]] = []


# A library may have replaced it, too.
_original: Final = logging.Logger.callHandlers


def show(logger: logging.Logger, record: logging.LogRecord) -> Any:
    """Hand a record to the handlers, without exporting it."""
    for watch in watchers:
        watch(record)
    return _original(logger, record)


def install() -> None:
    """Capture every record of this process from now on. Safe to call twice."""
    with _lock:
        if not _installed:
            _installed.append(True)
            handlers.install()
            setattr(logging.Logger, "callHandlers", _call_handlers)  # noqa: B010 (as pyright wants it)


def uninstall() -> None:
    """Capture no more, and leave all loggers and handlers as they were."""
    with _lock:
        if _installed:
            _installed.clear()
            watchers.clear()
            handlers.uninstall()
            setattr(logging.Logger, "callHandlers", _original)  # noqa: B010 (as above)


def is_installed() -> bool:
    """Return whether this process's records are captured."""
    return bool(_installed)


def _call_handlers(self: logging.Logger, record: logging.LogRecord) -> Any:
    # Routed here from a library that has exported it.
    if not is_handed_on(LIBRARY, record):
        export(record)
    return show(self, record)
