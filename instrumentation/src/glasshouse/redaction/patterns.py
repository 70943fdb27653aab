"""RE2, which runs every pattern in linear time and means by it what the Collector means."""

from typing import Any, Final

import re2  # pyright: ignore[reportMissingTypeStubs]  # it has no types

from glasshouse.redaction import budget
from glasshouse.redaction.late import late_property
from glasshouse.redaction.matching import Watched

# Bytes that one pattern's automaton may take. With less the large ones fall back to a slow search.
MEMORY: Final = 64 << 20

_re2: Final[Any] = re2


class PatternError(ValueError):
    """A pattern does not compile."""


def compile_pattern(pattern: str) -> Any:
    """Return a compiled pattern; texts are bytes of UTF-8.

    Raises:
        PatternError: says what is wrong.
    """
    return _compiled(pattern, _re2.Options.Encoding.UTF8)


def _compiled(pattern: str | bytes, encoding: Any) -> Any:
    options = _re2.Options()
    options.encoding = encoding
    # It would write its complaints to the standard error stream.
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        with budget.free():
            compiled = _re2.compile(pattern, options)
        # Compiled before, it is the same object.
        if not isinstance(compiled._regexp, Watched):
            compiled._regexp = Watched(compiled._regexp)
        return compiled
    except _re2.error as error:
        text = error.args[0]
        raise PatternError(text.decode() if isinstance(text, bytes) else text) from None


def compile_bytes(pattern: str) -> Any:
    """Return a compiled pattern by which each byte is a character.

    Raises:
        PatternError: says what is wrong.
    """
    return _compiled(pattern.encode(), _re2.Options.Encoding.LATIN1)


class LatePattern:
    """A pattern that is known to be good: it is compiled at its first use."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    @late_property
    def search(self) -> Any:
        return compile_pattern(self.pattern).search


def escaped(text: str) -> str:
    """Return the pattern that matches just this text."""
    return _re2.escape(text)
