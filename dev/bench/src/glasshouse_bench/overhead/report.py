"""A result as tables for the terminal."""

from __future__ import annotations

from glasshouse_bench.overhead import figures
from glasshouse_bench.overhead.figures import Spread
from glasshouse_bench.overhead.results import Document
from glasshouse_cli.console import Terminal, plain_table


def show(terminal: Terminal, document: Document, before: Document | None) -> None:
    """Print what each load costs, what else was measured, and what changed since ``before``."""
    for server, title in document["settings"]["servers"].items():
        terminal.line(f"{title}: CPU µs a request, and how much of the throughput a core keeps")
        _costs(terminal, document, server)
        terminal.line("")
        _others(terminal, document, server)
        terminal.line("")
    _imports(terminal, document)
    if before is not None:
        _changes(terminal, before, document)


def _costs(terminal: Terminal, document: Document, server: str) -> None:
    loads = document["settings"]["loads"]
    table = plain_table("variant", *loads)
    for variant in figures.names(document, "variants"):
        cells = [figures.cell(document, server, variant, load) for load in loads]
        table.add_row(variant, *(cost(one) for one in cells))
    goals = [figures.GOALS[load] for load in loads]
    table.add_row("wanted", *(f"{one:.2f}" for one in goals))
    terminal.table(table)


def cost(cell: figures.Cell | None) -> str:
    """Return time and ratio with its spread, as ``760 · 0.46 (0.44 to 0.49)``."""
    if cell is None:
        return "-"
    us = f"{cell.us.median:.0f}"
    return f"{us} · {ratio(cell.ratio)}" if cell.ratio else us


def ratio(found: Spread) -> str:
    """Return a ratio with its spread."""
    return f"{found.median:.2f} ({found.least:.2f} to {found.most:.2f})"


def _others(terminal: Terminal, document: Document, server: str) -> None:
    table = plain_table(
        "variant", "memory MB", "start, CPU ms", "batch of new spans, ms", "long log line, ms"
    )
    for variant in figures.names(document, "variants"):
        memory = figures.memory(document, server, variant)
        start = figures.start(document, server, variant)
        # A result from before the hold was measured has the work on the whole batch.
        batch = figures.batch_ms(document, server, variant, "new", "hold_ms")
        batch = batch or figures.batch_ms(document, server, variant, "new")
        lines = figures.line_ms(document, server, variant)
        worst = max(lines, key=lambda kind: lines[kind].most, default=None)
        table.add_row(
            variant,
            f"{memory.median:.0f}" if memory else "-",
            f"{start.median:.0f}" if start else "-",
            f"{batch.median:.1f} (at most {batch.most:.1f})" if batch else "-",
            f"{lines[worst].most:.1f} ({worst})" if worst else "-",
        )
    terminal.table(table)


def _imports(terminal: Terminal, document: Document) -> None:
    for name, found in (document["imports"] or {}).items():
        terminal.line(
            f"import {name}: {found['median_ms']:.0f} CPU ms "
            f"({found['least_ms']:.0f} to {found['most_ms']:.0f})"
        )


def _changes(terminal: Terminal, before: Document, now: Document) -> None:
    terminal.line("")
    source = before["source"]["commit"] or "an unknown commit"
    terminal.line(f"compared with {before['measured']}, {source}")
    table = plain_table("server", "variant", "load", "before", "now", "")
    for one in figures.changes(before, now):
        verdict = "changed" if one.is_certain else "within the spread"
        table.add_row(one.server, one.variant, one.load, ratio(one.before), ratio(one.now), verdict)
    terminal.table(table)
