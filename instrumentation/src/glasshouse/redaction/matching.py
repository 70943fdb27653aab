"""Holds a fork, and the end of the process, back until no thread is inside RE2.

RE2 takes a lock of its own while it matches, with Python's lock given up. A child that is forked
then finds it taken indefinitely, and would hang at its first log line.

When the interpreter ends, a daemon thread that asks for Python's lock is ended where it stands
(until Python 3.13, by `pthread_exit`). Where that is within C++, the whole process aborts.
"""

import atexit
import contextlib
import logging
import os
import time
import weakref
from threading import get_ident
from typing import Any, Final, cast

# Threads that match, and threads that fork or end the process, which alone may go on meanwhile.
# Single operations on them are atomic.
_matching: Final[dict[int, None]] = {}
_alone: Final[list[int]] = []
_PAUSE_S: Final = 0.0002
# One search takes less by far. A fork that was held back indefinitely would be worse.
_LONGEST_S: Final = 2.0
# The same for the end of the process.
_LONGEST_AT_END_S: Final = 0.5


class Watched:
    """A compiled expression of RE2 whose searches a fork waits for, and the end of the process."""

    def __init__(self, expression: Any) -> None:
        self._expression = expression
        self._search = expression.Match

    def Match(self, *arguments: Any) -> Any:  # RE2's name for it
        me = get_ident()
        _matching[me] = None
        try:
            if _alone and me not in _alone:
                _stand_back(me)
            return self._search(*arguments)
        finally:
            _matching.pop(me, None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._expression, name)


def _stand_back(me: int) -> None:
    end = time.monotonic() + _LONGEST_S
    while _alone:
        _matching.pop(me, None)
        # At the end of the process a thread does not come back from here.
        time.sleep(_PAUSE_S)
        _matching[me] = None
        if time.monotonic() > end:
            # The process neither forks nor ends: an exit handler that runs last may wait for us.
            _alone.clear()


def _go_alone(longest_s: float) -> None:
    """Let no other thread begin a search, and wait until none is in one."""
    me = get_ident()
    _alone.append(me)
    end = time.monotonic() + longest_s
    while any(thread != me for thread in tuple(_matching)) and time.monotonic() < end:
        time.sleep(_PAUSE_S)


def _before() -> None:
    _go_alone(_LONGEST_S)


def _after_in_parent() -> None:
    # It has taken so long that the others went on.
    with contextlib.suppress(ValueError):
        _alone.remove(get_ident())


def _after_in_child() -> None:
    _alone.clear()
    _matching.clear()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)


class _LastHandler:
    """Ends all searches when logging has closed every handler, as the last of them."""

    def acquire(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        _go_alone(_LONGEST_AT_END_S)

    def release(self) -> None:
        pass


_last_handler: Final = _LastHandler()


def _at_exit() -> None:
    """End all searches as late as can be.

    A thread that stands back may hold the lock of a handler, for which `logging.shutdown` waits. It
    is called after this, and closes handlers from the last to the first.
    """
    handlers: Any = getattr(logging, "_handlerList", None)
    if isinstance(handlers, list):
        cast(list[Any], handlers).insert(0, weakref.ref(_last_handler))
    else:
        _go_alone(_LONGEST_AT_END_S)


atexit.register(_at_exit)
