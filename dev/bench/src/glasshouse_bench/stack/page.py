"""What docs/performance.md says of the stack itself."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from glasshouse_bench import measured
from glasshouse_bench.measured import Document
from glasshouse_bench.stack.starting import GOAL_S

_MIB = 1024**2
_MILLION = 1_000_000


def parts(document: Document) -> dict[str, str]:
    """Return the contents of the page's markers."""
    sections = [
        make(document[part])
        for part, make in (("start", _start), ("idle", _idle), ("disk", _disk))
        if document.get(part)
    ]
    return {
        "stack": measured.doubt(document) + "\n".join(sections) + "\n" + measured.where(document)
    }


def _start(starts: Sequence[Document]) -> str:
    warm = [one for one in starts if not one["first"]] or list(starts)
    whole = sorted(one["seconds"] for one in warm)
    middle = statistics.median(whole)
    verdict = "met" if middle <= GOAL_S else "**missed**"
    names = list(dict.fromkeys(name for one in warm for name in one["parts"]))
    rows = [
        [name, _middle(warm, name, "started_s"), _middle(warm, name, "ready_s")] for name in names
    ]
    rows.sort(key=lambda row: float(row[2]) if row[2] != "-" else 0.0)
    first = [f"{one['seconds']:.1f} s" for one in starts if one["first"]]
    return (
        f"**Start**: `make up` of a stopped stack takes {middle:.1f} s ({whole[0]:.1f} to "
        f"{whole[-1]:.1f}), goal {GOAL_S:.0f} s: {verdict}. Of these until all is ready "
        f"{statistics.median(one['seconds_to_ready'] for one in warm):.1f} s, the doctor "
        f"{statistics.median(one['seconds_of_doctor'] for one in warm):.1f} s. The first one, "
        f"with empty volumes: {', '.join(first) or '-'}.\n\n"
        + _table(["part", "started after, s", "ready after, s"], rows)
    )


def _middle(starts: Sequence[Document], name: str, key: str) -> str:
    found = [
        one["parts"][name][key]
        for one in starts
        if name in one["parts"] and one["parts"][name][key] is not None
    ]
    return f"{statistics.median(found):.1f}" if found else "-"


def _idle(idle: Document) -> str:
    ordered = sorted(idle["containers"], key=lambda one: (not one["telemetry"], one["service"]))
    rows = [_idle_row(one, one["service"]) for one in ordered]
    rows.append(_idle_row(idle["telemetry"], "**telemetry in all**"))
    promised = idle["promised"]
    return (
        f"**Idle**, over {idle['seconds']:.0f} s: "
        f"{'within' if idle['within'] else '**over**'} the {promised['cpu_percent']:g} % of a core "
        f"and {promised['memory_bytes'] / _MIB:.0f} MiB that are promised for what receives and "
        "stores telemetry.\n\n" + _table(["container", "% of a core", "MiB"], rows)
    )


def _idle_row(one: Document, name: str) -> list[str]:
    return [name, f"{one['cpu_percent']:.2f}", f"{one['memory_bytes'] / _MIB:.0f}"]


def _disk(disk: Document) -> str:
    counts = {"loki": disk["logs"], "tempo": disk["spans"], "prometheus": disk["samples"]}
    what = {"loki": "log records", "tempo": "spans", "prometheus": "samples"}
    rows = [
        [
            backend,
            f"{counts[backend]:,} {what[backend]}",
            f"{sum(grown.values()) / counts[backend] * _MILLION / _MIB:.0f}",
            ", ".join(
                f"{folder} {size / counts[backend] * _MILLION / _MIB:.0f}"
                for folder, size in sorted(grown.items(), key=lambda one: -one[1])
                if size > 0.01 * sum(grown.values())
            ),
        ]
        for backend, grown in disk["grown_bytes"].items()
        if counts[backend]
    ]
    return "**Disk**, after a stop that writes all out.\n\n" + _table(
        ["backend", "stored", "MiB a million", "of these"], rows
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(one)} |\n" for one in lines)
