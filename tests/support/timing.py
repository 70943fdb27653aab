"""Holding seconds to a bound where other work runs beside: it only ever adds time."""

from collections.abc import Callable
from typing import Final

ATTEMPTS: Final = 10


def assert_within(
    bound_s: float, measure: Callable[[], float], *, what: str, attempts: int = ATTEMPTS
) -> None:
    """Measure until it took no longer than the bound; fail when it never did.

    measure: does what is measured, each time anew, and returns the seconds that it took.

    Raises:
        AssertionError: each of the attempts took longer than ``bound_s`` seconds.
    """
    took: list[float] = []
    while len(took) < attempts:
        took.append(measure())
        if took[-1] <= bound_s:
            return
    raise AssertionError(
        f"{what}: {', '.join(f'{one:.1f}' for one in took)} s, each time over {bound_s:g}"
    )
