"""A bound on the processor time that a record takes, for a thread that must not wait.

The loops of the engine ask for it at each candidate. On all other threads there is none, and asking
costs next to nothing.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

# So many candidates has an ordinary record at the most, such as an exception with a traceback in
# frames: it is never cut, however slow the machine.
FREE: Final = 400
# So many pass between two readings of the clock, which costs more than to ask.
_BETWEEN: Final = 8


class OutOfTimeError(BaseException):
    """The time is up. No failure: no handler for those may take it for one."""


class Budget:
    """What one record may take. ``left`` is processor time, in seconds."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self._until = 0.0
        self._asked = 0
        self._read_at = FREE

    @property
    def is_spent(self) -> bool:
        return self.left <= 0 and self._asked >= FREE

    @contextmanager
    def spending(self) -> Generator[None]:
        """Let this thread spend no more than is left on what stands within.

        Raises:
            OutOfTimeError: from within, where it takes longer.
        """
        before, _on_this_thread.budget = _on_this_thread.budget, self
        self._until = time.thread_time() + self.left
        try:
            yield
        finally:
            _on_this_thread.budget = before
            self.left = self._until - time.thread_time()

    def asked(self, candidates: int) -> None:
        self._asked += candidates
        if self._asked < self._read_at:
            return
        self._read_at = self._asked + (_BETWEEN if candidates else 0)
        if time.thread_time() > self._until:
            raise OutOfTimeError

    def extend(self, seconds: float) -> None:
        self._until += seconds


class _OnThisThread(threading.local):
    budget: Budget | None = None


_on_this_thread: Final = _OnThisThread()


def ask(candidates: int = 1) -> None:
    """Go on with so many candidates; with none, after something that takes as long as several.

    Raises:
        OutOfTimeError: if this thread has a budget, and spent it.
    """
    budget = _on_this_thread.budget
    if budget is not None:
        budget.asked(candidates)


@contextmanager
def free() -> Generator[None]:
    """Do not count what stands within: it is done once in a process, whatever the record."""
    started = time.thread_time()
    try:
        yield
    finally:
        if _on_this_thread.budget is not None:
            _on_this_thread.budget.extend(time.thread_time() - started)
