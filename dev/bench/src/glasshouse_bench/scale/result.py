"""The result file: the parts, with when and on what each was measured."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glasshouse_bench import machine, measured
from glasshouse_bench.measured import Document
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project
from glasshouse_cli.size import factors

KIND = factors.KIND
FOLDER = measured.FOLDER / KIND
# As many as each container has in the stack.
PROCESS_CORES = 1


def begun(checkout: Project, settings: Mapping[str, Any], earlier: Path | None) -> Document:
    """Return a result without figures, or with the parts of an earlier one.

    Raises:
        StackError: the earlier one cannot be read.
    """
    document = measured.begun(checkout, KIND, {**settings, "process_cores": PROCESS_CORES})
    document |= {"parts": {}, "limits": {}}
    if earlier is not None:
        before = measured.read(earlier, KIND)
        document |= {name: before[name] for name in ("parts", "limits")}
    return document


def put(
    document: Document, name: str, part: Mapping[str, Any], *, others: float, rounds: int
) -> None:
    """Note a part. others: how many cores others' work had in use before it was measured."""
    more = {"measured": machine.now(), "others_cores": others, "rounds": rounds}
    document["parts"][name] = {**part, **more}
    measured.ended(document)


def latest(root: Path) -> Path:
    """Return the committed result that was measured last. Raises StackError without one."""
    found = [
        (measured.read(path, KIND)["measured"], path)
        for path in sorted((root / FOLDER).glob("*.json"))
    ]
    if not found:
        raise StackError(f"{FOLDER} has no result: run make bench-scale first")
    return max(found)[1]


def ship(root: Path) -> Path:
    """Give the package of the command its copy of the newest result; return the result."""
    path = latest(root)
    factors.read(path)
    shutil.copyfile(path, root / "dev" / "cli" / "src" / "glasshouse_cli" / "size" / "factors.json")
    return path
