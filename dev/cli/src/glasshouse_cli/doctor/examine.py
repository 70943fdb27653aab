"""Runs all checks in the order in which a fault explains those after it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from glasshouse_cli.console import Terminal, plain_table
from glasshouse_cli.doctor import checks
from glasshouse_cli.doctor.checks import Check
from glasshouse_cli.doctor.limits import limits
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

_STYLES = {"ok": "green", "failed": "bold red", "skipped": "yellow"}
_GROUPS = (
    ("machine", checks.machine),
    ("ports", checks.port_clashes),
    ("limits", limits),
    ("components", checks.components),
    ("senders", checks.senders),
    ("data flow", checks.data_flow),
)


def examine(checkout: Project, terminal: Terminal) -> list[Check]:
    """All rows, with progress on the terminal."""
    with terminal.step("examining the stack") as step:
        rows: list[Check] = []
        for row in _rows(checkout):
            step.note(row.name)
            rows.append(row)
    return rows


def show(rows: list[Check], terminal: Terminal) -> None:
    """The rows as a table, and a closing line."""
    table = plain_table("check", "result", "detail", "next")
    for row in rows:
        table.add_row(row.name, Text(row.status, style=_STYLES[row.status]), row.detail, row.next)
    terminal.table(table)
    failed = sum(row.status == "failed" for row in rows)
    passed = sum(row.status == "ok" for row in rows)
    terminal.say(f"doctor: {passed} ok, {failed} failed, {len(rows) - passed - failed} skipped")


def _rows(checkout: Project) -> Iterator[Check]:
    for name, group in _GROUPS:
        try:
            yield from group(checkout)
        except StackError as error:
            yield checks.unexpected(name, error)
