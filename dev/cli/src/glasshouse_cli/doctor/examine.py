"""Runs all checks in the order in which a fault explains those after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from glasshouse_cli.console import Terminal, plain_table
from glasshouse_cli.doctor import checks, distributed
from glasshouse_cli.doctor.checks import Check
from glasshouse_cli.doctor.limits import limits
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

_STYLES = {"ok": "green", "failed": "bold red", "skipped": "yellow"}
# Returns the rows of the data flow, None where they are not known.
Flow = Callable[[], Sequence[Check] | None]
_DATA_FLOW = "data flow"
_BEFORE = (("machine", checks.machine), ("ports", checks.port_clashes), ("limits", limits))
_AFTER = (("components", checks.components), ("senders", checks.senders))
_GROUPS = (*_BEFORE, *_AFTER, (_DATA_FLOW, checks.data_flow))
_DISTRIBUTED = (
    *_BEFORE,
    ("containers", distributed.parts),
    *_AFTER,
    (_DATA_FLOW, distributed.data_flow),
)


def examine(checkout: Project, terminal: Terminal, flow: Flow | None = None) -> list[Check]:
    """All rows, with progress on the terminal. flow: whether the data flow is known already."""
    with terminal.step("examining the stack") as step:
        rows: list[Check] = []
        for row in _rows(checkout, flow):
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


def _rows(checkout: Project, flow: Flow | None) -> Iterator[Check]:
    for name, group in _DISTRIBUTED if checkout.is_distributed else _GROUPS:
        if name == _DATA_FLOW and flow is not None and (known := flow()) is not None:
            yield from known
            continue
        try:
            yield from group(checkout)
        except StackError as error:
            yield checks.unexpected(name, error)
