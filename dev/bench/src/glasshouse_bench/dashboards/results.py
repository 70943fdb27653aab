"""The result file: each query and statement with what it took, and what it was measured on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glasshouse_bench.dashboards.asking import LIMIT_MS, Answer
from glasshouse_bench.dashboards.backlog import Statement
from glasshouse_cli.errors import StackError

SCHEMA = 1
# Apart from the results of `make bench`, which are of another kind.
FOLDER = Path("dev") / "bench" / "results" / "dashboards"
_PARTS = ("schema", "measured", "machine", "data", "panels", "statements")

Document = dict[str, Any]


def panels(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return what each panel took, over each range: its queries one after the other.

    A stack that gives Prometheus one processor answers them no sooner.
    """
    grouped: dict[tuple[str, str, str], list[Answer]] = {}
    for answer in answers:
        one = answer.request
        grouped.setdefault((one.board, one.panel, answer.range), []).append(answer)
    return [
        {
            "board": board,
            "panel": panel,
            "range": over,
            "queries": len(found),
            "cold_ms": round(sum(one.cold_ms for one in found), 1),
            "warm_ms": round(sum(one.warm_median_ms for one in found), 1),
            "worst_ms": round(sum(max([one.cold_ms, *one.warm_ms]) for one in found), 1),
            "samples": sum(one.samples for one in found),
            "peak": max(one.peak for one in found),
            "series": sum(one.series for one in found),
            "errors": sorted({one.error for one in found if one.error}),
        }
        for (board, panel, over), found in grouped.items()
    ]


def statements(found: Sequence[Statement]) -> list[dict[str, Any]]:
    """Return what each statement took, and what it read from end to end."""
    return [
        {
            "name": one.name,
            "median_ms": round(one.median_ms, 2),
            "worst_ms": round(max(one.ms), 2),
            "scans": [asdict(scan) for scan in one.scans],
        }
        for one in found
    ]


def is_slow(panel: dict[str, Any]) -> bool:
    """Return whether a panel was over the limit once, or was not answered at all."""
    return bool(panel["errors"]) or panel["worst_ms"] > LIMIT_MS


def read(path: Path) -> Document:
    """Read a result.

    Raises:
        StackError: there is none, or it is no result of this version.
    """
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackError(f"{path}: no result can be read: {error.strerror}") from None
    except ValueError:
        raise StackError(f"{path} is no JSON: name a file of make bench-dashboards") from None
    if any(part not in document for part in _PARTS) or document["schema"] != SCHEMA:
        raise StackError(f"{path} is no result: measure again with make bench-dashboards")
    return document


def latest(root: Path) -> Path | None:
    """Return the committed result that was measured last, if there is one."""
    found = [(read(path)["measured"], path) for path in sorted((root / FOLDER).glob("*.json"))]
    return max(found)[1] if found else None
