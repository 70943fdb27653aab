"""Where an event loop runs: what takes long there, or keeps the interpreter, stops all its tasks.

Loops are asyncio's. Nothing is imported or replaced for it: a service without asyncio has no loop.
"""

import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, Final

# For so long an answer about all threads holds: to go through their frames takes some microseconds.
_HOLDS_S: Final = 0.1
# A process has one or a few that run at once; those that ended leave by themselves.
_MOST_SEEN: Final = 64


class _Seen:
    """A loop that was seen to run: another thread can let it have its turn."""

    def __init__(self, loop: Any) -> None:
        key = id(loop)
        self._loop = weakref.ref(loop, lambda _: _seen.pop(key, None))
        self._missed: Any = None

    def let_run(self, most_s: float) -> bool:
        loop = self._loop()
        if loop is None or (self._missed is not None and self._missed.locked()):
            return False  # gone, or busy with what it did then: to wait again would help nobody
        self._missed = None
        turn = threading.Lock()
        turn.acquire()
        try:
            if not loop.is_running():
                return False
            loop.call_soon_threadsafe(turn.release)
        # Closed meanwhile; and others' loops may raise anything, which is no matter of a text.
        except Exception:  # noqa: BLE001 (see above)
            return False
        if not turn.acquire(timeout=most_s):
            self._missed = turn
        return True


_seen: Final[dict[int, _Seen]] = {}
# Those of the parent do not run in a child, and still say that they do.
os.register_at_fork(after_in_child=_seen.clear)


def is_on_loop() -> bool:
    """Return whether this thread runs an asyncio loop at this moment."""
    running: Any = getattr(sys.modules.get("asyncio.events"), "_get_running_loop", None)
    if running is None or (loop := running()) is None:
        return False
    if id(loop) not in _seen and len(_seen) < _MOST_SEEN:
        with contextlib.suppress(TypeError):  # of a class that cannot be referred to weakly
            _seen[id(loop)] = _Seen(loop)
    return True


def let_run(most_s: float) -> bool:
    """Wait until each loop has had a turn that was seen to run; return whether one does.

    One that does something else for longer than ``most_s`` is not waited for until it is done with
    that. Not to be called on a loop.
    """
    ran = [one.let_run(most_s) for one in tuple(_seen.values())]
    return any(ran)


class _Anywhere:
    """What was found of all threads, and until when it holds. Two threads may ask at once."""

    known = False
    until = 0.0


def is_any_running() -> bool:
    """Return whether a thread of this process runs an event loop, or may run one.

    A loop that has just started is noticed a tenth of a second later. One that is not written in
    Python, such as uvloop's, shows in no frame: it counts as running once its class exists.
    """
    base_events: Any = sys.modules.get("asyncio.base_events")
    if base_events is None:
        return False
    now = time.monotonic()
    if now >= _Anywhere.until:
        _Anywhere.known = _is_found(base_events)
        _Anywhere.until = now + _HOLDS_S
    return _Anywhere.known


def _is_found(base_events: Any) -> bool:
    run_forever: Any = base_events.BaseEventLoop.run_forever
    code = getattr(run_forever, "__code__", None)
    if code is None or any(_is_foreign(kind, run_forever) for kind in _kinds(base_events.events)):
        return True
    frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # it is documented
    return any(_runs(code, frame) for frame in frames.values())


def _kinds(events: Any) -> Iterator[Any]:
    """Yield the classes of loops that exist, but for the abstract one."""
    waiting: list[type] = events.AbstractEventLoop.__subclasses__()
    while waiting:
        kind = waiting.pop()
        yield kind
        waiting += kind.__subclasses__()


def _is_foreign(kind: Any, run_forever: Any) -> bool:
    """Return whether a class runs its loops in a way of its own."""
    return kind.run_forever is not run_forever and not kind.__module__.startswith("asyncio.")


def _runs(code: CodeType, frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False
