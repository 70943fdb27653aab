"""What `needs` derives of the patterns that come with the package, kept in a file beside them.

To derive it took two fifths of what reading the policy costs at each start. A pattern that is not
in the file is derived as ever: it only takes longer.
"""

import json
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, cast

from glasshouse.redaction.needs import Count, Literal, Needs

FILE: Final = "needs.json"


class KnownNeeds:
    """By pattern and validator, what a text must hold and the fewest characters of a match."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self._rows = rows

    @classmethod
    def shipped(cls) -> "KnownNeeds":
        """Read the file of this package. Without one nothing is known."""
        try:
            text = (files("glasshouse.redaction") / FILE).read_text(encoding="utf-8")
            rows: Any = json.loads(text)
        except (OSError, ValueError):
            rows = None
        return cls(cast("dict[str, Any]", rows) if isinstance(rows, dict) else {})

    def of(self, pattern: str, validator: str) -> tuple[Needs, int] | None:
        """Return what `derive` returns; ``None`` where the file does not have it."""
        row = self._rows.get(digest(pattern, validator))
        if row is None:
            return None
        needs = Needs(
            counts=tuple(Count(kind, least) for kind, least in row["counts"]),
            any_of=tuple(
                Count(first, second) if kind == "count" else Literal(first, folded=second)
                for kind, first, second in row["any_of"]
            ),
        )
        return needs, row["least"]


def digest(pattern: str, validator: str) -> str:
    """Return the name of a pattern's row."""
    return sha256(f"{validator}\0{pattern}".encode()).hexdigest()[:32]


def row(needs: Needs, least: int) -> dict[str, Any]:
    """Return what the file has of one pattern."""
    return {
        "least": least,
        "counts": [[one.kind, one.least] for one in needs.counts],
        "any_of": [
            ["count", one.kind, one.least]
            if isinstance(one, Count)
            else ["literal", one.text, one.folded]
            for one in needs.any_of
        ],
    }
