"""Matches that may reach over all of a text, such as a string of JSON to its closing quote."""

import re
from typing import Any, Final

from glasshouse.redaction import budget
from glasshouse.redaction.late import late_property
from glasshouse.redaction.patterns import compile_bytes

# So much `re` reads in one go. It is faster, but keeps the interpreter from others.
_SHORT: Final = 8 << 10


class LongMatch:
    """A pattern that ends with a certain character, and decides at each one where it goes on.

    So what it matches in the beginning of a text, it matches in all of the text. It has no groups,
    but for what both `re` and RE2 mean the same by: bytes, not characters.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._short = re.compile(pattern.encode())

    @late_property
    def _long(self) -> Any:
        return compile_bytes(self._pattern)

    def prepare(self) -> None:
        _ = self._long

    def match(self, text: bytes, at: int) -> Any:
        """Return the match that begins at ``at``, or ``None``."""
        if len(text) - at <= _SHORT:
            return self._short.match(text, at)
        found = self._short.match(text, at, at + _SHORT)
        if found is None:
            budget.share()
            found = self._long.match(text, at)
        return found
