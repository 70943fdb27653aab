"""The result file: what was measured, process by process, with what it was measured on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from glasshouse_cli.errors import StackError

SCHEMA = 1
FOLDER = Path("dev") / "bench" / "results"
# What a file that is a result has; `runs` are the processes.
_PARTS = ("schema", "measured", "source", "machine", "versions", "settings", "runs")

Document = dict[str, Any]
# Results of other benches in the same folder.
_OTHERS = ("-freshness.json", "-stack.json")


def read(path: Path) -> Document:
    """Read a result.

    Raises:
        StackError: there is none, or it is no result of this version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackError(f"{path}: no result can be read: {error.strerror}") from None
    except ValueError:
        raise StackError(f"{path} is no JSON: name a file that make bench has written") from None
    if not isinstance(document, dict) or any(part not in document for part in _PARTS):
        raise StackError(f"{path} is no result: name a file that make bench has written")
    if document["schema"] != SCHEMA:
        raise StackError(
            f"{path} has schema {document['schema']}, not {SCHEMA}: measure again with make bench"
        )
    return document  # pyright: ignore[reportUnknownVariableType]  # checked above


def write(path: Path, document: Document) -> None:
    """Write a result; a file that is there is replaced at once or not at all."""
    beside = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(document, indent=1, ensure_ascii=False)
        beside.write_text(f"{text}\n", encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        raise StackError(f"--output: {path} cannot be written: {error.strerror}") from None


def resumed(path: Path, settings: Document, source: Document, machine: Document) -> Document:
    """Return a result that goes on with what is in ``path``, for other rounds, too.

    Raises:
        StackError: it is of another commit, machine or choice.
    """
    document = read(path)
    known = {**document["settings"], "rounds": settings["rounds"]}
    # The order, too, in which processes take turns.
    same = json.dumps(known) == json.dumps(settings)
    if not same or document["source"] != source or document["machine"] != machine:
        raise StackError(
            f"--resume: {path} is of another commit, machine or choice: leave --resume out to "
            "measure anew"
        )
    document["settings"] = settings
    return document


def latest(root: Path) -> Path:
    """Return the committed result that was measured last.

    Raises:
        StackError: there is none.
    """
    paths = sorted((root / FOLDER).glob("*.json"))
    found = [(read(one)["measured"], one) for one in paths if not one.name.endswith(_OTHERS)]
    if not found:
        raise StackError(f"{FOLDER} has no result: run make bench first")
    return max(found)[1]
