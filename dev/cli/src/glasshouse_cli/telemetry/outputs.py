"""The files that are made of the catalogue, and whether the committed ones are those."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Final

from glasshouse_cli.files import write_atomically
from glasshouse_cli.telemetry import families, known_values, python_events, reference
from glasshouse_cli.telemetry.catalogue import Catalogue
from glasshouse_cli.telemetry.load import load

OUTPUTS: Final[Mapping[str, Callable[[Catalogue], str]]] = {
    "service/src/backend/telemetry/events.py": python_events.module,
    "service/src/backend/telemetry/known_values.py": known_values.module,
    "dev/loadgen/src/glasshouse_loadgen/known_values.py": known_values.module,
    "collector/event_families.yaml": families.document,
    "docs/events.md": reference.document,
}


def write(root: Path) -> list[str]:
    """Write every file, and return the names of those that were not as they must be."""
    catalogue = load(root)
    changed: list[str] = []
    for name, make in OUTPUTS.items():
        made, path = make(catalogue), root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != made:
            write_atomically(path, made)
            changed.append(name)
    return changed


def drift(root: Path) -> list[str]:
    """Return one line for each file that is not what the catalogue makes."""
    catalogue = load(root)
    lines: list[str] = []
    for name, make in OUTPUTS.items():
        path = root / name
        committed = path.read_text(encoding="utf-8") if path.is_file() else ""
        line = _first_difference(committed, make(catalogue))
        if line is not None:
            lines.append(
                f"{name}:{line}: not what telemetry/ makes: change the catalogue there, "
                "run `make telemetry`, and commit"
            )
    return lines


def _first_difference(one: str, other: str) -> int | None:
    pairs = zip_longest(one.splitlines(keepends=True), other.splitlines(keepends=True))
    return next((number for number, (a, b) in enumerate(pairs, start=1) if a != b), None)
