"""Pairs of a name and a value inside a text: the values of secret names.

The name is read in ``pair_names``, the value in ``pair_values``; ``pair_prose`` says what is no
value, ``pair_lines`` finds pairs without a sign between.
"""

import re
import sys
from collections.abc import Callable, Iterable
from typing import Final

from glasshouse.redaction import budget
from glasshouse.redaction.edits import Edit
from glasshouse.redaction.keys import SecretNames, spares
from glasshouse.redaction.late import late_property
from glasshouse.redaction.masks import Masks
from glasshouse.redaction.names import normalise
from glasshouse.redaction.pair_lines import in_command, in_line
from glasshouse.redaction.pair_names import Name, PairNames, run_before, skip_blanks_before
from glasshouse.redaction.pair_prose import is_apart, is_prose, looks_secret
from glasshouse.redaction.pair_values import Values, skip_blanks
from glasshouse.redaction.pair_words import GIVING, NAMED, READING
from glasshouse.redaction.patterns import compile_presence
from glasshouse.redaction.placeholders import is_placeholder
from glasshouse.redaction.policy import KeyRule
from glasshouse.redaction.tokens import has_digit

# Each way begins with its character: `re` then leaves the others out without a trial, and runs over
# all that begins none at once.
_ANCHOR: Final = re.compile(
    rb"=|:|\n"
    rb"|\((?=[bBrRfFuU]{0,2}[\"'`])(?<=[A-Za-z0-9_]\()"
    rb"|\{(?=[bBrRfFuU]{0,2}[\"'`])(?<=[A-Za-z0-9_]\{)"
    rb"|,(?=[ ]{0,3}(?:<<|[bBrRfFuU]{0,2})[\"'`])(?<=[A-Za-z0-9_\"'`],)"
    rb"|\"(?<=[A-Za-z0-9_.\-\x80-\xff\"'`] \")"
    rb"|'(?<=[A-Za-z0-9_.\-\x80-\xff\"'`] ')"
    rb"|-(?=>? )(?<= -)|-(?= )(?<=<-)"
    rb"| (?=(?:was|to) )"
    rb"| (?=[^ ])(?<=(?:[oO][rR][dD]|[sS][wW][dD]|[oO][dD][eE]|[aA][sS][eE]) )"
    rb"|PASS |AUTH "
)
_OPERATOR: Final = re.compile(rb"===?|=>|=|:{1,3}=|::|:")
_ASSIGNED: Final = frozenset((b":=", b"::=", b":::="))
# What a sentence says of a value, and the word before its name.
_SAID: Final = re.compile(
    rb" (?:(was|to) )?[\"']?([^ \t\r\n\"',;:=(){}\[\]<>/]+)(?:[ \t\r\n\"',;)]|\Z)"
)
_VERBS: Final = (b" set", b" reset", b" changed")
_LEADING: Final = re.compile(
    rb"(?:\A|[^a-z])(?:with|using|use|and|by|via|set|new|default|the"
    rb"|changed?|changing|reset|updated?) \Z"
)
LONGEST_LEAD: Final = 16
_COMPARED: Final = frozenset((b"==", b"===", b"!="))
_QUOTES: Final = b"\"'`"
# What a secret follows without its name.
_COMMANDS: Final = ("pass", "auth")
QUERY_SIGNS: Final = b"?&;#"
_QUERY: Final = re.compile(b"[" + re.escape(QUERY_SIGNS) + b"]")
LONGEST_QUOTED: Final = 128
SHORT_WORD: Final = 4
# What may stand between the words of a name; of ASCII alone, which is a smaller program.
_SIGNS: Final = "[\\x00-/:-@\\[-`{-\\x7f]*"


# One search holds the interpreter: it reads so much of a text, and again at what it ended in.
_STRETCH: Final = 8 << 10
_AHEAD: Final = 16
# As many candidates take as long.
_STRETCH_COUNTS: Final = 2
# And a name that is read costs as much as these.
_NAME_COUNTS: Final = 2


def _next_anchor(text: bytes, pos: int) -> re.Match[bytes] | None:
    while pos + _STRETCH < len(text):
        found = _ANCHOR.search(text, pos, pos + _STRETCH)
        if found is not None and found.end() + _AHEAD < pos + _STRETCH:
            return found
        budget.ask(_STRETCH_COUNTS)
        budget.share()
        pos += _STRETCH - 2 * _AHEAD
    return _ANCHOR.search(text, pos)


# Replaces a value, unless it stands for one, and returns its end.
Take = Callable[[Name, int, int], int]


