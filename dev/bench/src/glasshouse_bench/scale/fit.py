"""A line through what was measured, how far it is from the points, and up to where it holds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from glasshouse_bench.pipeline import linear


def line(points: Mapping[float, float]) -> dict[str, Any]:
    """Return the line through values by what was varied.

    residual: the greatest distance of a point from it, as a share of the greatest value. linear_to: as
    `pipeline.linear` has it: the last point before a step that is steeper than those before it.
    """
    ordered = {at: points[at] for at in sorted(points)}
    at, values = list(ordered), list(ordered.values())
    fitted = statistics.linear_regression(at, values)
    far = max(abs(fitted.slope * x + fitted.intercept - y) for x, y in ordered.items())
    most = max(map(abs, values))
    # The judgement is of whole numbers of what was varied.
    judged = linear.judged({round(x): y for x, y in ordered.items()}, per=1)
    return {
        "points": [{"at": round(x, 1), "value": round(y, 4)} for x, y in ordered.items()],
        "slope": fitted.slope,
        "intercept": round(fitted.intercept, 4),
        "residual": round(far / most, 4) if most else 0.0,
        "linear_to": judged["linear_to"],
        "is_linear": judged["is_linear"],
    }


def medians(rounds: Sequence[Sequence[tuple[float, float]]]) -> dict[float, float]:
    """Return the median of what was varied and of what came of it, point by point, over rounds."""
    return {
        statistics.median(at for at, _ in each): statistics.median(value for _, value in each)
        for each in zip(*rounds, strict=True)
    }
