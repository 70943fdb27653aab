"""Whether the cost grows no faster than what is sent: by rate, by size, by attributes."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from glasshouse_bench import deployed, speed
from glasshouse_bench.pipeline.senders import Shaped

# Records a second; bytes added to the body; attributes added to eight.
RATES = (2_000, 6_000, 18_000)
TEXTS = (0, 1024, 3072, 9216)
ATTRIBUTES = (0, 24, 72, 216)
# A step that costs this much more than those before it, for as much added, is no longer linear.
STEEPER = 1.5
_PAUSE_S = 0.01


def by_size(
    root: Path,
    program: Path,
    *,
    records: int,
    rounds: int,
    batch: int,
    core: int | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Return CPU µs a record by bytes of the body and by attributes, with their slopes."""
    points = {
        "bytes": {text: Shaped("glasshouse", batch, text=text) for text in TEXTS},
        "attributes": {one: Shaped("glasshouse", batch, attributes=one) for one in ATTRIBUTES},
    }
    found: dict[tuple[str, int], list[float]] = {}
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}: size and attributes")
        with (
            deployed.running(root, program, "ours", core) as collector,
            httpx.Client(timeout=60, trust_env=False) as http,
        ):
            for what, traffics in points.items():
                for added, traffic in traffics.items():
                    # About as much work at each point.
                    count = max(batch * 6, int(records / (1 + traffic.bytes_per_record / 1000)))
                    before = collector.sent(http)
                    cpu_s, _, sent = deployed.burst(collector, traffic, batch, count, before)
                    found.setdefault((what, added), []).append(cpu_s / sent * 1e6)
    return {
        what: judged(
            {added: statistics.median(found[what, added]) for added in traffics},
            per=1024 if what == "bytes" else 1,
        )
        for what, traffics in points.items()
    }


def by_rate(
    root: Path,
    program: Path,
    *,
    seconds: float,
    batch: int,
    core: int | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Return CPU µs a second by records a second, with the slope: µs a record."""
    costs: dict[int, float] = {}
    with deployed.running(root, program, "ours", core) as collector:
        for rate in (0, *RATES):
            say(f"{rate:,} records a second for {seconds:.0f} s")
            costs.update(at_rate(collector, rate, seconds, batch))
    return judged(costs, per=1)


def at_rate(collector: speed.Running, rate: int, seconds: float, batch: int) -> dict[int, float]:
    """Send at a rate; return CPU µs a second by the rate that was reached, in records a second.

    Requests are as large as at each rate a sender's would be that exports ten times a second.
    """
    each = min(batch, max(1, rate // (10 * deployed.SENDERS)))
    traffic = Shaped("glasshouse", each)
    with httpx.Client(timeout=60, trust_env=False) as http:
        before, cpu, begun = collector.sent(http), collector.cpu_s(), time.monotonic()
        sent = 0

        def due() -> Iterator[bytes]:
            nonlocal sent
            while (now := time.monotonic() - begun) < seconds:
                if now * rate - sent < each:
                    time.sleep(_PAUSE_S)
                    continue
                sent += each
                yield traffic.request()

        deployed.send(collector, traffic.signal, due())
        speed.drain(collector, http, before + sent)
        took = time.monotonic() - begun
    return {round(sent / took): (collector.cpu_s() - cpu) / took * 1e6}


def judged(costs: Mapping[int, float], *, per: int) -> dict[str, Any]:
    """Return the points, the slope of the line through them, and where it becomes steeper.

    The slope is for ``per`` of what is added. ``linear_to`` is the last point before a step
    that is steeper, by ``STEEPER``, than the way to it; the last of all if none is.
    """
    at = sorted(costs)
    values = [costs[one] for one in at]
    steps = [_step(costs, before, after) * per for before, after in itertools.pairwise(at)]
    steeper = [
        at[index]
        for index, step in enumerate(steps)
        if index and step > STEEPER * max(0, _step(costs, at[0], at[index]) * per)
    ]
    line = statistics.linear_regression(at, values)
    return {
        "points": [{"at": one, "us": round(costs[one], 2)} for one in at],
        "slope_us": round(line.slope * per, 3),
        "steps_us": [round(one, 3) for one in steps],
        "linear_to": steeper[0] if steeper else at[-1],
        "is_linear": not steeper,
    }


def _step(costs: Mapping[int, float], before: int, after: int) -> float:
    return (costs[after] - costs[before]) / (after - before)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line through points."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope
