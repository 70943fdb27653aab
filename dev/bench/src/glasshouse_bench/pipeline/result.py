"""The result file of the deployed pipeline: figures, with what they were measured on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from glasshouse_bench.overhead.results import FOLDER
from glasshouse_cli.errors import StackError

SCHEMA = 1
KIND = "pipeline"
_PARTS = ("measured", "source", "machine", "load_average", "settings", "cells", "linear", "memory")

Document = dict[str, Any]


def read(path: Path) -> Document:
    """Read a result.

    Raises:
        StackError: there is none, or it is no result of this version.
    """
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackError(f"{path}: no result can be read: {error.strerror}") from None
    except ValueError:
        document = {}
    wanted = {"kind": KIND, "schema": SCHEMA}
    if (
        not isinstance(document, dict)
        or not wanted.items() <= document.items()  # pyright: ignore[reportUnknownMemberType]
        or any(part not in document for part in _PARTS)
    ):
        raise StackError(
            f"{path} is no result of this version: name a file that make bench-pipeline-report "
            "has written"
        )
    return document  # pyright: ignore[reportUnknownVariableType]  # checked above


def latest(root: Path) -> Path:
    """Return the committed result that was measured last.

    Raises:
        StackError: there is none.
    """
    paths = sorted((root / FOLDER).glob(f"*-{KIND}.json"))
    if not paths:
        raise StackError(f"{FOLDER} has no result: run make bench-pipeline-report first")
    return max(paths, key=lambda path: read(path)["measured"])
