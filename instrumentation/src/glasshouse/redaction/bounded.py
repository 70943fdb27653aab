"""Redaction for a thread that must not wait, an event loop's above all.

What a text costs grows with its length and with what is in it, so a record gets a number of
characters and an amount of processor time; what needs more is cut. The exporters, on threads of
their own, send all of it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar, cast

from glasshouse.event_loops import is_on_loop
from glasshouse.redaction import budget
from glasshouse.redaction.arguments import are_arguments
from glasshouse.redaction.engine import LONGEST_CACHED_KEY
from glasshouse.redaction.json_text import looks_like_json
from glasshouse.redaction.redactor import Redactor

Redacted = TypeVar("Redacted")

CUT: Final = "[cut]"
# The end of what was checked is not shown: something sensitive may have been cut in two there.
MARGIN: Final = 1 << 10
# Names of fields are worth more than a long text before them.
_FREE_NAMES: Final = 256
# What a value costs that is no text.
_EACH: Final = 16
# Processor time for all of a record on an event loop's thread; and for its beginning, once that was
# not enough. Other threads keep nobody but their own request waiting: there, characters suffice.
MOST_S: Final = 0.0025
MOST_AGAIN_S: Final = 0.0005
_BEGINNING: Final = 2 * MARGIN


class BoundedRedactor(Redactor):
    """Treats so many characters in all, then puts a marker in place of the rest."""

    def __init__(self, whole: Redactor, cut: Callable[[], None], characters: int) -> None:
        self.__dict__.update(vars(whole))
        self._left = characters
        self._names = _FREE_NAMES
        self._cut: Callable[[], None] | None = cut
        # Without one a thread hands the interpreter over now and then.
        self._budget = budget.Budget(MOST_S) if is_on_loop() else None
        if self._budget is None:
            budget.begin()

    def name(self, key: str) -> str:
        if self._names and len(key) <= LONGEST_CACHED_KEY:
            self._names -= 1
        elif not self._pays(len(key)):
            return self._marked()
        redacted = self._timed(partial(super().name, key))
        return self._marked() if redacted is None else redacted

    def _value(self, key: str, value: Any, level: int, *, within: bool = False) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            size = len(cast(bytes, value))
            if not self._pays(size):
                return self._marked()
            redacted = self._timed(partial(super()._value, key, value, level))
            return self._marked() if redacted is None else redacted
        if not self._pays(_EACH):
            return self._marked()
        return super()._value(key, value, level, within=within)

    def _arguments(self, items: list[str]) -> list[str]:
        # Read together they cost once more; what stands by itself is no option's value.
        if are_arguments(items) and not self._pays(sum(map(len, items))):
            return [self._marked()]
        redacted = self._timed(partial(super()._arguments, items))
        return [self._marked()] if redacted is None else redacted

    def _string(self, key: str, text: str) -> str:
        if not text:
            return text
        left = self._left
        if self._pays(len(text)):
            redacted = self._timed(partial(super()._string, key, text))
            if redacted is not None:
                return redacted
            left = min(len(text), _BEGINNING)
            self._set_time(MOST_AGAIN_S)
        # A part of a JSON document is none, and names that count there do not count elsewhere.
        if left <= MARGIN or looks_like_json(text.encode("utf-8", "replace")):
            self._set_time(0.0)
            return self._marked()
        beginning = self._timed(partial(super()._string, key, text[:left])) or ""
        self._set_time(0.0)
        return beginning[: max(0, len(beginning) - MARGIN)] + self._marked()

    def _timed(self, redact: Callable[[], Redacted]) -> Redacted | None:
        """Return what is made within the time that is left; ``None`` where that is too little."""
        if self._budget is None:
            return redact()
        if not self._budget.is_spent:
            try:
                with self._budget.spending():
                    return redact()
            except budget.OutOfTimeError:
                pass
        self._left = self._names = 0
        return None

    def _set_time(self, seconds: float) -> None:
        if self._budget is not None:
            self._budget.left = seconds

    def _pays(self, characters: int) -> bool:
        enough = characters <= self._left
        self._left = self._left - characters if enough else 0
        return enough

    def _marked(self) -> str:
        if self._cut is not None:
            self._cut()
            self._cut = None  # once for a record
        return CUT
