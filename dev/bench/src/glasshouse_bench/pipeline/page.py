"""What docs/performance.md says of the Collector, between its markers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from glasshouse_bench import machine
from glasshouse_bench.deployed import CANDIDATES
from glasshouse_bench.pipeline import cells, linear, memory
from glasshouse_bench.pipeline.result import Document

_OTHERS = [one for one in CANDIDATES if one != "ours"]


def parts(document: Document) -> dict[str, str]:
    """Return the contents of the page's markers."""
    return {
        "pipeline": _cells(document),
        "pipeline-linear": _linear(document),
        "pipeline-memory": _memory(document),
        "pipeline-measured": _measured(document),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(one)} |\n" for one in lines)


def _cells(document: Document) -> str:
    found = {(one["sender"], one["size"], one["candidate"]): one for one in document["cells"]}
    rows: list[list[str]] = []
    for sender, size in dict.fromkeys((one["sender"], one["size"]) for one in document["cells"]):
        each = {candidate: found[sender, size, candidate] for candidate in CANDIDATES}
        row = [sender, f"{size}, {each['ours']['bytes']:,} B"]
        row += [
            f"{one['median_us']:.1f} ({one['least_us']:.1f} to {one['most_us']:.1f})"
            for one in each.values()
        ]
        ours = each["ours"]["median_us"]
        row += [f"{each[other]['median_us'] / ours:.2f}" for other in _OTHERS]
        rows.append(row)
    head = ["sender", "records", *CANDIDATES, *(f"{other} by ours" for other in _OTHERS)]
    us = found[cells.GOAL_OF]["median_us"]
    met = "met" if us <= cells.GOAL_US else "**missed**"
    goal = f"Goal: at most {cells.GOAL_US:.0f} µs for a usual record of `{cells.GOAL_OF[0]}`, "
    return f"{_doubt(document)}{goal}as deployed. Measured: {us:.1f} µs, {met}.\n\n" + _table(
        head, rows
    )


def _doubt(document: Document) -> str:
    load = machine.busy(document["load_average"], is_long=True)
    if not load:
        return ""
    return (
        f"**Measured on a busy machine: a load of {load:.1f} on {document['machine']['cores']} "
        "cores before it began. Compare columns, and measure again on a quiet one.**\n\n"
    )


_WHAT = {
    "rate": ("records a second", "µs a second", "µs a record"),
    "bytes": ("bytes added to the body", "µs a record", "µs a KiB"),
    "attributes": ("attributes added to eight", "µs a record", "µs an attribute"),
}


def _linear(document: Document) -> str:
    text: list[str] = []
    for what, found in document["linear"].items():
        at, cost, unit = _WHAT[what]
        points = found["points"]
        head = [at, *(f"{one['at']:,}" for one in points)]
        rows = [
            [cost, *(f"{one['us']:,.1f}" for one in points)],
            [f"{unit}, of the step", "", *(f"{one:.2f}" for one in found["steps_us"])],
        ]
        until = (
            "It is linear over all that was measured."
            if found["is_linear"]
            else f"It is linear to {found['linear_to']:,}: the step after it costs over "
            f"{linear.STEEPER} times those before it."
        )
        text.append(
            f"{_table(head, rows)}\nThe line's slope: {found['slope_us']:.2f} {unit}. {until}"
        )
    return "\n\n".join(text) + "\n"


def _memory(document: Document) -> str:
    found = document["memory"]
    verdicts = {True: "flat", False: "**not flat**", None: "**too short a time to say**"}
    verdict = verdicts[found["is_flat"]]
    grown = (
        f"The line through them rises by {found['per_minute_mib']:.2f} MiB a minute, "
        f"{found['grown_mib']:.1f} MiB in all: {verdict} (flat is at most "
        f"{memory.FLAT:.0%} of the median over the time measured)."
    )
    return (
        f"{found['rate']:,} records a second for {found['seconds']} s, resident memory once a "
        f"second: {found['median_mib']:.0f} MiB, {found['least_mib']:.0f} to "
        f"{found['most_mib']:.0f}. {grown}\n"
    )


def _measured(document: Document) -> str:
    machine, source, settings = document["machine"], document["source"], document["settings"]
    load = document["load_average"]
    before, after = (" / ".join(f"{one:.2f}" for one in load[when]) for when in ("before", "after"))
    return (
        f"- When: {document['measured']}, commit {source['commit']}, Collector "
        f"{document['collector']}.\n"
        f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} "
        f"GiB, Linux {machine['kernel']}.\n"
        f"- Load average of 1, 5 and 15 minutes: before {before}, after {after}.\n"
        f"- Rounds: {settings['rounds']}, of {settings['records']:,} records (large ones a third), "
        f"in requests of {settings['batch']}.\n"
    )
