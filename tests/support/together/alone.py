"""Tests that run while no other process of the same run does: they measure, or harm."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Final

MARK: Final = "alone"


def lock_of(run: str) -> Path:
    """Return the file that the processes of one run share."""
    return Path(tempfile.gettempdir()) / f"glasshouse-tests-{run}.lock"


class Turn:
    """This process's turn among those of one run.

    Each keeps the lock with the others until it ends, not from test to test: what its fixtures
    have started takes time, too. Who waits to be alone has let go of it, so two may wait.
    """

    def __init__(self, lock: Path) -> None:
        self._file = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_SH)
        self._is_alone = False

    def take(self, *, alone: bool) -> None:
        """Wait until a test of this kind may run."""
        if alone is not self._is_alone:
            fcntl.flock(self._file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            self._is_alone = alone

    def end(self) -> None:
        """Wait for no other, and let none wait: a process may outlive its last test."""
        os.close(self._file)
