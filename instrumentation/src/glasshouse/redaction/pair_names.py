"""The names of pairs: which word to the left of a separator says that a secret follows."""

import re
from typing import Final, NamedTuple

from glasshouse.redaction.ascii import ALNUM, DIGITS
from glasshouse.redaction.keys import SecretNames, in_plain_text, in_query
from glasshouse.redaction.names import normalise
from glasshouse.redaction.pair_words import ABOUT, NOUNS, TYPES
from glasshouse.redaction.policy import KeyRule

# How many of a name's last characters count.
LONGEST_NAME: Final = 64
# A word before a name that is written with spaces.
LONGEST_WORD: Final = 32
# How far blanks, and what stands between a name and its separator, may reach.
MOST_BLANKS: Final = 64
LOOK_BEHIND: Final = 128

_BLANKS: Final = frozenset(b" \t")
_QUOTES: Final = frozenset(b"\"'`")
_NAME_CHARS: Final = ALNUM | frozenset(b"_.-") | frozenset(range(0x80, 0x100))
_WORD_CHARS: Final = ALNUM | frozenset(range(0x80, 0x100))
# What may stand directly before `=` and belongs to it: ?= += .= !=
_MODIFIERS: Final = frozenset(b"?+.!")
# After a type: var password *string =
_POINTERS: Final = frozenset(b"*&[]")
_RUN: Final = re.compile(rb"[A-Za-z0-9_.\-\x80-\xff]*\Z")


class Name(NamedTuple):
    """A name that says what follows; ``start`` is where its run begins in the text."""

    rule: KeyRule
    text: bytes
    start: int
    single: bool
    # The quote characters around it, if they are doubled, as in a table of comma-separated values.
    doubled: bool = False
    # Something stands between the name and the separator: password for bob:
    apart: bool = False


def skip_blanks_before(text: bytes, at: int) -> int:
    low = max(0, at - MOST_BLANKS)
    while at > low and text[at - 1] in _BLANKS:
        at -= 1
    return at


def run_before(text: bytes, end: int) -> tuple[bytes, int]:
    """Return the name that ends at ``end``, and where its whole run begins."""
    start = end
    # The run may be long, but only its last characters count, and whether one more precedes.
    while start > 0 and text[start - 1] in _NAME_CHARS and end - start <= LONGEST_NAME:
        start -= 1
    if end - start > LONGEST_NAME:
        return text[end - LONGEST_NAME : end], 0
    # An escaped bracket: user%5Bpassword%5D.
    if (
        end - start > 2
        and text[start - 1 : start] == b"%"
        and text[start : start + 2].upper() == b"5B"
    ):
        start += 2
    return text[start:end], start


def _without_brackets(text: bytes, i: int) -> int:
    """Step over what closes a subscript, or over the whole of an empty or numbered one."""
    if i > 0 and text[i - 1] == 0x5D:
        low = i - 1
        while low > 0 and i - low < 8 and text[low - 1] in DIGITS:
            low -= 1
        if low > 1 and text[low - 1] == 0x5B and text[low - 2] in _NAME_CHARS:
            return low - 1
        return i - 1
    if text[max(0, i - 3) : i] in (b"%5D", b"%5d"):
        return i - 3
    return i


def _without_quotes(text: bytes, i: int) -> tuple[int, bool]:
    """Step over the quote that closes a name, and the backslashes before it."""
    if i == 0 or text[i - 1] not in _QUOTES:
        return i, False
    quote = text[i - 1]
    i -= 1
    if i > 1 and text[i - 1] == quote:
        return i - 1, True
    for _ in range(3):
        if i > 0 and text[i - 1] == 0x5C:
            i -= 1
    return i, False


