"""`glasshouse-bench stack-page`: what docs/performance.md says of freshness and of the stack."""

from __future__ import annotations

from pathlib import Path

from glasshouse_bench import measured
from glasshouse_bench.freshness import page as freshness_page
from glasshouse_bench.overhead.page import PAGE, filled
from glasshouse_bench.stack import page as own_page
from glasshouse_cli import project
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError

PARTS = {"freshness": freshness_page.parts, "stack": own_page.parts}


def rendered(root: Path, page: str) -> str:
    """Return the page with what the newest results say between its markers.

    Raises:
        StackError: a marker is missing, or a result.
    """
    for kind, parts in PARTS.items():
        page = filled(page, parts(measured.read(measured.latest(root, kind), kind)))
    return page


def stack_page() -> None:
    """Write freshness, start, idle and disk into docs/performance.md, from the newest results."""
    root = project.load().root
    path = root / PAGE
    try:
        path.write_text(rendered(root, path.read_text(encoding="utf-8")), encoding="utf-8")
    except OSError as error:
        raise StackError(f"{error.filename} cannot be written: {error.strerror}") from None
    Terminal().say(f"written: {PAGE}")
