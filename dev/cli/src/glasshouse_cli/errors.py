"""What can go wrong, as one clear line each."""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """A fault the operator can fix; its text names what and how, without a traceback.

    log: the file that holds the details, if there is one.
    """

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log