class PairNames:
    """Finds the key rule of the name before a place in a text."""

    def __init__(self, names: SecretNames, keys: tuple[KeyRule, ...]) -> None:
        self._names = names
        # The last words of names of three or more.
        self._long = frozenset(
            name.rpartition("_")[2]
            for rule in keys
            for _, name in rule.entries
            if name.count("_") > 1
        )

    def before(self, text: bytes, at: int, *, query: bool = False) -> Name | None:
        """Return the secret name whose separator stands at ``at``.

        With ``query`` the text is the query of a URL.
        """
        i = at
        if text[at] == 0x3D and i > 0 and text[i - 1] in _MODIFIERS:
            i -= 1
        i = skip_blanks_before(text, i)
        end = _without_brackets(text, i)
        end, doubled = _without_quotes(text, end)
        name, start = run_before(text, end)
        if name:
            found = self.of(text, name, start, query=query)
            if found is not None:
                return found._replace(doubled=doubled)
        return self._apart(text, i, name, start)

    def of(self, text: bytes, name: bytes, start: int, *, query: bool = False) -> Name | None:
        """Return the secret name that ``name`` is, perhaps with the words before it."""
        normal = normalise(name.decode("utf-8", "replace"))
        if not normal:
            return None
        queried = text[start - 1] in b"?&;#" if start > 0 else query
        use = in_query if queried else in_plain_text
        joined, own = normal, 0
        word, begin = _word_before(text, start)
        if word:
            joined, own = _joined(word, joined, own)
        rule = self._names.find(joined, use, own)
        if word and rule is None and normal.rpartition("_")[2] in self._long:
            for _ in range(2):
                word, begin = _word_before(text, begin)
                if not word or rule is not None:
                    break
                joined, own = _joined(word, joined, own)
                rule = self._names.find(joined, use, own)
        return rule and Name(rule, name, start, "_" not in normal)

    def _plain(self, name: bytes, start: int, *, apart: bool) -> Name | None:
        normal = normalise(name.decode("utf-8", "replace"))
        rule = self._names.find(normal, in_plain_text) if normal else None
        return rule and Name(rule, name, start, "_" not in normal, apart=apart)

    def _apart(self, text: bytes, i: int, name: bytes, start: int) -> Name | None:
        """Look further left: password (bob):, password for bob:, var password string =."""
        if i > 0 and text[i - 1] in b")]":
            return self._bracketed(text, i)
        if not name or start < 2:
            return None
        if name.lower() in TYPES and text[start - 1] in b" \t*&]":
            j = start
            while j > 0 and start - j < 4 and text[j - 1] in _POINTERS:
                j -= 1
            k = skip_blanks_before(text, j)
            if k < j:
                found, begin = run_before(text, k)
                return self._plain(found, begin, apart=False) if found else None
            return None
        if name == b"input_value":
            return self._line_before(text, start)
        return self._about(text, i)

    def _bracketed(self, text: bytes, i: int) -> Name | None:
        """Password (bob):, Password [bob]:, password varchar(50) :=."""
        first = b"(" if text[i - 1] == 0x29 else b"["
        opening = text.rfind(first, max(0, i - LOOK_BEHIND), i)
        if opening < 0 or b"\n" in text[opening:i]:
            return None
        end = skip_blanks_before(text, opening)
        found, begin = run_before(text, end)
        if found and end == opening and found.lower() in TYPES:
            end = skip_blanks_before(text, begin)
            if end == begin:
                return None
            found, begin = run_before(text, end)
            return self._plain(found, begin, apart=False) if found else None
        if not found or (first == b"[" and end == opening):
            return None
        return self._plain(found, begin, apart=True)

    def _about(self, text: bytes, i: int) -> Name | None:
        """Password for bob: the word between is whom it is about."""
        low = max(0, i - LOOK_BEHIND)
        window = text[low:i]
        window = window[window.rfind(b"\n") + 1 :]
        low = i - len(window)
        at, length = max((window.rfind(word), len(word)) for word in ABOUT)
        if at < 1:
            return None
        who = window[at + length :]
        for noun in (b"user ", b"account ", b"role "):
            who = who.removeprefix(noun)
        who = who.strip(b"\"'`")
        if not who or b" " in who or b"=" in who or who.lower() in NOUNS:
            return None
        found, begin = run_before(text, low + at)
        return self._plain(found, begin, apart=True) if found else None

    def _line_before(self, text: bytes, start: int) -> Name | None:
        """Pydantic names the field on the line before: password, then … input_value=…"""
        line = text.rfind(b"\n", max(0, start - 4 * LOOK_BEHIND), start)
        if line < 1:
            return None
        begin = text.rfind(b"\n", max(0, line - LOOK_BEHIND), line) + 1
        if begin == 0 and line > LOOK_BEHIND:
            return None
        found, run = run_before(text, line)
        if not found or run != begin:
            return None
        return self._plain(found, run, apart=False)


def _joined(word: bytes, name: str, own: int) -> tuple[str, int]:
    """Put a word before a name; ``own`` is the number of words before the name itself."""
    before = normalise(word.decode("utf-8", "replace"))
    if not before:  # a word of signs
        return name, own
    return f"{before}_{name}", own + before.count("_") + 1


def _word_before(text: bytes, start: int) -> tuple[bytes, int]:
    """Return the word one space before ``start``, and where it begins."""
    end = start - 1
    if end < 1 or text[end] != 0x20:
        return b"", start
    i = end
    while i > 0 and text[i - 1] in _WORD_CHARS and end - i < LONGEST_WORD:
        i -= 1
    return text[i:end], i
