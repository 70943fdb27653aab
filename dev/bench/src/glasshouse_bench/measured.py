"""A result of a bench of the stack: its file, and what it was measured on."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glasshouse_bench import machine
from glasshouse_bench.overhead.results import FOLDER, write
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

__all__ = ["FOLDER", "Document", "begun", "ended", "latest", "read", "versions", "where", "write"]

SCHEMA = 1
Document = dict[str, Any]
_PARTS = ("schema", "kind", "measured", "source", "machine", "load_average", "versions")
_PACKAGES = ("glasshouse", "opentelemetry-sdk", "fastapi", "uvicorn")


def begun(checkout: Project, kind: str, settings: Mapping[str, Any]) -> Document:
    """Return a result without figures. kind: as the file's name ends, such as "freshness"."""
    return {
        "schema": SCHEMA,
        "kind": kind,
        "measured": machine.now(),
        "source": machine.commit(checkout.root),
        "machine": machine.describe(),
        "load_average": {"before": machine.load_average(), "after": None},
        "versions": versions(checkout),
        "settings": dict(settings),
    }


def ended(document: Document) -> None:
    """Note the load of the machine at the end."""
    document["load_average"]["after"] = machine.load_average()


def versions(checkout: Project) -> dict[str, str]:
    """Return the versions of the images, as .env names them, and of packages."""
    suffix = "_IMAGE"
    images = {
        name.removesuffix(suffix).lower(): value
        for name, value in sorted(checkout.settings.items())
        # Our own have no version: they are those of the commit.
        if name.endswith(suffix) and ":" in value
    }
    return images | {name: importlib.metadata.version(name) for name in _PACKAGES}


def read(path: Path, kind: str) -> Document:
    """Read a result.

    Raises:
        StackError: there is none, or it is no result of this kind and version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackError(f"{path}: no result can be read: {error.strerror}") from None
    except ValueError:
        raise StackError(f"{path} is no JSON: name a file that make bench-{kind} wrote") from None
    is_whole = isinstance(document, dict) and all(part in document for part in _PARTS)
    if not is_whole or (document["schema"], document["kind"]) != (SCHEMA, kind):
        raise StackError(f"{path} is no result of make bench-{kind}: name one, or measure anew")
    return document  # pyright: ignore[reportUnknownVariableType]  # checked above


def latest(root: Path, kind: str) -> Path:
    """Return the committed result of this kind that was measured last.

    Raises:
        StackError: there is none.
    """
    paths = sorted((root / FOLDER).glob(f"*-{kind}.json"))
    found = [(read(path, kind)["measured"], path) for path in paths]
    if not found:
        raise StackError(f"{FOLDER} has no result of this kind: run make bench-{kind} first")
    return max(found)[1]


def where(document: Document, more: Sequence[str] = ()) -> str:
    """Return when and on what it was measured, as lines of a list."""
    source, described = document["source"], document["machine"]
    before, after = document["load_average"]["before"], document["load_average"]["after"]
    lines = [
        f"When: {document['measured']}, {machine.commit_of(source)}.",
        f"Machine: {described['processor']}, {described['cores']} cores, "
        f"{described['memory_gib']} GiB, Linux {described['kernel']}, "
        f"Python {described['python']}.",
        f"Load average of 1, 5 and 15 minutes: before {machine.averages(before)}, after "
        f"{machine.averages(after)}.",
        "Versions: " + ", ".join(f"{k} {v}" for k, v in document["versions"].items()) + ".",
        *more,
    ]
    return "".join(f"- {line}\n" for line in lines)


def doubt(document: Document) -> str:
    """Return why its figures are less sure than they seem; empty where they are not."""
    load = machine.busy(document["load_average"])
    if not load:
        return ""
    return (
        f"**Measured on a busy machine: a load of {load:.1f} on {document['machine']['cores']} "
        "cores before it began. Measure again on a quiet one.**\n\n"
    )
