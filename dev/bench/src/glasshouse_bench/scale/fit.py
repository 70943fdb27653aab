"""A line through what was measured, how far it is from the points, and up to where it holds."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from glasshouse_bench.pipeline.linear import STEEPER
from glasshouse_cli.errors import StackError

# Of the greatest value: what two measurements of the same differ by.
NOISE = 0.1
_LEAST = 2


def line(points: Mapping[float, float]) -> dict[str, Any]:
    """Return the line through values by what was varied.

    residual: the greatest distance of a point from it, as a share of the greatest value.
    linear_to: the last point before one that lies above what the way to it makes of it: by
    ``STEEPER`` times the rise, and by more than ``NOISE``; the last of all if none does.

    Raises:
        StackError: there are not two points.
    """
    ordered = [(at, points[at]) for at in sorted(points)]
    if len(ordered) < _LEAST:
        raise StackError("no line can be drawn: what was reached does not differ; take other rates")
    fitted = statistics.linear_regression(*zip(*ordered, strict=True))
    far = max(abs(fitted.slope * at + fitted.intercept - value) for at, value in ordered)
    most = max(abs(value) for _, value in ordered)
    end = _end(ordered, most)
    return {
        "points": [{"at": round(at, 1), "value": round(value, 4)} for at, value in ordered],
        "slope": fitted.slope,
        "intercept": round(fitted.intercept, 4),
        "residual": round(far / most, 4) if most else 0.0,
        "linear_to": round(ordered[-1][0] if end is None else end, 1),
        "is_linear": end is None,
    }


def _end(ordered: Sequence[tuple[float, float]], most: float) -> float | None:
    first_at, first = ordered[0]
    for (at, value), (next_at, following) in itertools.pairwise(ordered[1:]):
        rise = max(0.0, (value - first) / (at - first_at))
        # From the greatest so far: one that lies low by chance makes no step of the next.
        expected = max(first, value) + STEEPER * rise * (next_at - at)
        if following > expected + NOISE * most:
            return at
    return None


def medians(rounds: Sequence[Sequence[tuple[float, float]]]) -> dict[float, float]:
    """Return the median of what was varied and of what came of it, point by point, over rounds."""
    return {
        statistics.median(at for at, _ in each): statistics.median(value for _, value in each)
        for each in zip(*rounds, strict=True)
    }
