"""RE2, which runs every pattern in linear time and means by it what the Collector means."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import re2  # pyright: ignore[reportMissingTypeStubs]  # it has no types

from glasshouse.redaction import budget
from glasshouse.redaction.late import late_property
from glasshouse.redaction.matching import Watched

# Bytes that one pattern's automaton may take: it grows with the texts. With much less the large
# ones of the shipped policy fall back to a slow search.
MEMORY: Final = 8 << 20
# Of one that does not compile within that.
MOST_MEMORY: Final = 64 << 20

_TOO_LARGE: Final = "too large"
_re2: Final[Any] = re2
_ANCHORS: Final[Any] = _re2._Anchor
_UNANCHORED, _AT_START, _WHOLE = (
    _ANCHORS.UNANCHORED,
    _ANCHORS.ANCHOR_START,
    _ANCHORS.ANCHOR_BOTH,
)


class PatternError(ValueError):
    """A pattern does not compile."""


class Match:
    """What was found, and where: as a match of `re`, as far as the engine asks one."""

    __slots__ = ("_spans", "_text")

    def __init__(self, text: bytes, spans: Sequence[tuple[int, int]]) -> None:
        self._text = text
        self._spans = spans

    def start(self, group: int = 0) -> int:
        return self._spans[group][0]

    def end(self, group: int = 0) -> int:
        return self._spans[group][1]

    def span(self, group: int = 0) -> tuple[int, int]:
        return self._spans[group]

    def hit(self) -> tuple[int, int]:
        """Return where the first group stands that took part; the whole match without one."""
        spans = self._spans
        if len(spans) > 1:
            for span in spans[1:]:
                if span[0] >= 0:
                    return span
        return spans[0]

    def groups(self) -> tuple[bytes | None, ...]:
        return tuple(None if at < 0 else self._text[at:end] for at, end in self._spans[1:])

    def __getitem__(self, group: int) -> bytes | None:
        at, end = self._spans[group]
        return None if at < 0 else self._text[at:end]


class Pattern:
    """A compiled pattern. It does without what RE2's own class spends on texts of characters."""

    __slots__ = ("_match", "_regexp", "groupindex", "groups", "pattern")

    def __init__(self, pattern: str | bytes, compiled: Any) -> None:
        self.pattern = pattern
        self.groups: int = compiled.groups
        self.groupindex: dict[str, int] = compiled.groupindex
        self._regexp = Watched(compiled._regexp)
        self._match: Callable[..., Any] = self._regexp.Match

    def search(self, text: bytes, pos: int = 0, endpos: int = sys.maxsize) -> Match | None:
        return self._found(_UNANCHORED, text, pos, endpos)

    def match(self, text: bytes, pos: int = 0, endpos: int = sys.maxsize) -> Match | None:
        return self._found(_AT_START, text, pos, endpos)

    def fullmatch(self, text: bytes, pos: int = 0, endpos: int = sys.maxsize) -> Match | None:
        return self._found(_WHOLE, text, pos, endpos)

    def _found(self, anchor: Any, text: bytes, pos: int, endpos: int) -> Match | None:
        size = len(text)
        end = endpos if endpos < size else size
        if pos > end:
            return None
        spans = self._match(anchor, text, pos, end)
        return None if spans[0][0] < 0 else Match(text, spans)


def compile_pattern(pattern: str, *, captures: bool = True) -> Pattern:
    """Return a compiled pattern; texts are bytes of UTF-8.

    captures: whether it has groups; without, it is smaller, and faster where it matches.

    Raises:
        PatternError: says what is wrong.
    """
    return _compiled(pattern, _re2.Options.Encoding.UTF8, captures=captures)


def compile_presence(pattern: str) -> Callable[[bytes], bool]:
    """Return what says whether a pattern matches anywhere in a text, and not where.

    For the beginning of a match RE2 reads backwards from its end, by an automaton of its own. Where
    that becomes too large it takes its slowest engine for all of the text: milliseconds. A match
    that has to begin with the text needs neither.

    Raises:
        PatternError: says what is wrong.
    """
    match = compile_pattern(rf"\C*?(?:{pattern})", captures=False).match
    return lambda text: match(text) is not None


def compile_bytes(pattern: str) -> Pattern:
    """Return a compiled pattern by which each byte is a character.

    Raises:
        PatternError: says what is wrong.
    """
    return _compiled(pattern.encode(), _re2.Options.Encoding.LATIN1, captures=False)


def _compiled(pattern: str | bytes, encoding: Any, *, captures: bool) -> Pattern:
    options = _re2.Options()
    options.encoding = encoding
    options.never_capture = not captures
    # It would write its complaints to the standard error stream.
    options.log_errors = False
    for memory in (MEMORY, MOST_MEMORY):
        options.max_mem = memory
        try:
            with budget.free():
                return Pattern(pattern, _re2.compile(pattern, options))
        except _re2.error as error:
            text = error.args[0]
            problem = text.decode() if isinstance(text, bytes) else str(text)
            if memory == MOST_MEMORY or _TOO_LARGE not in problem:
                raise PatternError(problem) from None
    raise AssertionError  # the last one returns or raises


class LatePattern:
    """A pattern that is known to be good: it is compiled at its first use."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    @late_property
    def search(self) -> Any:
        return compile_pattern(self.pattern).search

    def prepare(self) -> None:
        _ = self.search


def escaped(text: str) -> str:
    """Return the pattern that matches just this text."""
    return _re2.escape(text)
