"""CPU time a record by sender, size and candidate, in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from glasshouse_bench import deployed
from glasshouse_bench.pipeline.senders import SENDERS, Shaped

SIZES = ("small", "usual", "large")
# Large records cost several times as much: as many would take as much longer.
_SHARES = {"small": 1.0, "usual": 1.0, "large": 0.3}
# The goal: CPU µs of one record, of this sender and size, as deployed.
GOAL_US = 10.0
GOAL_OF = ("glasshouse", "usual", "ours")


def measure(
    root: Path,
    program: Path,
    *,
    records: int,
    rounds: int,
    batch: int,
    core: int | None,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Measure each candidate with each sender's records of each size, ``rounds`` times.

    Returns a row for each, with CPU µs a record: the median, the least and the most.
    """
    traffics = {
        (sender, size): Shaped(sender, batch, size=size) for sender in SENDERS for size in SIZES
    }
    found: dict[tuple[str, str, str], list[float]] = {}
    for turn in range(rounds):
        for candidate in deployed.CANDIDATES:
            say(f"round {turn + 1} of {rounds}: senders and sizes, {candidate}")
            with (
                deployed.running(root, program, candidate, core) as collector,
                httpx.Client(timeout=60, trust_env=False) as http,
            ):
                for (sender, size), traffic in traffics.items():
                    count = int(records * _SHARES[size])
                    before = collector.sent(http)
                    cpu_s, _, sent = deployed.burst(collector, traffic, batch, count, before)
                    found.setdefault((sender, size, candidate), []).append(cpu_s / sent * 1e6)
    return [
        {
            "sender": sender,
            "size": size,
            "candidate": candidate,
            "bytes": round(traffics[sender, size].bytes_per_record),
            "median_us": round(statistics.median(values), 2),
            "least_us": round(min(values), 2),
            "most_us": round(max(values), 2),
        }
        for (sender, size, candidate), values in found.items()
    ]
