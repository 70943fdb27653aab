"""Holds a fork back until no thread is inside RE2.

RE2 takes a lock of its own while it matches, with Python's lock given up. A child that is forked
then finds it taken indefinitely, and would hang at its first log line.
"""

import os
import time
from threading import get_ident
from typing import Any, Final

# Threads that match, and threads that fork. Single operations on them are atomic.
_matching: Final[dict[int, None]] = {}
_forking: Final[list[int]] = []
_PAUSE_S: Final = 0.0002
# One search takes less by far. A fork that was held back indefinitely would be worse.
_LONGEST_S: Final = 2.0


class Watched:
    """A compiled expression of RE2 whose searches a fork waits for."""

    def __init__(self, expression: Any) -> None:
        self._expression = expression
        self._search = expression.Match

    def Match(self, *arguments: Any) -> Any:  # RE2's name for it
        me = get_ident()
        _matching[me] = None
        try:
            if _forking and me not in _forking:
                _stand_back(me)
            return self._search(*arguments)
        finally:
            _matching.pop(me, None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._expression, name)


def _stand_back(me: int) -> None:
    end = time.monotonic() + _LONGEST_S
    while _forking and time.monotonic() < end:
        _matching.pop(me, None)
        time.sleep(_PAUSE_S)
        _matching[me] = None


def _before() -> None:
    me = get_ident()
    _forking.append(me)
    end = time.monotonic() + _LONGEST_S
    while any(thread != me for thread in tuple(_matching)) and time.monotonic() < end:
        time.sleep(_PAUSE_S)


def _after_in_parent() -> None:
    _forking.remove(get_ident())


def _after_in_child() -> None:
    _forking.clear()
    _matching.clear()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
