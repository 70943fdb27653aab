"""Flush all three signals when the process ends, within a fixed time.

A process ends in several ways that lose the tail of its telemetry. Exit handlers never run when a
signal ends it (uvicorn raises SIGTERM again after its own clean-up), nor after `os._exit`, by which
every forked child of multiprocessing, billiard, socketserver and the like ends. And a normal end
with a dead Collector takes each exporter's own time-out, one after the other.
"""

import atexit
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final, NoReturn

DEADLINE_SECONDS: Final = 4.0
# What is left of it for the last ones at least.
_FOR_THE_LAST_SECONDS: Final = 1.5
_POLL_SECONDS: Final = 0.005

# Signals that end a process by default. A program that gives one its default back, as gunicorn's
# workers and asyncio do, still gets the flush first.
_ENDING: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
# Those answered from the start on. SIGINT becomes KeyboardInterrupt, and exit handlers run.
_ANSWERED: Final = (signal.SIGHUP, signal.SIGTERM)

_set_handler: Final = signal.signal
_exit_now: Final = os._exit
_installed: "list[BoundedShutdown]" = []


@dataclass(kw_only=True)
class _Stop:
    """One thing to stop, in a thread that waits for its start.

    Queues of this kind can be used in a signal handler that interrupts their own use.
    """

    call: Callable[[], object]
    start: SimpleQueue[None] = field(default_factory=SimpleQueue[None])
    done: bool = False

    def run(self) -> None:
        self.start.get()
        try:
            self.call()
        finally:
            self.done = True


class BoundedShutdown:
    """Runs every provider's shutdown at the same time and waits for all, up to a deadline.

    ``last`` begin when the others are done, or when little time is left: they report what became
    of the others. The threads are made early and wait: no thread can be started any more once
    the interpreter is shutting down.
    """

    def __init__(
        self,
        first: Sequence[Callable[[], object]],
        last: Sequence[Callable[[], object]],
        deadline_s: float,
    ) -> None:
        self._calls = (tuple(first), tuple(last))
        self._deadline_s = deadline_s
        self._start_threads()
        # Threads do not survive a fork.
        os.register_at_fork(after_in_child=self._start_threads)

    def _start_threads(self) -> None:
        self._end: float | None = None
        self._first, self._last = ([_Stop(call=call) for call in calls] for calls in self._calls)
        for stop in (*self._first, *self._last):
            thread = threading.Thread(target=stop.run, name="glasshouse-shutdown", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # No thread can be had. An end without a flush is better than one that hangs.
                stop.done = True
        self._pid = os.getpid()

    def remaining(self) -> float:
        """Return the seconds until the deadline; all of them while nothing has begun."""
        return self._deadline_s if self._end is None else max(0.0, self._end - time.monotonic())

    def run(self) -> None:
        """Shut down, once. Returns when it is done, after the deadline at the latest.

        A call while another is under way waits for the same end, whatever its thread: a signal
        may interrupt this very function, and what ends the process next must not cut it short.
        """
        if self._pid != os.getpid():
            # A child that is not set up yet has recorded nothing.
            return
        if self._end is None:
            self._end = time.monotonic() + self._deadline_s
        end = self._end
        for stop in self._first:
            stop.start.put(None)
        while time.monotonic() < end:
            late = end - time.monotonic() < _FOR_THE_LAST_SECONDS
            if late or all(stop.done for stop in self._first):
                for stop in self._last:
                    stop.start.put(None)
                if all(stop.done for stop in (*self._first, *self._last)):
                    return
            time.sleep(_POLL_SECONDS)


def is_installed() -> bool:
    """Return whether something is done before this process ends, however it does."""
    return bool(_installed)


def remaining() -> float:
    """Return the seconds that a shutdown of this process may still take."""
    return _installed[-1].remaining() if _installed else DEADLINE_SECONDS


def flush_at_end() -> None:
    """Shut telemetry down, as at the process's end. Returns within the deadline."""
    for shutdown in _installed:
        shutdown.run()


def install(
    first: Sequence[Callable[[], object]],
    last: Sequence[Callable[[], object]] = (),
    deadline_s: float = DEADLINE_SECONDS,
) -> None:
    """Call each of ``first``, then of ``last``, when the process ends, within ``deadline_s``.

    That is at exit, at `os._exit`, and where a signal takes its default action. A signal that
    the program handles itself ends in one of these.
    """
    _installed.append(BoundedShutdown(first, last, deadline_s))
    if len(_installed) > 1:
        return
    atexit.register(flush_at_end)
    os._exit = _flush_and_exit
    signal.signal = _signal
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ANSWERED:
        if signal.getsignal(number) is signal.SIG_DFL:
            _set_handler(number, _on_signal)


@functools.wraps(_exit_now)
def _flush_and_exit(status: int) -> NoReturn:
    try:
        flush_at_end()
    finally:
        _exit_now(status)


@functools.wraps(_set_handler)
def _signal(signalnum: int, handler: Any) -> Any:
    ends = handler == signal.SIG_DFL and signalnum in _ENDING
    return _set_handler(signalnum, _on_signal if ends else handler)


def _on_signal(signum: int, frame: FrameType | None) -> None:
    flush_at_end()
    # End by the signal, as without us: whoever waits sees the true cause.
    _set_handler(signum, signal.SIG_DFL)
    signal.raise_signal(signum)
    # Only PID 1 gets here: the kernel ignores the default action for it.
    _exit_now(128 + signum)
