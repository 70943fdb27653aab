"""The handler of the console, which keeps no event loop waiting for a long line.

What a line costs to redact grows with what it holds. Where that is much and an event loop runs on
the calling thread, another thread redacts and writes it; the lines after it wait their turn.
"""

import codecs
import contextlib
import logging
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

from glasshouse import shutdown
from glasshouse.capture.consoles import written_twice
from glasshouse.capture.handlers import Redacting
from glasshouse.costly import frozen, is_costly
from glasshouse.event_loops import is_on_loop
from glasshouse.formatters import GcpFormatter, JsonFormatter
from glasshouse.redaction.plain import UNREADABLE

# Characters of the lines that wait. Beyond it whoever logs writes them.
MOST_WAITING: Final = 4 << 20
# Seconds that the end of the process waits for a handler that a thread is writing to.
_LAST_WAIT_S: Final = 1.0
_handlers: Final["weakref.WeakSet[ConsoleHandler]"] = weakref.WeakSet()


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks as JSON does, which people can read, too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end


_ESCAPED: Final = "glasshouse.escaped"
codecs.register_error(_ESCAPED, _escaped)


class _Waiting:
    """A line that is not written yet, and how to make it."""

    def __init__(self, record: logging.LogRecord, size: int, make: Callable[[], str]) -> None:
        # Not the record itself: it may hold what belongs to its thread.
        self.of = {name: vars(record)[name] for name in _OF_MARKER}
        self.size = size
        self._make = make
        self._text: str | None = None

    def text(self) -> str:
        """Return the line. Two threads may make it at once; then it is made twice, the same."""
        text = self._text
        if text is None:
            text = self._text = self._make()
        return text


_OF_MARKER: Final = ("name", "levelno", "levelname", "created")


class ConsoleHandler(Redacting, logging.StreamHandler[Any]):
    """Writes each line at once, unless that would keep an event loop waiting.

    Lines are written in the order of their records. Whoever holds the handler's lock may write
    those that wait, so `flush` waits for no other thread.
    """

    def __init__(self, stream: Any = None) -> None:
        super().__init__(stream)
        self._start_anew()
        _handlers.add(self)

    def _start_anew(self) -> None:
        """Forget the lines that wait and the thread: after a fork they are the parent's."""
        self._waiting: deque[_Waiting] = deque()
        self._size = 0
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def filter(self, record: logging.LogRecord) -> Any:
        """Leave out what another handler writes to the console, in a form of its own."""
        return not written_twice(self, record) and super().filter(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return a line that the stream's encoding can carry."""
        return self._carried(super().format(record))

    def _carried(self, line: str) -> str:
        if line.isascii():
            return line
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        return line.encode(encoding, _ESCAPED).decode(encoding)

    def handle(self, record: logging.LogRecord) -> Any:
        """Write a record that is not filtered out; `emit` takes the lock, not for all of it."""
        kept = self.filter(record)
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return kept

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record's line, or let it wait."""
        try:
            may_wait = bool(self._waiting) or (is_on_loop() and shutdown.is_installed())
            # Made without the lock: an event loop on another thread may want to log meanwhile.
            line = None if may_wait else self.format(record)
            with self._lock():
                waiting = self._to_wait(record) if line is None else self._written(record, line)
                if waiting is not None:
                    self._put(waiting)
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 (as in the standard library)
            self.handleError(record)

    def _lock(self) -> threading.RLock:
        return self.lock  # pyright: ignore[reportReturnType]  # made by the base class

    def _to_wait(self, record: logging.LogRecord) -> _Waiting | None:
        """Return a line that has to wait; None for one that was written."""
        formatter = self.formatter
        if type(formatter) not in (JsonFormatter, GcpFormatter):
            return self._written(record, self.format(record))
        json: JsonFormatter = formatter  # pyright: ignore[reportAssignmentType]  # see above
        parts = json.parts(record)
        held = None
        if self._waiting or (not parts.short and is_costly(parts)):
            held = frozen(parts)
        if held is None:
            # What is the application's own may be read on this thread alone.
            return self._written(record, self._carried(json.line(parts)))
        parts, size = held
        return _Waiting(record, size, lambda: self._carried(json.line(parts)))

    def _written(self, record: logging.LogRecord, line: str) -> _Waiting | None:
        if self._waiting:
            return _Waiting(record, len(line), lambda: line)
        self._write(line)
        return None

    def _write(self, line: str) -> None:
        self.stream.write(line + self.terminator)
        super().flush()

    def _put(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._size += waiting.size
        if self._size > MOST_WAITING or not self._is_running():
            self.flush()
        else:
            self._calls.put(None)

    def _is_running(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="glasshouse-console", daemon=True)
            # None can be had any more at the end of the process.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread
        return self._thread is not None

    def _work(self) -> None:
        while True:
            self._calls.get()
            with contextlib.suppress(IndexError):
                waiting = self._waiting[0]
                # Made without the lock, which whoever logs in the meantime needs.
                with contextlib.suppress(Exception):
                    waiting.text()
                self._write_first(waiting)

    def _write_first(self, expected: _Waiting) -> None:
        """Write the line that has waited longest, unless another thread has done so."""
        with self._lock():
            if not self._waiting or self._waiting[0] is not expected:
                return
            self._waiting.popleft()
            self._size -= expected.size
            try:
                self._write(expected.text())
            except Exception:  # noqa: BLE001 (as in the standard library)
                self.handleError(logging.makeLogRecord(expected.of))

    def flush(self) -> None:
        """Write what waits, and hand all of it to the system."""
        while self._waiting:
            with contextlib.suppress(IndexError):
                self._write_first(self._waiting[0])
        super().flush()

    def handleError(self, record: logging.LogRecord) -> None:
        """Write a marker in place of a record that cannot be written.

        The standard library would print the message and its arguments as they are.
        """
        error = sys.exc_info()[0]
        values = {name: vars(record)[name] for name in _OF_MARKER}
        marker = logging.makeLogRecord({**values, "msg": UNREADABLE})
        vars(marker)["error.type"] = error.__qualname__ if error else "unknown"
        # The stream itself may be gone.
        with contextlib.suppress(Exception), self._lock():
            self._write(self.format(marker))


def flush_at_end() -> None:
    """Write what waits, in all handlers. Takes a second at most for a handler that is in use."""
    for handler in tuple(_handlers):
        lock = handler.lock
        if lock is not None and lock.acquire(timeout=_LAST_WAIT_S):
            try:
                # A program may have closed its streams, as multiprocessing's resource tracker does.
                with contextlib.suppress(Exception):
                    handler.flush()
            finally:
                lock.release()


def _start_anew() -> None:
    for handler in tuple(_handlers):
        handler._start_anew()  # pyright: ignore[reportPrivateUsage]  # of this module


os.register_at_fork(after_in_child=_start_anew)
