"""Pulls published images, and stops trying for a while when no registry answers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from glasshouse_cli.files import write_atomically
from glasshouse_cli.images import refusal as refusals
from glasshouse_cli.images.refusal import Refusal, Remedies
from glasshouse_cli.process import run_logged

# A registry that answers at all says so at once; the rest is the download.
_FIRST_ANSWER_S = 8.0
_PULL_TIMEOUT_S = 1200.0
_FORGET_AFTER_S = 900.0
_KEPT_LINES = 20


class Registry:
    """Remembers in `memory` that a registry could not be reached."""

    def __init__(self, memory: Path, remedies: Remedies | None = None) -> None:
        self._memory = memory
        self._remedies = remedies or Remedies()
        self.refusal: Refusal | None = None

    @property
    def reachable(self) -> bool:
        """False for a quarter of an hour after a pull found no registry."""
        try:
            return time.time() - self._memory.stat().st_mtime > _FORGET_AFTER_S
        except FileNotFoundError:
            return True

    def pull(self, image: str, log: Path, note: Callable[[str], None], variable: str = "") -> bool:
        """Pull `image`, which `variable` names, and say whether it is here now.

        Afterwards `refusal` has the cause, if it is one of those known.
        """
        answered = False
        last: deque[str] = deque(maxlen=_KEPT_LINES)

        def read(line: str) -> None:
            nonlocal answered
            answered = answered or "Pulling from" in line
            last.append(line)
            note(line)

        code = run_logged(
            ["docker", "pull", image],
            log=log,
            timeout=_PULL_TIMEOUT_S,
            first_line_timeout=_FIRST_ANSWER_S,
            on_line=read,
        )
        self.refusal = None
        if code == 0:
            self._memory.unlink(missing_ok=True)
            return True
        self.refusal = refusals.read(last, image, variable, self._remedies)
        if not answered and not (self.refusal and self.refusal.answered):
            write_atomically(self._memory, "No image registry could be reached.\n")
        return False
