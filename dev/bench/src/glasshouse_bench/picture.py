"""Recall and damage side by side, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from glasshouse_bench.corpus import Score, total
from glasshouse_bench.unseen import conventions, logs, people, report, wrappings
from glasshouse_bench.unseen.probes import Outcome

UNSEEN, SEEN, DAMAGE = "#1b6e53", "#9fc9b6", "#a4442c"


class Bar(NamedTuple):
    """One line of the picture; ``value`` in per cent, or in lines of a thousand."""

    name: str
    value: float
    note: str
    colour: str


def recall(scored: Mapping[tuple[str, str], Score], outcomes: Mapping[str, Outcome]) -> list[Bar]:
    """Return what share of each kind of data is gone, unseen data first."""
    bars: list[Bar] = []
    if outcome := outcomes.get(people.REPORT):
        for entity in report.groups(outcome):
            for place in report.WHERE:
                cell = report.where(outcome, entity, place)
                if cell.probes:
                    name = f"{entity}, {place}"
                    note = f"{cell.held}/{cell.probes}"
                    bars.append(Bar(name, cell.share * 100, note, UNSEEN))
    if outcome := outcomes.get(wrappings.REPORT):
        cell = outcome.total()
        name, note = "wrappings", f"{cell.held}/{cell.probes}"
        bars.append(Bar(name, cell.share * 100, note, UNSEEN))
    for gate, name in (("must_redact", "corpus: must go"), ("report_recall", "corpus: may go")):
        score = total(scored, gate)
        bars.append(Bar(name, score.share * 100, f"{score.passed}/{score.rows}", SEEN))
    return bars


def damage(scored: Mapping[tuple[str, str], Score], outcomes: Mapping[str, Outcome]) -> list[Bar]:
    """Return how many of a thousand ordinary texts are changed without a reason."""
    bars: list[Bar] = []
    if outcome := outcomes.get(logs.REPORT):
        for name in report.groups(outcome):
            cell = outcome.total(group=name)
            note = f"{cell.probes - cell.held}/{cell.probes}"
            bars.append(Bar(name, 1000 * (1 - cell.share), note, DAMAGE))
    if outcome := outcomes.get(conventions.REPORT):
        cell = outcome.total()
        note = f"{cell.probes - cell.held}/{cell.probes}"
        bars.append(Bar("semantic conventions", 1000 * (1 - cell.share), note, DAMAGE))
    for gate, name in (("must_survive", "corpus: must stay"), ("report_precision", "may stay")):
        score = total(scored, gate)
        note = f"{score.rows - score.passed}/{score.rows}"
        bars.append(Bar(name, 1000 * (1 - score.share), note, DAMAGE))
    return bars


def draw(
    scored: Mapping[tuple[str, str], Score], outcomes: Mapping[str, Outcome], path: Path
) -> None:
    """Write the picture as SVG, the same bytes for the same figures."""
    # Imported here: it takes a second, and only pictures need it.
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "glasshouse"
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    left, right = recall(scored, outcomes), damage(scored, outcomes)
    height = 0.2 * max(len(left), len(right)) + 1.4
    figure, axes = pyplot.subplots(1, 2, figsize=(12, height), layout="constrained")
    _bars(axes[0], left, "Recall: values that are gone, %", 100)
    least = max([10.0, *(bar.value for bar in right)])
    _bars(axes[1], right, "Damage: ordinary texts changed, of 1,000", least)
    axes[0].barh(0, 0, color=UNSEEN, label="other data, new values in each run")
    axes[0].barh(0, 0, color=SEEN, label="the corpus the rules were made with")
    axes[0].legend(fontsize=7, loc="lower left", framealpha=0.9)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _bars(axis: Any, bars: Sequence[Bar], title: str, most: float) -> None:
    for line, bar in enumerate(bars):
        axis.barh(line, bar.value, 0.7, color=bar.colour)
        axis.text(bar.value + most * 0.01, line, bar.note, va="center", fontsize=6)
    axis.set_yticks(range(len(bars)), [bar.name for bar in bars], fontsize=7)
    axis.invert_yaxis()
    axis.set_xlim(0, most * 1.12)
    axis.set_title(title, fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