class Pairs:
    """Finds pairs by the names that a policy calls secret."""

    def __init__(self, names: SecretNames, keys: tuple[KeyRule, ...], masks: Masks) -> None:
        self._names = PairNames(names, keys)
        self._masks = masks
        self._keys = keys

    # Both at the first use: it takes a while.
    @late_property
    def _anywhere(self) -> Callable[[bytes], bool]:
        return compile_presence(self.names_pattern)

    @late_property
    def _queried(self) -> Callable[[bytes], bool] | None:
        pattern = self.query_pattern
        return None if pattern is None else compile_presence(pattern)

    @property
    def names_pattern(self) -> str:
        """What matches in each text of ASCII that has the name of a pair."""
        entries = [entry for rule in self._keys if rule.in_text for entry in rule.entries]
        return _any_of([*(("exact", name) for name in _COMMANDS), *entries])

    @property
    def query_pattern(self) -> str | None:
        """The same for names that count in the query of a URL alone."""
        entries = [entry for rule in self._keys if rule.query for entry in rule.entries]
        return _any_of(entries) if entries else None

    def prepare(self) -> None:
        """Compile what is otherwise compiled at its first use."""
        _ = self._anywhere, self._queried

    def may_be_in(self, text: bytes, *, query: bool = False) -> bool:
        """Return whether a word is in the text that any name of a pair must hold."""
        if not text.isascii() or self._anywhere(text):
            return True
        if self._queried is None or not (query or budget.has_any(_QUERY, text)):
            return False
        return self._queried(text)

    def find(
        self,
        text: bytes,
        hit: Callable[[str], None],
        *,
        query: bool = False,
        most: int = sys.maxsize,
    ) -> list[Edit]:
        """Return what takes the place of the values of secret names, from left to right.

        With ``query`` the text is the query of a URL. Of more than ``most`` it returns one more at
        least.
        """
        edits: list[Edit] = []
        values = Values(self._masks)

        def take(name: Name, start: int, end: int) -> int:
            content = text[start:end]
            budget.share_after(len(content))
            if (
                start < end
                and not self._masks.is_inside(text, start, end)
                and not is_placeholder(content)
                and not spares(name.rule, content)
            ):
                hit(name.rule.counted_as)
                edits.append(Edit(start, end, name.rule.mask))
            return end

        pos = self._line(text, 0, take)
        while pos < len(text) and len(edits) <= most:
            found = _next_anchor(text, pos)
            if found is None:
                break
            budget.ask()
            at, pos = found.start(), found.end()
            match text[at]:
                case 0x0A:
                    pos = self._line(text, pos, take)
                case 0x3D | 0x3A:
                    pos = self._separated(values, text, at, take, query=query)
                case 0x28 | 0x7B:
                    pos = self._called(values, text, at, take)
                case 0x2C:
                    pos = self._argument(values, text, at, take)
                case 0x22 | 0x27:
                    pos = self._quoted(text, at, take)
                case 0x20:
                    pos = self._spoken(text, at, take)
                case 0x2D:
                    pos = self._dashed(values, text, at, take)
                case _:
                    pos = self._command(text, at, take)
        return edits

    def _line(self, text: bytes, at: int, take: Take) -> int:
        cell = in_line(self._names, text, at)
        return at if cell is None else take(*cell)

    def _command(self, text: bytes, at: int, take: Take) -> int:
        place = in_command(text, at)
        name = self._names.of(text, b"password", 0) if place else None
        return at + 5 if place is None or name is None else take(name, *place)

    def _separated(self, values: Values, text: bytes, at: int, take: Take, *, query: bool) -> int:
        """name = value, name: value, name := "value", name => value."""
        found = _OPERATOR.match(text, at)
        operator = found.group() if found else b""
        after = at + len(operator)
        if operator == b"::" or (operator == b":" and text[after : after + 2] == b"//"):
            return after
        budget.ask(_NAME_COUNTS)
        name = self._names.before(text, at, query=query)
        if name is None:
            return after
        value = values.after(text, after, name, operator)
        if value.start >= value.end:
            return max(value.end, after)
        if text[at - 1 : after] == b"!=":
            operator = b"!="
        content = text[value.start : value.end]
        sure = value.quoted or has_digit(content)
        if operator in _COMPARED:
            if not value.quoted and not looks_secret(content):
                return value.end
        elif (
            len(operator) > 1
            and operator != b"=>"
            and name.rule.require_digit_in_prose
            and not sure
        ):
            return value.end
        if name.apart and not is_apart(text, value, content):
            return value.end
        if is_prose(text, name, operator, value):
            return value.end
        return take(name, value.start, value.end)

    def _called(self, values: Values, text: bytes, at: int, take: Take) -> int:
        """setPassword("value"), .withApiKey('value')."""
        function, start = run_before(text, at)
        name = self._names.of(text, function, max(start, 0)) if function else None
        if name is None or name.rule.line:
            return at + 1
        first = _first_word(function)
        if first in READING:
            return at + 1
        value = values.at(text, at + 1, name)
        content = text[value.start : value.end]
        if not value.quoted or b" " in content:
            return at + 1
        if first not in GIVING and name.rule.require_digit_in_prose and not looks_secret(content):
            return at + 1
        return take(name, value.start, value.end)

    def _argument(self, values: Values, text: bytes, at: int, take: Take) -> int:
        """setProperty("name", "value"), -define(name, "value"), {name, <<"value">>}."""
        quoted = text[at - 1] in _QUOTES
        given = True
        key, start = run_before(text, at - quoted)
        opening = start - 1 - quoted
        if not key or opening < 0 or (quoted and text[start - 1] != text[at - 1]):
            return at + 1
        if text[opening] == 0x28:
            function, _ = run_before(text, opening)
            words = _normal(function).split(b"_")
            given = words[0] in GIVING or words[-1] in GIVING
            if words[0] in READING and not given:
                return at + 1
        elif quoted or text[opening] != 0x7B:
            return at + 1
        name = self._names.of(text, key, start)
        if name is None:
            return at + 1
        value = values.at(text, skip_blanks(text, at + 1), name)
        if not value.quoted or not (given or looks_secret(text[value.start : value.end])):
            return at + 1
        return take(name, value.start, value.end)

    def _quoted(self, text: bytes, at: int, take: Take) -> int:
        """password "value": the name, a space, and a literal without one."""
        end = at - 1
        if end > 0 and text[end - 1] in _QUOTES:
            end -= 1
        word, start = run_before(text, end)
        name = self._names.of(text, word, start) if word else None
        if name is None or name.rule.line or _normal(word) in NAMED:
            return at + 1
        close = text.find(text[at : at + 1], at + 1, at + LONGEST_QUOTED)
        if close < 0:
            return at + 1
        content = text[at + 1 : close]
        if any(c in b" \t\r\n,;(){}" for c in content):
            return at + 1
        if name.rule.require_digit_in_prose and not looks_secret(content):
            return at + 1
        return take(name, at + 1, close)

    def _spoken(self, text: bytes, at: int, take: Take) -> int:
        """Changed password to x, password was x, with password x: in a sentence."""
        found = _SAID.match(text, at, at + LONGEST_QUOTED)
        if found is None or found.end() == at + LONGEST_QUOTED < len(text):
            return at + 1
        said, value = found[1], found[2]
        end = at
        for verb in _VERBS if said == b"to" else ():
            if text[max(0, at - len(verb)) : at] == verb:
                end = at - len(verb)
        word, start = run_before(text, end)
        name = self._names.of(text, word, start) if word else None
        if name is None or name.rule.line or _normal(word) in NAMED or not looks_secret(value):
            return at + 1
        led = _LEADING.search(text[max(0, start - LONGEST_LEAD) : start].lower()) is not None
        if said is None and (name.rule.require_digit_in_prose or not led):
            return at + 1
        if said == b"to" and end == at and not led:
            return at + 1
        return take(name, found.start(2), found.end(2))

    def _dashed(self, values: Values, text: bytes, at: int, take: Take) -> int:
        """password - "value", password -> value."""
        after = at + (2 if text[at + 1] == 0x3E else 1)
        word, start = run_before(text, skip_blanks_before(text, at - (text[at - 1] == 0x3C)))
        name = self._names.of(text, word, start) if word else None
        if name is None:
            return after
        value = values.at(text, skip_blanks(text, after), name)
        content = text[value.start : value.end]
        if not (value.quoted and b" " not in content) and not looks_secret(content):
            return after
        if name.rule.require_digit_in_prose and not looks_secret(content):
            return after
        return take(name, value.start, value.end)


