"""Flush all three signals when the process ends, within a fixed time.

A process ends in two ways that lose the tail of its telemetry: killed by SIGTERM (exit
handlers never run; uvicorn raises the signal again after its own clean-up), or normally while
the Collector is dead (each exporter waits its own time-out, one after the other).
"""

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

DEADLINE_SECONDS: Final = 4.0


class BoundedShutdown:
    """Runs every provider's shutdown at the same time and waits for all, up to a deadline.

    The threads are made early and wait: no thread can be started any more once the
    interpreter is shutting down.
    """

    def __init__(self, stop: Sequence[Callable[[], object]], deadline_s: float) -> None:
        self._stop = stop
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._ran = False
        self._start_threads()
        # Threads do not survive a fork.
        os.register_at_fork(after_in_child=self._start_threads)

    def _start_threads(self) -> None:
        self._go = threading.Event()
        self._threads = [
            threading.Thread(target=self._wait_and, args=(stop,), daemon=True)
            for stop in self._stop
        ]
        for thread in self._threads:
            thread.start()

    def _wait_and(self, stop: Callable[[], object]) -> None:
        self._go.wait()
        stop()

    def run(self) -> None:
        """Shut down, once. Returns after the deadline at the latest."""
        # Not blocking: a signal may interrupt run() itself, on the same thread.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._ran:
                return
            self._ran = True
            end = time.monotonic() + self._deadline_s
            self._go.set()
            for thread in self._threads:
                thread.join(max(0.0, end - time.monotonic()))
        finally:
            self._lock.release()


def install(stop: Sequence[Callable[[], object]], deadline_s: float = DEADLINE_SECONDS) -> None:
    """Call each of ``stop`` at exit and at SIGTERM, all within ``deadline_s`` seconds.

    SIGTERM is handled only where nothing else handles it. A server that installs its own
    handler later and raises the signal again at its end, as uvicorn does, gets here too.
    """
    shutdown = BoundedShutdown(stop, deadline_s)
    atexit.register(shutdown.run)
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def on_sigterm(signum: int, frame: FrameType | None) -> None:
        shutdown.run()
        # End by the signal, as without us: whoever waits sees the true cause.
        signal.signal(signum, signal.SIG_DFL)
        signal.raise_signal(signum)
        # Only PID 1 gets here: the kernel ignores the default action for it.
        os._exit(128 + signum)

    signal.signal(signal.SIGTERM, on_sigterm)
