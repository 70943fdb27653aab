"""Reads what pytest reports of a run."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree


def read(report: Path) -> dict[str, Any]:
    """Return how many tests ended how, and which failed; zeros without a report."""
    tree = ElementTree.parse(report) if report.is_file() else None  # noqa: S314 (we wrote it)
    suite = tree.getroot().find("testsuite") if tree else None
    if suite is None:
        return {"passed": 0, "skipped": 0, "failed": []}
    failed = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = int(suite.get("skipped", 0))
    total = int(suite.get("tests", 0))
    return {"passed": total - skipped - len(failed), "skipped": skipped, "failed": failed}
