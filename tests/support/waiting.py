"""Polling with a deadline, as the package offers it to everybody's tests."""

from collections.abc import Callable
from typing import Final, TypeVar

from glasshouse.testing import polling

__all__ = ["PATIENCE_S", "until"]

Found = TypeVar("Found")
# A loaded machine takes minutes for what takes seconds. A poll that finds it ends at once, so this
# is long for failures alone.
PATIENCE_S: Final = 240.0


def until(
    probe: Callable[[], tuple[Found | None, object]], *, what: str, deadline_s: float = PATIENCE_S
) -> Found:
    """Call ``probe`` until it finds something; fail with the last state it saw.

    A deadline of its own is for what is late after it, or takes even longer.

    Raises:
        AssertionError: nothing was found within ``deadline_s`` seconds.
    """
    return polling.until(probe, what=what, deadline_s=deadline_s)
