"""The section of docs/performance.md on dashboards, rules and statements, made of a result."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from glasshouse_bench import machine
from glasshouse_bench.dashboards import results
from glasshouse_bench.dashboards.asking import LIMIT_MS
from glasshouse_cli.errors import StackError

PAGE = Path("docs") / "performance.md"
_BEGIN, _END = "<!-- begin dashboards -->\n", "<!-- end dashboards -->\n"
_SHOWN = 5


def write(root: Path) -> Path | None:
    """Write the section from the newest result; return the page, or None without a result.

    Raises:
        StackError: a marker is missing.
    """
    newest = results.latest(root)
    if newest is None:
        return None
    path = root / PAGE
    path.write_text(
        rendered(path.read_text(encoding="utf-8"), results.read(newest)), encoding="utf-8"
    )
    return path


def rendered(page: str, document: results.Document) -> str:
    """Return the page with what the result says between its markers."""
    pattern = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
    if not pattern.search(page):
        raise StackError(f"{PAGE} has no {_BEGIN.strip()} with its end: put them back")
    return pattern.sub(lambda _: f"{_BEGIN}{section(document)}{_END}", page)


def section(document: results.Document) -> str:
    """Return what stands between the markers."""
    parts = [*_doubts(document), _panels(document), _slow(document), _statements(document)]
    return "\n".join([*parts, _measured(document)])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(one)} |\n" for one in lines)


def _doubts(document: results.Document) -> list[str]:
    load = machine.busy(document["load_average"])
    if not load:
        return []
    return [
        f"**Measured on a busy machine: a load of {load:.1f} before it began. Measure again.**\n"
    ]


def _panels(document: results.Document) -> str:
    rows: list[list[str]] = []
    for over in dict.fromkeys(one["range"] for one in document["panels"]):
        found = [one for one in document["panels"] if one["range"] == over]
        slow = sum(map(results.is_slow, found))
        warm = sorted(one["warm_ms"] for one in found)
        rows.append(
            [
                over,
                str(len(found)),
                f"{warm[len(warm) // 2]:.0f}",
                f"{max(one['worst_ms'] for one in found):,.0f}",
                f"**{slow}**" if slow else "none",
            ]
        )
    return _table(["over", "panels", "median, ms", "worst, ms", "over a second"], rows)


def _slow(document: results.Document) -> str:
    found = [one for one in document["panels"] if results.is_slow(one)]
    if not found:
        return "No panel and no rule takes over a second.\n"
    boards: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        boards.setdefault(one["board"], []).append(one)
    rows = [[board, ", ".join(_named(several))] for board, several in boards.items()]
    return _table(["over a second", "panels, with their ranges"], rows)


def _named(found: Sequence[dict[str, Any]]) -> list[str]:
    ranges: dict[str, list[str]] = {}
    for one in found:
        ranges.setdefault(one["panel"], []).append(one["range"])
    # A bar would end the cell.
    return [f"{panel.replace('|', '/')} ({', '.join(over)})" for panel, over in ranges.items()]


def _statements(document: results.Document) -> str:
    found = sorted(document["statements"], key=lambda one: -one["worst_ms"])
    slow = [one["name"] for one in found if one["worst_ms"] > LIMIT_MS]
    rows = [
        [
            one["name"],
            f"{one['median_ms']:.1f}",
            f"{one['worst_ms']:.1f}",
            ", ".join(scan["table"] for scan in one["scans"]) or "-",
        ]
        for one in found[:_SHOWN]
    ]
    said = ", ".join(slow) if slow else "none"
    return (
        f"{len(found)} statements of the service, with {document['data']['rows']:,} waiting "
        f"jobs, payments, runs and notifications each; over a second: {said}. The slowest:\n\n"
        + _table(["statement", "median, ms", "worst, ms", "tables read whole"], rows)
    )


def _measured(document: results.Document) -> str:
    data, machine = document["data"], document["machine"]
    return (
        f"- When: {document['measured']}, commit {document['source']['commit']}.\n"
        f"- Machine: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB.\n"
        f"- Data: {data['days']} days, {data['samples']:,} samples, {data['mib']:,} MiB; "
        f"Prometheus with {data['bounds']['cpus']} processor and a garbage collector that aims at "
        f"{data['bounds']['gomemlimit']} of {data['bounds']['memory']}. It needed "
        f"{data['peak_mib']} MiB.\n"
    )
