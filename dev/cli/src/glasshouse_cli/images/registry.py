"""Pulls published images, and stops trying for a while when no registry answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from glasshouse_cli.files import write_atomically
from glasshouse_cli.process import run_logged

# A registry that answers at all says so at once; the rest is the download.
_FIRST_ANSWER_S = 8.0
_PULL_TIMEOUT_S = 1200.0
_FORGET_AFTER_S = 900.0
# The registry answered, only this image is not to be had.
_REFUSALS = ("not found", "manifest unknown", "access denied", "no matching manifest")


class Registry:
    """Remembers in `memory` that a registry could not be reached."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory

    @property
    def reachable(self) -> bool:
        """False for a quarter of an hour after a pull found no registry."""
        try:
            return time.time() - self._memory.stat().st_mtime > _FORGET_AFTER_S
        except FileNotFoundError:
            return True

    def pull(self, image: str, log: Path, note: Callable[[str], None]) -> bool:
        """Pull `image` and say whether it is here now."""
        answered = False
        refused = False

        def read(line: str) -> None:
            nonlocal answered, refused
            answered = answered or "Pulling from" in line
            refused = refused or any(word in line for word in _REFUSALS)
            note(line)

        code = run_logged(
            ["docker", "pull", image],
            log=log,
            timeout=_PULL_TIMEOUT_S,
            first_line_timeout=_FIRST_ANSWER_S,
            on_line=read,
        )
        if code == 0:
            self._memory.unlink(missing_ok=True)
            return True
        if not answered and not refused:
            write_atomically(self._memory, "No image registry could be reached.\n")
        return False
