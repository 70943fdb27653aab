"""One console line when delivery starts failing, and one when it works again."""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from glasshouse.delivery.token import TOKEN_FILE_VARIABLE

_logger: Final = logging.getLogger("glasshouse.delivery")
# An endpoint that fails every other time shall not fill the console.
_PAUSE_S: Final = 60.0
_ADVICE: Final = {
    "401": f"set {TOKEN_FILE_VARIABLE} to a file with a line of the Collector's otlp_token",
}


def _write(message: str, *args: str, extra: Mapping[str, object]) -> None:
    # For the console alone: exported, it would wait for what it reports.
    with suppress_instrumentation():
        _logger.warning(message, *args, extra=extra)


class Reporter:
    """Follows the signals of this process. Called on their sender threads."""

    def __init__(self) -> None:
        self._start()
        # Never two in a process, so nothing keeps an old one.
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._failing: set[str] = set()
        self._reported = False
        self._last_line = -_PAUSE_S
        self._lost: Counter[str] = Counter()

    def failing(self, signal: str, reason: str, *, is_kept: bool) -> None:
        """Report that ``signal`` cannot be delivered at the moment, and whether it is kept."""
        with self._lock:
            self._failing.add(signal)
            now = time.monotonic()
            if self._reported or now - self._last_line < _PAUSE_S:
                return
            self._reported, self._last_line = True, now
        extra = {"signal": signal, "error.type": reason}
        if advice := _ADVICE.get(reason):
            extra["advice"] = advice
        what = "cannot be delivered and is kept for later" if is_kept else "is refused and given up"
        _write("Telemetry %s", what, extra=extra)

    def lost(self, signal: str, count: int) -> None:
        """Report that items were given up."""
        with self._lock:
            self._lost[signal] += count

    def working(self, signal: str) -> None:
        """Report that an export of ``signal`` has arrived."""
        if not self._failing:
            return
        with self._lock:
            self._failing.discard(signal)
            if self._failing or not self._reported:
                return
            self._reported = False
            lost, self._lost = self._lost, Counter()
        extra = {f"lost.{name}": lost[name] for name in ("logs", "metrics", "traces")}
        _write("Telemetry is delivered again", extra=extra)

    def gave_up(self, signal: str, count: int) -> None:
        """Report at the end of the process what is not delivered."""
        extra = {"signal": signal, "lost": count}
        _write("The process ends before its telemetry is delivered", extra=extra)
