"""The outcomes of the reports as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from glasshouse_bench.unseen import conventions, logs, people, wrappings
from glasshouse_bench.unseen.probes import Cell, Outcome

# How many texts that failed are printed of each group.
MOST_EXAMPLES = 3
LONGEST_EXAMPLE = 160
WHERE = ("bare", "word", "key")


def text(outcomes: Mapping[str, Outcome], *, examples: bool = False) -> str:
    """Return all reports as text, each under its heading."""
    parts: list[str] = []
    if outcome := outcomes.get(people.REPORT):
        parts.append(_section("Generated people: values that are gone", _people(outcome)))
    if outcome := outcomes.get(wrappings.REPORT):
        parts.append(_section("Wrappings: values that are gone", _failing(outcome)))
    if outcome := outcomes.get(logs.REPORT):
        parts.append(_section("Logs: lines changed without a reason", _damage(outcome)))
    if outcome := outcomes.get(conventions.REPORT):
        parts.append(_section("Semantic conventions: examples as they must be", _failing(outcome)))
    if examples:
        parts += [_section(f"{name}: what failed", _examples(o)) for name, o in outcomes.items()]
    return "\n\n".join(parts)


def where(outcome: Outcome, entity: str, place: str) -> Cell:
    """Return the cell of one entity of the people, bare, beside its word or under its key."""
    cells = [
        cell
        for (group, label), cell in outcome.cells.items()
        if group == entity and label.startswith(f"{place} ")
    ]
    return Cell(probes=sum(c.probes for c in cells), held=sum(c.held for c in cells))


def groups(outcome: Outcome) -> list[str]:
    return sorted({group for group, _ in outcome.cells})


def _section(title: str, lines: Iterator[str]) -> str:
    return "\n".join((title, *(f"  {line}" for line in lines)))


def _people(outcome: Outcome) -> Iterator[str]:
    yield f"{'entity':14}" + "".join(f"{place:>10}" for place in WHERE)
    for entity in groups(outcome):
        cells = [where(outcome, entity, place) for place in WHERE]
        yield f"{entity:14}" + "".join(
            f"{cell.share:>10.1%}" if cell.probes else f"{'-':>10}" for cell in cells
        )


def _failing(outcome: Outcome) -> Iterator[str]:
    total = outcome.total()
    yield f"{total.held} of {total.probes} ({total.share:.2%})"
    for group in groups(outcome):
        cell = outcome.total(group=group)
        if cell.held < cell.probes:
            lost = [f.probe.label for f in outcome.failures if f.probe.group == group]
            yield f"{group}: {cell.probes - cell.held} of {cell.probes}, {', '.join(lost[:8])}"


def _damage(outcome: Outcome) -> Iterator[str]:
    yield f"{'format':24}{'lines':>8}{'per 1,000':>12}"
    for group in [*groups(outcome), None]:
        cell = outcome.total(group=group)
        yield f"{group or 'all':24}{cell.probes:>8}{1000 * (1 - cell.share):>12.1f}"


def _examples(outcome: Outcome) -> Iterator[str]:
    for group in groups(outcome):
        failed = [f for f in outcome.failures if f.probe.group == group]
        for one in failed[:MOST_EXAMPLES]:
            sent, came = str(one.probe.text), str(one.stored)
            yield f"{group}: {sent[:LONGEST_EXAMPLE]!r} -> {came[:LONGEST_EXAMPLE]!r}"


def as_json(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """Return the outcomes for scripts: probes and how many held, by report, group and label."""
    return {
        name: {
            "probes": outcome.total().probes,
            "held": outcome.total().held,
            "cells": [
                {"group": group, "label": label, "probes": cell.probes, "held": cell.held}
                for (group, label), cell in outcome.cells.items()
            ],
        }
        for name, outcome in outcomes.items()
    }
