"""Which goals a result meets, and by how much it misses the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

from glasshouse_bench.overhead import figures
from glasshouse_bench.overhead.probes import PATHS
from glasshouse_bench.overhead.results import Document
from glasshouse_bench.overhead.variants import BASE

OURS = "glasshouse"
# Variants of ours, and how a goal says which one is meant.
WHOSE = {OURS: "", "glasshouse-native": ", with the native part"}


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One goal under one server, which is None where it has nothing to do with servers.

    ``measured`` as it is shown; ``is_met`` of the median, or of the worst where it is a bound.
    """

    what: str
    server: str | None
    wanted: str
    measured: str
    is_met: bool


def judged(document: Document) -> list[Goal]:
    """Return the goals that the result has a figure for."""
    found: list[Goal] = []
    for server, title in document["settings"]["servers"].items():
        for variant, suffix in WHOSE.items():
            goals = [
                *_ratios(document, server, title, variant),
                *_stops(document, server, title, variant),
                *_memory(document, server, title, variant),
            ]
            found += [replace(one, what=f"{one.what}{suffix}") for one in goals]
    for name, imported in (document["imports"] or {}).items():
        if not name.startswith(OURS):
            continue
        found.append(
            Goal(
                what=f"import of {name}, CPU time",
                server=None,
                wanted=f"under {figures.MOST_IMPORT_MS:.0f} ms",
                measured=f"{imported['median_ms']:.0f} ms",
                is_met=imported["median_ms"] < figures.MOST_IMPORT_MS,
            )
        )
    return found


def _ratios(document: Document, server: str, title: str, variant: str) -> list[Goal]:
    found: list[Goal] = []
    for load, what in document["settings"]["loads"].items():
        cell = figures.cell(document, server, variant, load)
        if cell and cell.ratio:
            goal, ratio = figures.GOALS[load], cell.ratio
            found.append(
                Goal(
                    what=what,
                    server=title,
                    wanted=f"{goal:.2f}",
                    measured=f"{ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f})",
                    is_met=ratio.median >= goal,
                )
            )
    return found


def _stops(document: Document, server: str, title: str, variant: str) -> list[Goal]:
    found: list[Goal] = []
    for paths in PATHS:
        held = figures.batch_ms(document, server, variant, paths, "hold_ms")
        # Without it all of the work, which is never less.
        batch = held or figures.batch_ms(document, server, variant, paths)
        if batch is None:
            continue
        found.append(
            Goal(
                what=f"export of a batch of spans with {paths} paths, hold of the interpreter",
                server=title,
                wanted=f"under {figures.MOST_BATCH_MS:.0f} ms",
                measured=f"{batch.median:.1f} ms (at most {batch.most:.1f})",
                is_met=batch.most < figures.MOST_BATCH_MS,
            )
        )
    lines = figures.line_ms(document, server, variant)
    if lines:
        kind = max(lines, key=lambda one: lines[one].most)
        machine = figures.machine_ms(document, server, variant)
        by_itself = "" if machine is None else f"; the machine by itself {machine:.1f}"
        worst = f"at most {lines[kind].most:.1f}; {kind}{by_itself}"
        found.append(
            Goal(
                what="one long log line, longest stop of the event loop",
                server=title,
                wanted=f"at most {figures.MOST_STOP_MS:.0f} ms",
                measured=f"{lines[kind].median:.1f} ms ({worst})",
                is_met=lines[kind].most <= figures.MOST_STOP_MS,
            )
        )
    return found


def _memory(document: Document, server: str, title: str, variant: str) -> list[Goal]:
    ours, base = (figures.memory(document, server, one) for one in (variant, BASE))
    if not ours or not base:
        return []
    more = ours.median - base.median
    return [
        Goal(
            what="memory beyond that without telemetry",
            server=title,
            wanted=f"at most {figures.MOST_MEMORY_MB:.0f} MB",
            measured=f"{more:.0f} MB",
            is_met=more <= figures.MOST_MEMORY_MB,
        )
    ]
