"""The settings as rows of a Markdown table, made from their descriptions and defaults."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo

from backend.platform.settings import PROCESSES

HEADER: Final = "| variable | read by | meaning | default |\n| --- | --- | --- | --- |\n"
_ROW: Final = re.compile(r"^\| `(?P<variable>[A-Z_]+)` \| (?P<readers>[a-z, ]+) \| .+ \|\n", re.M)
_ROWS: Final = re.compile(r"(\|.*\n)*")


class TableError(ValueError):
    """A document has no table of settings."""


def table() -> str:
    """Return the whole table, for the processes of the backend alone."""
    return HEADER + "".join(_rows({}))


def write(document: Path) -> None:
    """Put the rows into the table of a document. Raises OSError or TableError."""
    document.write_text(updated(document.read_text(encoding="utf-8")), encoding="utf-8")


def updated(text: str) -> str:
    """Return a document with the rows of the backend made anew.

    Rows of variables that only others read stay as they are, after those of the backend; so do
    other readers of a variable.

    Raises:
        TableError: there is no table to put them into.
    """
    before, header, rest = text.partition(HEADER)
    if not header:
        raise TableError(f"no table of settings: it begins with {HEADER.splitlines()[0]}")
    end = _ROWS.match(rest)
    old = end[0] if end else ""
    others: dict[str, list[str]] = {}
    foreign: list[str] = []
    for row in _ROW.finditer(old):
        readers = row["readers"].split(", ")
        others[row["variable"]] = [reader for reader in readers if reader not in PROCESSES]
        if others[row["variable"]] == readers:
            foreign.append(row[0])
    return before + header + "".join((*_rows(others), *foreign)) + rest[len(old) :]


def _rows(others: dict[str, list[str]]) -> Iterable[str]:
    # What all commands read comes first.
    fields = {
        name: field
        for process in sorted(PROCESSES.values(), key=lambda one: len(one.model_fields))
        for name, field in process.model_fields.items()
    }
    for name, field in fields.items():
        readers = [one for one, settings in PROCESSES.items() if name in settings.model_fields]
        variable = name.upper()
        cells = (
            f"`{variable}`",
            ", ".join(readers + others.get(variable, [])),
            str(field.description),
            _default(field),
        )
        yield f"| {' | '.join(cells)} |\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default in (None, "", False):
        return "off"
    return "true" if field.default is True else str(field.default)
