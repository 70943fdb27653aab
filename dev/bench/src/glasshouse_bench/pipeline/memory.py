"""The Collector's resident memory, once a second, at a steady rate."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from glasshouse_bench import deployed, speed
from glasshouse_bench.pipeline import linear

RATE = 5_000
# Of the time: until caches are full and the garbage has its ordinary size.
_WARM = 0.2
# What it may grow by over the time measured, of the median, and still be flat.
FLAT = 0.05
# In less a line says nothing.
_LEAST_MINUTES = 1.0


def measure(
    root: Path,
    program: Path,
    *,
    seconds: float,
    batch: int,
    core: int | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Send ``RATE`` records a second; return what memory did, and whether it stayed flat."""
    say(f"memory at {RATE:,} records a second for {seconds:.0f} s")
    with deployed.running(root, program, "ours", core) as collector:
        samples: list[tuple[float, float]] = []
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(collector, samples, ended))
        watch.start()
        try:
            [(rate, _)] = linear.at_rate(collector, RATE, seconds, batch).items()
        finally:
            ended.set()
            watch.join()
    return {"rate": rate, "seconds": round(seconds), **judged(samples)}


def _watch(
    collector: speed.Running, samples: list[tuple[float, float]], ended: threading.Event
) -> None:
    begun = time.monotonic()
    while not ended.wait(1):
        samples.append((time.monotonic() - begun, collector.rss_mib()))


def judged(samples: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return samples of seconds and MiB with what they say; the first fifth is not judged.

    ``is_flat`` is None after too short a time.
    """
    counted = [one for one in samples if one[0] >= samples[-1][0] * _WARM]
    values = [mib for _, mib in counted]
    median = statistics.median(values)
    per_minute = linear.slope(counted) * 60
    minutes = (counted[-1][0] - counted[0][0]) / 60
    return {
        "mib": [round(mib, 1) for _, mib in samples],
        "median_mib": round(median, 1),
        "least_mib": round(min(values), 1),
        "most_mib": round(max(values), 1),
        "per_minute_mib": round(per_minute, 3),
        "grown_mib": round(per_minute * minutes, 2),
        "is_flat": per_minute * minutes <= FLAT * median if minutes > _LEAST_MINUTES else None,
    }
