"""Holds a fork, and the end of the process, back until no thread is inside RE2 or the native part.

RE2 takes a lock of its own while it matches, with Python's lock given up. A child that is forked
then finds it taken indefinitely, and would hang at its first log line.

When the interpreter ends, a daemon thread that asks for Python's lock is ended where it stands
(until Python 3.13, by `pthread_exit`). Where that is within C++, the whole process aborts; within
Rust, too, where something of Python's runs in there, such as the collection of garbage.
"""

import atexit
import contextlib
import logging
import os
import time
import weakref
from collections.abc import Callable
from threading import get_ident
from typing import Any, Final, TypeVar, cast

Returned = TypeVar("Returned")

# Threads that are inside, and threads that fork or end the process: these alone go on meanwhile.
# Single operations on them are atomic.
_inside: Final[dict[int, None]] = {}
_alone: Final[list[int]] = []
_PAUSE_S: Final = 0.0002
# One search takes less by far. A fork that was held back indefinitely would be worse.
_LONGEST_S: Final = 2.0
# The same for the end of the process.
_LONGEST_AT_END_S: Final = 0.5


def watched(call: Callable[..., Returned]) -> Callable[..., Returned]:
    """Return the same function of RE2 or the native part, for which both wait.

    A call must be short: the end of the process waits for it, but not long.
    """

    def run(*arguments: Any) -> Returned:
        me = get_ident()
        # Whoever searches within such a call would stand back in there, and be ended.
        if me in _inside:
            return call(*arguments)
        _inside[me] = None
        try:
            if _alone and me not in _alone:
                _stand_back(me)
            return call(*arguments)
        finally:
            _inside.pop(me, None)

    return run


class Watched:
    """A compiled expression of RE2 whose searches a fork waits for, and the end of the process."""

    def __init__(self, expression: Any) -> None:
        self._expression = expression
        self.Match: Callable[..., Any] = watched(expression.Match)  # RE2's name for it

    def __getattr__(self, name: str) -> Any:
        return getattr(self._expression, name)


def _stand_back(me: int) -> None:
    end = time.monotonic() + _LONGEST_S
    while _alone:
        _inside.pop(me, None)
        # At the end of the process a thread does not come back from here.
        time.sleep(_PAUSE_S)
        _inside[me] = None
        if time.monotonic() > end:
            # The process neither forks nor ends: an exit handler that runs last may wait for us.
            _alone.clear()


def _go_alone(longest_s: float) -> None:
    """Let no other thread go inside, and wait until none is there."""
    me = get_ident()
    _alone.append(me)
    end = time.monotonic() + longest_s
    while any(thread != me for thread in tuple(_inside)) and time.monotonic() < end:
        time.sleep(_PAUSE_S)


def _before() -> None:
    _go_alone(_LONGEST_S)


def _after_in_parent() -> None:
    # It has taken so long that the others went on.
    with contextlib.suppress(ValueError):
        _alone.remove(get_ident())


def _after_in_child() -> None:
    _alone.clear()
    _inside.clear()


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
