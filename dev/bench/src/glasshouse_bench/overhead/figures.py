"""What is made of a result: medians, ratios and their spread, and the comparison of two."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glasshouse_bench.overhead.results import Document
from glasshouse_bench.overhead.variants import BASE

# CPU time without telemetry by CPU time with it, at least.
GOALS = {"post": 0.80, "get": 0.80, "new-id": 0.70, "trivial": 0.65, "log": 0.70}
MOST_STOP_MS = 5.0
MOST_BATCH_MS = 5.0
MOST_MEMORY_MB = 15.0
MOST_IMPORT_MS = 150.0


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median of the rounds, and the least and most of them."""

    median: float
    least: float
    most: float

    def overlaps(self, other: Spread) -> bool:
        """Return whether the two could be the same."""
        return self.least <= other.most and other.least <= self.most


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of one or more values."""
    return Spread(median=statistics.median(values), least=min(values), most=max(values))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One load of one variant under one server. ``ratio`` is None for what all is divided by."""

    us: Spread
    other_threads_us: float
    ratio: Spread | None
    rounds: int
    # Of each request, what came over OTLP in the median round.
    sent: dict[str, float]


def names(document: Document, what: str) -> list[str]:
    """Return the variants, servers or loads of a result in the order they were asked for."""
    return list(document["settings"][what])


def runs(document: Document, server: str, variant: str) -> dict[int, dict[str, Any]]:
    """Return the processes of one variant under one server by their round."""
    return {
        one["round"]: one
        for one in document["runs"]
        if one["server"] == server and one["variant"] == variant
    }


def cell(document: Document, server: str, variant: str, load: str) -> Cell | None:
    """Return what a load costs, None where it was not measured.

    The ratio is made of what a process without telemetry took beside, in turns; in results from
    before there was one, of the rounds that both have.
    """
    mine = {turn: one["loads"][load] for turn, one in runs(document, server, variant).items()}
    if not mine:
        return None
    base = {turn: one["loads"][load] for turn, one in runs(document, server, BASE).items()}
    without = {
        turn: one["base_us"] if "base_us" in one else base.get(turn, {}).get("us")
        for turn, one in mine.items()
    }
    ratios = [beside / mine[turn]["us"] for turn, beside in sorted(without.items()) if beside]
    kinds = sorted({kind for one in mine.values() for kind in one["sent"]})
    return Cell(
        us=spread([one["us"] for one in mine.values()]),
        other_threads_us=statistics.median(one["other_threads_us"] for one in mine.values()),
        ratio=spread(ratios) if ratios and variant != BASE else None,
        rounds=len(mine),
        sent={
            kind: round(
                statistics.median(
                    one["sent"].get(kind, 0) / one["requests"] for one in mine.values()
                ),
                2,
            )
            for kind in kinds
        },
    )


def memory(document: Document, server: str, variant: str) -> Spread | None:
    """Return resident megabytes after all loads."""
    found = [one["resident_mb"] for one in runs(document, server, variant).values()]
    return spread(found) if found else None


def start(document: Document, server: str, variant: str) -> Spread | None:
    """Return CPU milliseconds to the first answer."""
    found = [one["start_cpu_ms"] for one in runs(document, server, variant).values()]
    return spread(found) if found else None


def batch_ms(
    document: Document, server: str, variant: str, paths: str, what: str = "burst_ms"
) -> Spread | None:
    """Return milliseconds of the export of one full batch of spans with known or new ``paths``.

    ``what``: ``burst_ms``, the CPU time of the exporting thread without a pause; ``hold_ms``, the
    most of it in which no other thread got the interpreter; ``stop_ms``, how long the loop was
    kept from its turn. Results from before that was measured have no ``hold_ms``.
    """
    found = _stops(document, server, variant)
    batches = [batch for one in found for batch in one["batches"].get(paths, ())]
    values = [batch[what] for batch in batches if what in batch]
    return spread(values) if values else None


def line_ms(
    document: Document, server: str, variant: str, what: str = "work_ms"
) -> dict[str, Spread]:
    """Return by kind of text the longest that one long log line stopped the event loop.

    ``what``: ``work_ms``, without the interpreter's collections of garbage; ``stop_ms``, with them;
    ``garbage_ms``, the longest that those took between two turns of the loop. Results from before
    each kind was logged several times have none.
    """
    samples: dict[str, list[float]] = {}
    for one in _stops(document, server, variant):
        for kind, lines in one["lines"].items():
            if not isinstance(lines, list):
                continue
            samples.setdefault(kind, []).extend(line[what] for line in lines)
    return {kind: spread(values) for kind, values in samples.items()}


def machine_ms(document: Document, server: str, variant: str) -> float | None:
    """Return the longest that the machine itself kept an event loop from its turn.

    None: of a result from before it was measured.
    """
    found = [
        one["machine"]["work_ms"] for one in _stops(document, server, variant) if "machine" in one
    ]
    return max(found, default=None)


def _stops(document: Document, server: str, variant: str) -> list[dict[str, Any]]:
    return [one["stops"] for one in runs(document, server, variant).values() if one.get("stops")]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One ratio in two results. ``is_certain``: their rounds do not overlap."""

    server: str
    variant: str
    load: str
    before: Spread
    now: Spread

    @property
    def is_certain(self) -> bool:
        return not self.before.overlaps(self.now)


def changes(before: Document, now: Document) -> list[Change]:
    """Return the ratios that both results have."""
    found: list[Change] = []
    for server in names(now, "servers"):
        for variant in names(now, "variants"):
            for load in names(now, "loads"):
                pair = _ratio(before, server, variant, load), _ratio(now, server, variant, load)
                if pair[0] and pair[1]:
                    found.append(
                        Change(
                            server=server, variant=variant, load=load, before=pair[0], now=pair[1]
                        )
                    )
    return found


def _ratio(document: Document, server: str, variant: str, load: str) -> Spread | None:
    if load not in names(document, "loads"):
        return None
    found = cell(document, server, variant, load)
    return found.ratio if found else None
