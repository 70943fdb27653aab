"""The labelled corpus: texts that must go, and texts that must stay."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# A row of these gates is a positive: its values must be gone. The others must stay as they are.
POSITIVE = ("must_redact", "report_recall")
GATES = ("must_redact", "report_recall", "must_survive", "should_survive", "report_precision")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One text. ``values``: the parts of a positive that are sensitive."""

    number: int
    text: str
    values: tuple[str, ...]
    entity: str
    gate: str

    @property
    def positive(self) -> bool:
        return self.gate in POSITIVE

    def passes(self, stored: str) -> bool:
        """Return whether what was stored of this row is as it must be."""
        if self.positive:
            return not any(value in stored for value in self.values)
        return stored == self.text


def load(path: Path) -> tuple[Row, ...]:
    """Read every row of a corpus file."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple(
        Row(
            number=number,
            text=row["text"],
            values=tuple(row["values"]),
            entity=row["entity"],
            gate=row["gate"],
        )
        for number, row in enumerate(rows)
    )


@dataclass(frozen=True, kw_only=True)
class Score:
    """How many rows of one entity and gate passed on every surface."""

    rows: int
    passed: int

    @property
    def share(self) -> float:
        return self.passed / self.rows if self.rows else 1.0


def failures(rows: Iterable[Row], stored: Mapping[str, Mapping[int, str]]) -> dict[str, list[Row]]:
    """Return, by surface, the rows that are not as they must be. ``stored``: by surface and row."""
    failed = {
        surface: [row for row in rows if not row.passes(texts[row.number])]
        for surface, texts in stored.items()
    }
    return {surface: found for surface, found in failed.items() if found}


def scores(
    rows: Iterable[Row], failed: Mapping[str, Iterable[Row]]
) -> dict[tuple[str, str], Score]:
    """Return the score by entity and gate. A row passes if it does on every surface."""
    lost = {row.number for found in failed.values() for row in found}
    numbers: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        numbers[row.entity, row.gate].append(row.number)
    return {
        key: Score(rows=len(found), passed=sum(number not in lost for number in found))
        for key, found in sorted(numbers.items())
    }


def total(scored: Mapping[tuple[str, str], Score], gate: str) -> Score:
    """Return the score of one gate over all entities."""
    chosen = [score for (_, one), score in scored.items() if one == gate]
    return Score(rows=sum(s.rows for s in chosen), passed=sum(s.passed for s in chosen))