def _any_of(entries: Iterable[tuple[str, str]]) -> str:
    """Return the pattern of what finds any spelling of the entries in ASCII, and little else."""
    begun, glued = set[tuple[str, str]](), set[str]()
    for place, name in entries:
        if not name.isascii():
            continue
        body = _SIGNS.join(name.split("_"))
        if place == "glued":
            glued.add(body)
            continue
        # A short word alone ends there, but for a plural.
        end = "(?:e?s)?(?-i:[^a-z]|$)" if len(name) <= SHORT_WORD else ""
        begun.add((body, end))
    whole = {body for body, end in begun if not end}
    ways: dict[str, list[str]] = {}
    for body, end in sorted(begun):
        # What begins with a name is found by that.
        if not any(body[:size] in whole for size in range(1, len(body))):
            ways.setdefault(body[0], []).append(body[1:] + end)
    # A name begins a word, or has a capital there.
    found = [
        f"(?:(?:^|[^A-Za-z]){first}|{first.upper()})(?i:{'|'.join(rest)})"
        for first, rest in ways.items()
    ]
    if glued:
        found.append("(?i:" + "|".join(sorted(glued)) + ")")
    return "|".join(found)


def _normal(name: bytes) -> bytes:
    return normalise(name.decode("utf-8", "replace")).encode()


def _first_word(name: bytes) -> bytes:
    """setPassword → set, builder.withApiKey → with."""
    return _normal(name.rpartition(b".")[2]).partition(b"_")[0]
