"""The points of each part, and the lines through them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glasshouse_bench.scale import fit, point
from glasshouse_bench.scale.plan import SIGNALS, Plan, Step
from glasshouse_bench.scale.point import Point, Target
from glasshouse_bench.scale.traffic import Samples

Key = tuple[str, str, int]
IDLE: Key = ("idle", "", 0)


def points(
    target: Target, steps: Sequence[Step], plan: Plan, say: Callable[[str], None]
) -> dict[Key, Point]:
    """Measure each step at a running part, after it without a load."""
    # First, as what was sent is written out, compacted and so on for a while.
    found = {IDLE: point.idle(target, plan.seconds)}
    for signal in dict.fromkeys(one.signal for one in steps):
        first = next(one for one in steps if one.signal == signal)
        point.once(target, first.requests, target.warm)
    for step in steps:
        if isinstance(step.requests, Samples):
            # Series that are not there yet are made outside of what is measured.
            point.once(target, step.requests, step.requests.turn)
        one = point.at_rate(target, step.requests, step.rate, plan.seconds)
        found[step.dimension, step.signal, step.amount] = one
        reached = "" if one.rate >= step.rate * 0.9 else f", of which {one.rate:,.0f} were reached"
        say(f"{step.signal}: {step.amount:,} of {step.dimension} at {step.rate:,}/s{reached}")
    return found


def part(
    name: str,
    rounds: Sequence[Mapping[Key, Point]],
    *,
    processes: int = 1,
    copies: int = 1,
    before: str | None = None,
    shared_by: int = 1,
    stored: Mapping[str, float] | None = None,
    labels: str = "series",
) -> dict[str, Any]:
    """Return what a result says of a part.

    before: the part whose counter says what comes here; none for the one that records are sent to.
    shared_by: by how many that counter is shared, as by brokers that each store the same. stored:
    bytes a record on disk, by signal. labels: what was varied with them, "series" or "values".
    """
    keys = list(rounds[0])
    signals = dict.fromkeys(signal for _, signal, _ in keys if signal)
    found: dict[str, Any] = {
        "origin": "measured",
        "processes": processes,
        "copies": copies,
        "idle": {
            "cpu_us": round(_median(rounds, IDLE, name, "cpu_us") / processes, 1),
            "memory_mib": round(_median(rounds, IDLE, name, "memory_mib") / processes, 1),
        },
        "signals": {},
    }
    for signal in signals:
        rates = [key for key in keys if key[:2] == ("rate", signal)]
        if not rates:
            continue
        top = rates[-1]
        received = [
            one[top].received if before is None else one[top].sent[before] / shared_by
            for one in rounds
        ]
        sent = [one[top].sent.get(name, 0.0) for one in rounds]
        found["signals"][SIGNALS[signal]] = {
            # Without the idle one: that there is a load at all costs something, whatever its
            # rate, and what other signals left in memory is still there.
            "cpu_us": _line(rounds, name, "cpu_us", rates),
            "memory_mib": _line(rounds, name, "memory_mib", rates),
            "received_bytes": round(statistics.median(received), 1),
            "sent_bytes": round(statistics.median(sent), 1),
            "stored_bytes": round((stored or {}).get(SIGNALS[signal], 0.0), 2),
        }
    for dimension, called in (("services", "services"), ("labels", labels)):
        varied = [key for key in keys if key[0] == dimension]
        if varied:
            found[called] = {
                "signal": SIGNALS[varied[0][1]],
                "rate": rounds[0][varied[0]].meant,
                "cpu_us": fit.line({key[2]: _cpu_at(rounds, key, name) for key in varied}),
                "memory_mib": fit.line(
                    {key[2]: _median(rounds, key, name, "memory_mib") for key in varied}
                ),
            }
    return found


def _line(
    rounds: Sequence[Mapping[Key, Point]], name: str, what: str, keys: Sequence[Key]
) -> dict[str, Any]:
    each = [[(one[key].rate, getattr(one[key], what)[name]) for key in keys] for one in rounds]
    return fit.line(fit.medians(each))


def _cpu_at(rounds: Sequence[Mapping[Key, Point]], key: Key, name: str) -> float:
    """Return the CPU time at the rate that was meant, of that at the rate that was reached."""
    return statistics.median(
        one[IDLE].cpu_us[name]
        + (one[key].cpu_us[name] - one[IDLE].cpu_us[name]) * one[key].meant / one[key].rate
        for one in rounds
    )


def _median(rounds: Sequence[Mapping[Key, Point]], key: Key, name: str, what: str) -> float:
    return statistics.median(getattr(one[key], what)[name] for one in rounds)
