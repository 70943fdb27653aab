"""What a histogram's values may be, and whether its boundaries can show them."""

import re
from dataclasses import dataclass

# By what a name has in it, in the unit of the group: a small value, an ordinary one, a large one.
# The first that fits counts.
_SECONDS = [
    (r"internal_duration", (0.00002, 0.002, 0.5)),  # of one processor
    (r"payment[._]confirmation_delay", (1, 20, 150)),
    (r"automation[._]run|pipeline[._]run", (1, 20, 900)),
    (r"job[._]duration|locust", (0.02, 0.3, 60)),
    (r"per_output_(token|chunk)", (0.01, 0.04, 0.5)),
    (r"gen_ai", (0.05, 1.5, 40)),
    (r"mcp|session|connection[._]duration", (0.02, 2, 120)),
    (r"pause|[._]gc[._]|schedule", (0.005, 0.05, 2)),
    (r"wait_time|create_time|use_time|time_in_queue|[._]lag", (0.0005, 0.008, 2)),
    (r"db[._]|redis", (0.0005, 0.004, 2)),
    (r"", (0.003, 0.04, 3)),
]
_BYTES = [
    (r"mem", (1e7, 1.2e8, 2e9)),
    (r"", (100, 3000, 5e6)),
]
_COUNTS = [
    (r"token", (10, 800, 100_000)),
    (r"", (1, 12, 900)),
]
_SCALES = {
    "ns": (_SECONDS, 1e-9),
    "us": (_SECONDS, 1e-6),
    "ms": (_SECONDS, 1e-3),
    "s": (_SECONDS, 1),
    "By": (_BYTES, 1),
    "kBy": (_BYTES, 1000),
    "KiBy": (_BYTES, 1024),
}
# Who chooses such a unit has values of its size.
_COARSE = {
    "min": (0.2, 6, 240),
    "h": (0.2, 6, 72),
    "d": (0.5, 6, 90),
    "MBy": (0.1, 20, 4000),
    "MiBy": (0.1, 20, 4000),
    "GBy": (0.01, 2, 100),
    "GiBy": (0.01, 2, 100),
    "1": (0.05, 0.6, 0.99),
    "%": (5, 60, 99),
}
# Finer than this, a percentile is less than an order of magnitude off.
_WIDEST = 10
_FEWEST = 4


@dataclass(frozen=True, kw_only=True)
class Values:
    """Values that a histogram may get, in its unit."""

    small: float
    ordinary: float
    large: float


def values(name: str, unit: str) -> Values:
    """Return what values may come; raise KeyError for a unit that nobody thought of."""
    if unit in _COARSE:
        named, scale = [("", _COARSE[unit])], 1
    else:
        named, scale = (_COUNTS, 1) if unit.startswith("{") else _SCALES[unit]
    [found, *_] = [values for pattern, values in named if re.search(pattern, name)]
    small, ordinary, large = (one / scale for one in found)
    return Values(small=small, ordinary=ordinary, large=large)


def misfits(name: str, unit: str, boundaries: tuple[float, ...]) -> list[str]:
    """Return what is wrong with these boundaries; nothing if they show such values."""
    expected = values(name, unit)
    between = [one for one in boundaries if expected.small <= one <= expected.large]
    above = [one for one in boundaries if one >= expected.ordinary]
    below = [one for one in boundaries if one < expected.ordinary]
    found: list[str] = []
    if not below or not above:
        found.append(f"{expected.ordinary:g} {unit} is in the first or the last bucket")
    elif below[-1] and above[0] / below[-1] > _WIDEST:
        found.append(f"{expected.ordinary:g} {unit} lies from {below[-1]:g} to {above[0]:g}")
    if len(between) < _FEWEST:
        found.append(f"{expected.small:g} to {expected.large:g} {unit} has {len(between)} bounds")
    return found
