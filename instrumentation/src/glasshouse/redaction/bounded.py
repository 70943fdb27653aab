"""Redaction for a thread that must not wait, such as an event loop's.

What a text costs grows with its length, so a record gets a number of characters; what is longer is
cut. The exporters, on threads of their own, send all of it.
"""

from collections.abc import Callable
from typing import Any, Final, cast

from glasshouse.redaction.engine import LONGEST_CACHED_KEY
from glasshouse.redaction.json_text import looks_like_json
from glasshouse.redaction.redactor import Redactor

CUT: Final = "[cut]"
# The end of what was checked is not shown: something sensitive may have been cut in two there.
MARGIN: Final = 1 << 10
# Names of fields are worth more than a long text before them.
_FREE_NAMES: Final = 256
# What a value costs that is no text.
_EACH: Final = 16


class BoundedRedactor(Redactor):
    """Treats so many characters in all, then puts a marker in place of the rest."""

    def __init__(self, whole: Redactor, cut: Callable[[], None], characters: int) -> None:
        self.__dict__.update(vars(whole))
        self._left = characters
        self._names = _FREE_NAMES
        self._cut: Callable[[], None] | None = cut

    def name(self, key: str) -> str:
        if self._names and len(key) <= LONGEST_CACHED_KEY:
            self._names -= 1
        elif not self._pays(len(key)):
            return self._marked()
        return super().name(key)

    def _value(self, key: str, value: Any, level: int, *, within: bool = False) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            size = len(cast(bytes, value))
            return (
                super()._value(key, value, level, within=within)
                if self._pays(size)
                else self._marked()
            )
        return (
            super()._value(key, value, level, within=within)
            if self._pays(_EACH)
            else self._marked()
        )

    def _string(self, key: str, text: str) -> str:
        left = self._left
        if self._pays(len(text)):
            return super()._string(key, text)
        # A part of a JSON document is none, and names that count there do not count elsewhere.
        if left <= MARGIN or looks_like_json(text.encode("utf-8", "replace")):
            return self._marked()
        redacted = super()._string(key, text[:left])
        return redacted[: max(0, len(redacted) - MARGIN)] + self._marked()

    def _pays(self, characters: int) -> bool:
        enough = characters <= self._left
        self._left = self._left - characters if enough else 0
        return enough

    def _marked(self) -> str:
        if self._cut is not None:
            self._cut()
            self._cut = None  # once for a record
        return CUT
