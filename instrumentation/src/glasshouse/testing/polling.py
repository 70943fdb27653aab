"""Polling with a deadline, instead of sleeping for a fixed time."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

Found = TypeVar("Found")
_PAUSE_S: Final = 0.1


def until(
    probe: Callable[[], tuple[Found | None, object]], *, what: str, deadline_s: float = 60.0
) -> Found:
    """Call ``probe`` until it finds something; fail with the last state it saw.

    ``probe`` returns what it found (or None) and the state to report.

    Raises:
        AssertionError: nothing was found within ``deadline_s`` seconds.
    """
    end = time.monotonic() + deadline_s
    while True:
        found, state = probe()
        if found is not None:
            return found
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not within {deadline_s:g} s. Last seen: {state!r}")
        time.sleep(_PAUSE_S)
