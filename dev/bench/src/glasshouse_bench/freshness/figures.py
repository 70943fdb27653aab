"""What samples come to: percentiles, and whether each goal is met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glasshouse_bench.freshness.kinds import KINDS
from glasshouse_bench.freshness.load import Sent
from glasshouse_bench.freshness.sampling import Series

PERCENTILES = (50, 95, 99)
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One goal: seconds at a percentile, under one load."""

    kind: str
    per_minute: int
    percentile: int
    wanted_s: float
    measured_s: float | None
    is_met: bool


def percentile(values: Sequence[float], share: int) -> float:
    """Return the least value that so many percent of all are not above (nearest rank).

    values: sorted, at least one.
    """
    return values[max(0, math.ceil(share / 100 * len(values)) - 1)]


def of_run(per_minute: int, sent: Sent, seed: int, series: Sequence[Series]) -> Document:
    """Return one run as it stands in the result: seconds, as numbers of milliseconds' precision."""
    return {
        "requests_per_minute": per_minute,
        "sent_per_minute": round(sent.per_minute, 1),
        "requests_failed": sent.failed,
        "seed": seed,
        "kinds": {one.kind.name: _of(one) for one in series},
    }


def _of(series: Series) -> Document:
    seconds = sorted(round(one.seconds, 3) for one in series.samples)
    grains = sorted(one.grain_s for one in series.samples)
    answers = sorted(series.answers_s)
    summary: Document = {"found": len(seconds), "lost": series.lost}
    if seconds:
        summary |= {f"p{share}_s": percentile(seconds, share) for share in PERCENTILES}
        summary |= {"least_s": seconds[0], "most_s": seconds[-1]}
        summary["grain_p50_s"] = round(percentile(grains, 50), 3)
        summary["grain_p95_s"] = round(percentile(grains, 95), 3)
    return {
        **summary,
        "answers": series.asked,
        "answers_failed": series.failed,
        "answer_p50_s": round(percentile(answers, 50), 3) if answers else None,
        "samples_s": seconds,
    }


def judged(document: Document) -> list[Judged]:
    """Return each goal with what was measured; one that was not measured is left out.

    A kind of which a mark was lost meets no goal.
    """
    return [
        Judged(
            kind=kind.name,
            per_minute=run["requests_per_minute"],
            percentile=share,
            wanted_s=wanted,
            measured_s=measured.get(f"p{share}_s"),
            is_met=not measured["lost"] and measured.get(f"p{share}_s", math.inf) <= wanted,
        )
        for run in document["runs"]
        for kind in KINDS
        if (measured := run["kinds"].get(kind.name))
        for share, wanted in kind.goals_s.items()
    ]
