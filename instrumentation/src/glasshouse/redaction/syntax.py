"""Reads the syntax of a pattern: the part of RE2 that means the same to every engine.

What is left out is refused with the same words by the Collector's engine, before a pattern is
compiled. `needs` sees from the tree what a text must hold for the pattern to match.
"""

from dataclasses import dataclass
from typing import Final

MOST_REPEATS: Final = 1000
# The one group that may have a name, see `named`.
NAMED: Final = "(?P<name>"
MOST_NESTING: Final = 100

_ALL: Final = (1 << 128) - 1


def _mask(characters: str) -> int:
    bits = 0
    for c in characters:
        bits |= 1 << ord(c)
    return bits


_DIGITS: Final = _mask("0123456789")
_LOWER: Final = _mask("abcdefghijklmnopqrstuvwxyz")
_UPPER: Final = _mask("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SPACE: Final = _mask(" \t\n\r\f")
_CLASSES: Final = {"d": _DIGITS, "w": _DIGITS | _LOWER | _UPPER | _mask("_"), "s": _SPACE}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_UNICODE: Final = {"L": _LOWER | _UPPER, "M": 0, "N": _DIGITS}
_HINT: Final = "use not_preceded_by and not_followed_by"


class PatternSyntaxError(ValueError):
    """The pattern is written in a way that engines read differently, or not at all."""


@dataclass(frozen=True)
class Chars:
    """One character out of some: of ASCII those in ``ascii``, others where ``wide``."""

    ascii: int
    wide: bool = False
    folded: bool = False
    text: str = ""
    """The character beyond ASCII, if it is only this one."""


@dataclass(frozen=True)
class Sequence:
    items: "tuple[Node, ...]"


@dataclass(frozen=True)
class Choice:
    items: "tuple[Node, ...]"


@dataclass(frozen=True)
class Repeat:
    """``most`` is -1 where there is no bound."""

    item: "Node"
    least: int
    most: int


Node = Chars | Sequence | Choice | Repeat


def parse(pattern: str) -> Node:
    """Return the tree of a pattern.

    Raises:
        PatternSyntaxError: says what, and at which character.
    """
    return _Parser(pattern).whole()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._fold = False
        self._depth = 0

    def whole(self) -> Node:
        node = self._choice()
        if self._at < len(self._pattern):
            raise self._wrong(self._at, "a ) without its (")
        return node

    def _wrong(self, at: int, problem: str) -> PatternSyntaxError:
        return PatternSyntaxError(f"at character {at + 1}: {problem}")

    def _peek(self, text: str) -> bool:
        return self._pattern.startswith(text, self._at)

    def _choice(self) -> Node:
        items = [self._sequence()]
        while self._peek("|"):
            self._at += 1
            items.append(self._sequence())
        return items[0] if len(items) == 1 else Choice(tuple(items))

    def _sequence(self) -> Node:
        items: list[Node] = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            item = self._atom()
            if item is not None:
                items.append(self._repeated(item))
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _atom(self) -> Node | None:
        at, c = self._at, self._pattern[self._at]
        match c:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case "^" | "$":
                raise self._wrong(at, f"{c} is not allowed, {_HINT}")
            case "*" | "+" | "?":
                raise self._wrong(at, f"{c} has nothing to repeat")
            case ".":
                self._at += 1
                return Chars(_ALL & ~_mask("\n"), wide=True)
            case _:
                self._at += 1
                return self._single(c)

    def _single(self, c: str) -> Chars:
        if ord(c) >= 128:
            return Chars(0, wide=True, folded=self._fold, text="" if self._fold else c)
        return Chars(self._folded(1 << ord(c)), folded=self._fold)

    def _folded(self, members: int) -> int:
        if not self._fold:
            return members
        return members | (members & _LOWER) >> 32 | (members & _UPPER) << 32

    def _group(self) -> Node | None:
        start, fold = self._at, self._fold
        self._depth += 1
        if self._depth > MOST_NESTING:
            raise self._wrong(start, f"groups are nested deeper than {MOST_NESTING}")
        if self._peek("(?i)"):
            self._at += 4
            self._fold = True
            self._depth -= 1
            return None
        if self._peek("(?i:"):
            self._at += 4
            self._fold = True
        elif self._peek("(?:"):
            self._at += 3
        elif self._peek(NAMED):
            self._at += len(NAMED)
        elif self._peek("(?"):
            raise self._wrong(start, "a group is (…), (?:…), (?i:…) or (?P<name>…)")
        else:
            self._at += 1
        node = self._choice()
        if not self._peek(")"):
            raise self._wrong(start, "a ( without its )")
        self._at += 1
        self._fold = fold
        self._depth -= 1
        return node

    def _repeated(self, item: Node) -> Node:
        start = self._at
        bounds = self._bounds()
        if bounds is None:
            return item
        if self._peek("?"):
            self._at += 1
        least, most = bounds
        if max(least, most) * _repeats(item) > MOST_REPEATS:
            raise self._wrong(start, f"repeats more than {MOST_REPEATS} times")
        if self._bounds() is not None:
            raise self._wrong(start, "is repeated twice")
        return Repeat(item, least, most)

    def _bounds(self) -> tuple[int, int] | None:
        if self._at >= len(self._pattern):
            return None
        c = self._pattern[self._at]
        if c in "*+?":
            self._at += 1
            return {"*": (0, -1), "+": (1, -1), "?": (0, 1)}[c]
        if c != "{":
            return None
        end = self._pattern.find("}", self._at)
        first, comma, last = self._pattern[self._at + 1 : max(end, 0)].partition(",")
        if not _is_number(first) or (last and not _is_number(last)):
            return None
        start, self._at = self._at, end + 1
        least = int(first)
        most = int(last) if last else -1 if comma else least
        if 0 <= most < least:
            raise self._wrong(start, "repeats fewer times at most than at least")
        return least, most

    def _escape(self) -> Chars:
        members, wide, only = self._escaped()
        if only:
            return self._single(only)
        return Chars(self._folded(members), wide=wide, folded=self._fold)

    def _escaped(self) -> tuple[int, bool, str]:
        """Read ``\\x``; return the characters of ASCII, whether others, or the only one."""
        start = self._at
        c = self._pattern[start + 1 : start + 2]
        self._at += 2
        if c in _CONTROLS:
            return 0, False, _CONTROLS[c]
        if c and ord(c) < 128 and not c.isalnum():
            return 0, False, c
        if c and c.lower() in _CLASSES:
            members = _CLASSES[c.lower()]
            return (members, False, "") if c.islower() else (_ALL & ~members, True, "")
        if c == "x":
            return 0, False, self._hex(start)
        if c in ("p", "P") and self._pattern[self._at : self._at + 3] in ("{L}", "{M}", "{N}"):
            members = _UNICODE[self._pattern[self._at + 1]]
            self._at += 3
            return (members if c == "p" else _ALL & ~members), True, ""
        if c in ("b", "B", "A", "z"):
            raise self._wrong(start, f"\\{c} is not allowed, {_HINT}")
        raise self._wrong(start, f"\\{c} is not known to all engines")

    def _hex(self, start: int) -> str:
        end = self._at + 2
        digits = self._pattern[self._at : end]
        if digits.startswith("{"):
            end = self._pattern.find("}", self._at) + 1
            digits = self._pattern[self._at + 1 : max(end - 1, 0)]
        if not 1 < len(digits) < 7 or any(c not in "0123456789abcdefABCDEF" for c in digits):
            raise self._wrong(start, "\\x needs two hex digits, or up to six in braces")
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise self._wrong(start, "\\x names no character")
        self._at = end
        return chr(code)

    def _class(self) -> Chars:
        start = self._at
        self._at += 1
        negated = self._peek("^")
        self._at += negated
        members, wide, first = 0, False, True
        while first or not self._peek("]"):
            if self._at >= len(self._pattern):
                raise self._wrong(start, "a [ without its ]")
            if self._peek("[:"):
                raise self._wrong(self._at, "[: is not known to all engines")
            more, more_wide = self._member()
            members, wide, first = members | more, wide or more_wide, False
        self._at += 1
        members = self._folded(members)
        if negated:
            return Chars(_ALL & ~members, wide=True, folded=self._fold)
        return Chars(members, wide=wide, folded=self._fold)

    def _member(self) -> tuple[int, bool]:
        """Read one character, escape or range of a class."""
        start = self._at
        low, members, wide = self._class_character()
        if not self._peek("-") or self._pattern[self._at + 1 : self._at + 2] in ("]", ""):
            return (members, wide) if not low else _range(low, low)
        self._at += 1
        high, _, _ = self._class_character()
        if not low or not high or ord(high) < ord(low):
            raise self._wrong(start, "is no range of characters")
        return _range(low, high)

    def _class_character(self) -> tuple[str, int, bool]:
        c = self._pattern[self._at]
        if c == "\\":
            members, wide, only = self._escaped()
            return only, members, wide
        self._at += 1
        return c, 0, False


def _range(low: str, high: str) -> tuple[int, bool]:
    members = 0
    for code in range(ord(low), min(ord(high), 127) + 1):
        members |= 1 << code
    return members, ord(high) > 127


def _repeats(node: Node) -> int:
    """Return the product of the counts in each other, as engines bound it."""
    match node:
        case Chars():
            return 1
        case Repeat(item, least, most):
            return max(least, most, 1) * _repeats(item)
        case Sequence(items) | Choice(items):
            return max(map(_repeats, items), default=1)


def _is_number(text: str) -> bool:
    return 0 < len(text) < 5 and all(c in "0123456789" for c in text)
