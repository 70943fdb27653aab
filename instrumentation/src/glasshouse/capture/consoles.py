"""Which other handlers write a record to the console.

A service, or its server, that sets up a console handler for a logger of its own leaves the record
to go on to root, whose handlers are none of its making. Plain Python writes it once.
"""

import logging
import sys
from collections.abc import Iterator
from typing import Any, cast


def written_twice(own: logging.Handler, record: logging.LogRecord) -> bool:
    """Return whether ``record`` gets to another handler that writes to the console, too."""
    reached = list(_reached(record.name))
    others = [handler for handler in reached if handler is not own and _writes(handler, record)]
    return own in reached and bool(others) and _has_a_message(record)


def _has_a_message(record: logging.LogRecord) -> bool:
    try:
        record.getMessage()
    except Exception:  # noqa: BLE001  # whatever an argument raises: the others write nothing then
        return False
    return True


def _writes(handler: logging.Handler, record: logging.LogRecord) -> bool:
    if not isinstance(handler, logging.StreamHandler) or record.levelno < handler.level:
        return False
    stream = cast("logging.StreamHandler[Any]", handler).stream
    return stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)


def _reached(name: str) -> Iterator[logging.Handler]:
    """Yield the handlers that a record of this logger gets to, its own first."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None
