"""``name=value`` and ``name: value`` inside a text: the values of secret names."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from glasshouse.redaction.ascii import ALNUM
from glasshouse.redaction.edits import Edit
from glasshouse.redaction.keys import SecretNames, in_plain_text, in_query, spares
from glasshouse.redaction.masks import Masks
from glasshouse.redaction.names import normalise
from glasshouse.redaction.policy import KeyRule
from glasshouse.redaction.tokens import has_digit

# How many of a name's last characters count.
LONGEST_NAME: Final = 64
# The word before a name that is written with a space.
LONGEST_FIRST_WORD: Final = 32

_NAME_CHARS: Final = ALNUM | frozenset(b"_.-")
_SEPARATOR: Final = re.compile(rb"[=:]")
_BARE_VALUE: Final = re.compile(rb"[^ \t\r\n\f\v\"'&,;<>\[\]{}\\]+")
_LINE_VALUE: Final = re.compile(rb"[^\r\n\"']*")
_PLACEHOLDER: Final = re.compile(
    rb"(?i:null|none|nil|undefined|true|false|yes|no|empty|n/a|redacted|filtered|masked|hidden)"
    rb"|\*+|[xX]{2,}|\.{2,}|-{2,}|\?|\$[0-9]+|\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]*|%s"
    rb"|%\([A-Za-z_][A-Za-z0-9_]*\)s|:[A-Za-z_][A-Za-z0-9_]*|\{\{[^}]+\}\}|\{[^}]*\}|<[^>]*>"
)


def is_placeholder(value: bytes) -> bool:
    """Return whether a value stands for a secret and is none."""
    return _PLACEHOLDER.fullmatch(value) is not None


class _Value(NamedTuple):
    start: int
    end: int
    quoted: bool
    spaced: bool


def find_pairs(
    names: SecretNames, masks: Masks, text: bytes, hit: Callable[[str], None], *, query: bool
) -> list[Edit]:
    """Return what takes the place of the values of secret names, from left to right.

    With ``query`` the text is the query of a URL.
    """
    edits: list[Edit] = []
    pos = 0
    size = len(text)
    while pos < size:
        found = _SEPARATOR.search(text, pos)
        if found is None:
            break
        at = found.start()
        colon, after = text[at] == 0x3A, at + 1
        follower = text[after : after + 1]
        if not colon and follower == b">":
            after += 1
        elif follower == text[at : at + 1] or (colon and follower == b"="):  # == :: :=
            pos = after + 1
            continue
        pos = after
        rule, single = _secret_name(names, text, at, query=query)
        if rule is None:
            continue
        value = _value(masks, text, after, line=rule.line)
        if value.start >= value.end:
            continue
        pos = value.end
        content = text[value.start : value.end]
        prose = (
            rule.require_digit_in_prose
            and single
            and colon
            and value.spaced
            and not value.quoted
            and not has_digit(content)
        )
        kept = prose or spares(rule, content) or is_placeholder(content)
        if kept or masks.is_inside(text, value.start, value.end):
            continue
        hit(rule.counted_as)
        edits.append(Edit(value.start, value.end, rule.mask))
    return edits


def _name_before(text: bytes, at: int) -> tuple[bytes, int]:
    """Return the name to the left of the separator, and where its whole run begins."""
    i = at
    for _ in range(3):
        if i > 0 and text[i - 1] in b" \t":
            i -= 1
    if i > 0 and text[i - 1] == 0x5D:
        i -= 1
    elif text[max(0, i - 3) : i] in (b"%5D", b"%5d"):
        i -= 3
    if i > 0 and text[i - 1] in b"\"'":
        i -= 1
        for _ in range(3):
            if i > 0 and text[i - 1] == 0x5C:
                i -= 1
    start = i
    # The run may be long, but only its last characters count, and whether one more precedes.
    while start > 0 and text[start - 1] in _NAME_CHARS and i - start <= LONGEST_NAME:
        start -= 1
    if i - start > LONGEST_NAME:
        return text[i - LONGEST_NAME : i], 0
    # An escaped bracket: user%5Bpassword%5D.
    if (
        i - start > 2
        and text[start - 1 : start] == b"%"
        and text[start : start + 2].upper() == b"5B"
    ):
        start += 2
    return text[start:i], start


def _secret_name(
    names: SecretNames, text: bytes, at: int, *, query: bool
) -> tuple[KeyRule | None, bool]:
    """Return the key rule for the name to the left, and whether the name is one word."""
    name, start = _name_before(text, at)
    if not name:
        return None, False
    in_a_query = text[start - 1] in b"?&;#" if start > 0 else query
    normal = normalise(name.decode("ascii"))
    single = "_" not in normal
    first = _word_before(text, start)
    own = 0
    if first and normal:
        before = normalise(first.decode("ascii"))
        own = before.count("_") + 1
        normal = f"{before}_{normal}"
    return names.find(normal, in_query if in_a_query else in_plain_text, own), single


def _word_before(text: bytes, start: int) -> bytes:
    end = start - 1
    if end < 1 or text[end] != 0x20:
        return b""
    i = end
    while i > 0 and text[i - 1] in ALNUM and end - i < LONGEST_FIRST_WORD:
        i -= 1
    return text[i:end]


def _value(masks: Masks, text: bytes, at: int, *, line: bool) -> _Value:
    """Find the value to the right of a separator."""
    size, i = len(text), at
    for _ in range(3):
        if i < size and text[i] in b" \t":
            i += 1
    spaced = i > at
    if i < size and text[i] == 0x5B and masks.end(text, i) < 0:
        i += 1
        for _ in range(3):
            if i < size and text[i] == 0x20:
                i += 1
    slashes = 0
    while slashes < 3 and i + slashes < size and text[i + slashes] == 0x5C:
        slashes += 1
    quote = i + slashes
    if quote < size and text[quote] in b"\"'":
        start = quote + 1
        return _Value(start, _closing_quote(text, start, text[quote], slashes), True, spaced)
    if line:
        found = _LINE_VALUE.match(text, i)
        end = i + len(found.group().rstrip(b" \t")) if found else i
        return _Value(i, end, False, spaced)
    end = i
    while end < size:
        masked = masks.end(text, end)
        if masked >= 0:
            end = masked
            continue
        bare = _BARE_VALUE.match(text, end)
        if bare is None:
            break
        end = bare.end()
    return _Value(i, end, False, spaced)


def _closing_quote(text: bytes, start: int, quote: int, slashes: int) -> int:
    """Return the end of a value that began after a quote with so many backslashes before it."""
    run = 0
    for i in range(start, len(text)):
        c = text[i]
        if c == 0x5C:
            run += 1
            continue
        if c in b"\r\n":
            return i
        if c == quote:
            if slashes == 0 and run % 2 == 0:
                return i
            if slashes > 0 and run <= slashes:
                return i - run
        run = 0
    return len(text)
