"""What redaction catches: every row of the corpus on every surface, as text, JSON and picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glasshouse_bench.corpus import GATES, Row, Score, total

_HEADINGS = {
    "must_redact": "must go",
    "report_recall": "may go",
    "must_survive": "must stay",
    "should_survive": "should stay",
    "report_precision": "may stay",
}


def table(scored: Mapping[tuple[str, str], Score]) -> str:
    """Return the scores as text: passed of all rows, by entity and gate."""
    entities = sorted({entity for entity, _ in scored})
    lines = [["entity", *(_HEADINGS[gate] for gate in GATES)]]
    for entity in entities:
        cells = [scored.get((entity, gate)) for gate in GATES]
        lines.append([entity, *(_cell(score) for score in cells)])
    lines.append(["all", *(_cell(total(scored, gate)) for gate in GATES)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    return f"{score.passed}/{score.rows} {score.share:.1%}"


def as_json(
    scored: Mapping[tuple[str, str], Score],
    failed: Mapping[str, list[Row]],
    surfaces: int,
) -> dict[str, Any]:
    """Return the scores for scripts. Rows that failed are listed by number, by surface."""
    return {
        "surfaces": surfaces,
        "entities": [
            {
                "entity": entity,
                "gate": gate,
                "rows": score.rows,
                "passed": score.passed,
                "share": round(score.share, 4),
            }
            for (entity, gate), score in scored.items()
        ],
        "gates": {gate: round(total(scored, gate).share, 4) for gate in GATES},
        "failed": {
            surface: sorted(row.number for row in rows) for surface, rows in sorted(failed.items())
        },
    }


def picture(scored: Mapping[tuple[str, str], Score], surfaces: int, path: Path) -> None:
    """Draw one bar an entity and gate, with the number of its rows, as SVG."""
    # Imported here: it takes a second, and only pictures need it.
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "glasshouse"  # the same bytes for the same figures
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    groups = [
        ("Recall: rows whose sensitive part is gone", ("must_redact", "report_recall")),
        (
            "Survival: rows left as they were",
            ("must_survive", "should_survive", "report_precision"),
        ),
    ]
    colours = {
        "must_redact": "#1b6e53",
        "report_recall": "#9fc9b6",
        "must_survive": "#2b5c8a",
        "should_survive": "#6b93bd",
        "report_precision": "#b3c8de",
    }
    names = [sorted({entity for entity, gate in scored if gate in gates}) for _, gates in groups]
    figure, axes = pyplot.subplots(
        1, 2, figsize=(12, 0.3 * max(len(one) for one in names) + 1.6), layout="constrained"
    )
    for axis, (title, gates), entities in zip(axes, groups, names, strict=True):
        thickness = 0.8 / len(gates)
        for place, gate in enumerate(gates):
            for line, entity in enumerate(entities):
                score = scored.get((entity, gate))
                if score is None:
                    continue
                at = line + (place - (len(gates) - 1) / 2) * thickness
                axis.barh(at, score.share * 100, thickness, color=colours[gate])
                axis.text(101, at, f"{score.passed}/{score.rows}", va="center", fontsize=6)
            axis.barh(0, 0, color=colours[gate], label=gate)
        axis.set_yticks(range(len(entities)), entities, fontsize=7)
        axis.invert_yaxis()
        axis.set_xlim(0, 112)
        axis.set_xticks(range(0, 101, 20))
        axis.set_xlabel("% of rows that pass on every surface", fontsize=8)
        axis.set_title(title, fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=7, loc="lower left", framealpha=0.9)
    figure.suptitle(f"Redaction, by entity, on {surfaces} surfaces", fontsize=11)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
