"""The statements of ``queries.sql``, by name."""

import re
from functools import cache
from importlib import resources
from typing import Any, Final, LiteralString, cast

_HEADING: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def _statements() -> dict[str, str]:
    text = resources.files("backend.platform").joinpath("queries.sql").read_text(encoding="utf-8")
    _, *parts = _HEADING.split(text)
    return {name: _bare(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _bare(body: str) -> str:
    # A span is named after a statement's first word, which a comment would be.
    return "\n".join(line for line in body.strip().splitlines() if not line.startswith("--"))


def query(name: str) -> LiteralString:
    """Return the statement called ``name``. Raises KeyError if there is none."""
    # Ours, from the package; nothing from outside is ever put into it.
    return cast(LiteralString, _statements()[name])


def require(row: dict[str, Any] | None, record: str) -> dict[str, Any]:
    """Return the row of a record that must be there. Raises LookupError."""
    if row is None:
        raise LookupError(f"the {record}'s row is gone")
    return row
