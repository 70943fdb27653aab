"""What redaction catches: every row of the corpus on every surface, as text and JSON."""

from __future__ import annotations

from collections.abc import Mapping
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
