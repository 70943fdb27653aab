"""Which other handlers write a record to the console.

A service, or its server, that sets up a console handler for a logger of its own leaves the record
to go on to root, whose handlers are none of its making. Plain Python writes it once.
"""

import logging
import sys
from typing import Any, cast


def written_twice(own: logging.Handler, record: logging.LogRecord) -> bool:
    """Return whether ``record`` gets to another handler that writes to the console, too."""
    is_reached = is_elsewhere = False
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None:
        for handler in logger.handlers:
            if handler is own:
                is_reached = True
            elif not is_elsewhere:
                is_elsewhere = _writes(handler, record)
        logger = logger.parent if logger.propagate else None
    return is_reached and is_elsewhere and _has_a_message(record)


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
