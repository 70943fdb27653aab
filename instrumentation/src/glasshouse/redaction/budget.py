"""A bound on the processor time that a record takes, for a thread that must not wait.

The loops of the engine ask for it at each candidate. On all other threads there is none; these hand
the interpreter over now and then while an event loop runs on another. To let it wait for Python's
own 5 ms would stop it for that long at each of its system calls.
"""

import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from glasshouse.event_loops import is_any_running, is_on_loop, let_run

# So many candidates has an ordinary record at the most, such as an exception with a traceback in
# frames: it is never cut, however slow the machine.
FREE: Final = 400
# As how many one counts that takes longer than to check a place: a value that belongs to a secret
# name. A match that is checked counts as one: a traceback has some eight in each of its frames.
VALUE: Final = 6
# What few of them come to counts for itself: to be replaced; as many digits as a card has.
FEW: Final = 2
# So many pass between two readings of the clock, which costs more than to ask.
_BETWEEN: Final = 8
# How much processor time to take before others get their turn, and how long to wait for them.
# Whoever waits for the interpreter has to wake up meanwhile, on another core as a rule; one that is
# too late waits again from the beginning, since each search of RE2 wakes it up in vain.
SLICE_S: Final = 0.0005
PAUSE_S: Final = 0.0002
# Beside a long text that would come to many ms now and then, so a loop is waited for until it has
# had its turn, for no longer than this. To export a batch so would take too long on a busy loop.
TURN_S: Final = 0.005
LONG: Final = 16 << 10
# Bytes that one call of C reads before it is asked again.
STRETCH: Final = 32 << 10


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
    # Until the clock is read again; and what it was when others had their turn.
    left = _BETWEEN
    since = 0.0
    is_long = False


_on_this_thread: Final = _OnThisThread()


def begin() -> None:
    """Go on with a record on a thread of the application that is no event loop's.

    What the thread did before does not count: a short record waits for nobody, which would come on
    top of its request's time.
    """
    here = _on_this_thread
    here.left = _BETWEEN
    here.since = time.thread_time()


def ask(candidates: int = 1) -> None:
    """Go on with so many candidates; with none, after something that takes as long as several.

    Raises:
        OutOfTimeError: if this thread has a budget, and spent it.
    """
    here = _on_this_thread
    budget = here.budget
    if budget is not None:
        budget.asked(candidates)
    elif here.left:
        here.left -= 1
    else:
        share()


def step() -> None:
    """Go on with something that is no candidate, and takes less.

    Raises:
        OutOfTimeError: as `ask`.
    """
    here = _on_this_thread
    budget = here.budget
    if budget is not None:
        budget.asked(0)
    elif here.left:
        here.left -= 1
    else:
        share()


def share() -> None:
    """Go on after one call of C that read much: hand the interpreter over, if this thread may wait.

    Raises:
        OutOfTimeError: as `ask`.
    """
    here = _on_this_thread
    if here.budget is not None:
        here.budget.asked(0)
        return
    here.left = _BETWEEN
    now = time.thread_time()
    if now - here.since > SLICE_S:
        hand_over()
        here.since = now


def hand_over() -> None:
    """Let an event loop have its turn, if one runs on another thread."""
    if is_any_running() and not is_on_loop():
        ran = _on_this_thread.is_long and let_run(TURN_S)
        if not ran:
            time.sleep(PAUSE_S)


@contextmanager
def long() -> Generator[None]:
    """Redact a long text within, one of more than `LONG` bytes."""
    here = _on_this_thread
    before, here.is_long = here.is_long, True
    try:
        yield
    finally:
        here.is_long = before


def share_after(size: int) -> None:
    """Go on after so many bytes were read in one call of C."""
    if size > STRETCH:
        share()


def stretches(size: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """Yield the places of a long text, a stretch after the other; others get their turn between."""
    while size - start > STRETCH:
        yield start, start + STRETCH
        start += STRETCH
        share()
    yield start, size


def has_any(one_of: re.Pattern[bytes], text: bytes) -> bool:
    """Return whether a text has a character that this pattern matches, which is a class."""
    search: Callable[..., Any] = one_of.search
    if len(text) <= STRETCH:
        return search(text) is not None
    return any(search(text, start, end) is not None for start, end in stretches(len(text)))


@contextmanager
def free() -> Generator[None]:
    """Do not count what stands within: it is done once in a process, whatever the record."""
    started = time.thread_time()
    try:
        yield
    finally:
        if _on_this_thread.budget is not None:
            _on_this_thread.budget.extend(time.thread_time() - started)
