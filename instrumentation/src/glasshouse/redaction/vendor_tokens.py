"""Vendors' tokens in a text, by the rows of the policy's table."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, Final, NamedTuple

from glasshouse.redaction import budget
from glasshouse.redaction.ascii import ALNUM, DIGITS, LOWER, UPPER
from glasshouse.redaction.edits import Edit
from glasshouse.redaction.masks import Masks
from glasshouse.redaction.patterns import compile_pattern
from glasshouse.redaction.token_table import Run, TokenRow

# What may stand between a vendor's word and the value, and how many characters of it.
_GAP: Final = re.compile(
    rb"(?P<name>[0-9A-Za-z_.\- \t]{0,24}+)[ \t\r\n\"'`\\\])]{0,3}+(?P<signs>[=:>,|?]{0,4}+)"
    rb"(?P<opening>[ \t\r\n\"'`\\=(\[]{0,8}+)"
)
# The gap as far as a word needs it to be worth a look.
_GAP_START: Final = r"[0-9A-Za-z_.\- \t]{0,24}[ \t\r\n\"'`\\\])]{0,3}[=:>,|?\"'`]"
_KINDS: Final = bytes(
    1 if c in DIGITS else 2 if c in UPPER else 3 if c in LOWER else 4 if c >= 0x80 else 0
    for c in range(256)
)
_BASE64_SIGNS: Final = (b"+", b"/")
_HEX: Final = frozenset(b"0123456789abcdef")
_IN_IDS: Final = DIGITS | frozenset(b"abcdefABCDEF-")
_UUID: Final = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_FULL_STOP: Final = ord(".")
_QUOTES: Final = frozenset(b"\"'`")
_NONE: Final[Sequence[tuple[bytes, TokenRow]]] = ()
# Prefixes and words are filed by so many of their first characters.
_FILED_BY: Final = 2


class _Found(NamedTuple):
    start: int
    end: int
    row: TokenRow


class VendorTokens:
    """Finds the tokens of all rows."""

    def __init__(
        self, rows: Sequence[TokenRow], secret: Sequence[str], not_last: Sequence[str]
    ) -> None:
        self._secret = tuple(word.encode() for word in secret)
        self._not_last = tuple(word.encode() for word in not_last)
        self._prefixes: dict[bytes, list[tuple[bytes, TokenRow]]] = {}
        # Prefixes that stand within their token, by their first character.
        self._marks: dict[bytes, list[tuple[bytes, TokenRow]]] = {}
        self._words: dict[bytes, list[tuple[bytes, TokenRow]]] = {}
        # By whether the token begins with its prefix, and what follows that.
        starts: dict[tuple[bool, str], list[str]] = {}
        words: set[str] = set()
        for row in rows:
            for word in row.words:
                self._words.setdefault(word[:_FILED_BY], []).append((word, row))
                words.add(re.escape(word.decode()))
            if row.words:
                continue
            for prefix in row.prefixes:
                if row.lead is None:
                    self._prefixes.setdefault(prefix[:_FILED_BY], []).append((prefix, row))
                else:
                    self._marks.setdefault(prefix[:1], []).append((prefix, row))
                starts.setdefault((row.lead is None, row.start), []).append(
                    re.escape(prefix.decode())
                )
        forms: dict[bool, list[str]] = {True: [], False: []}
        for (begins, start), each in starts.items():
            forms[begins].append(f"(?:{'|'.join(each)}){start}")
        if words:
            forms[False].append(f"(?i:{'|'.join(sorted(words))}){_GAP_START}")
        alternatives = forms[True] + forms[False]
        # What begins a token, which no letter or digit precedes; and what stands within or beside.
        self.start_patterns = "|".join(forms[True]), "|".join(forms[False])
        self._starts = [prefix for row in rows if not row.words for prefix in row.prefixes]
        self.least = min((row.least for row in rows), default=0)
        # A necessary condition, for all rows at once.
        self._any: Any = compile_pattern("|".join(alternatives)) if alternatives else None

    @property
    def prefixes(self) -> frozenset[bytes]:
        return frozenset(prefix for filed in self._prefixes.values() for prefix, _ in filed)

    def may_be_in_id(self, prefix: bytes) -> tuple[bytes, ...]:
        """Return the beginnings of tokens that may be in hex digits behind this prefix.

        A vendor's word has a sign behind it that no id has.
        """
        return tuple(start for start in self._starts if may_be_in_id(start, prefix))

    def may_match(self, text: bytes) -> bool:
        return (
            len(text) >= self.least and self._any is not None and self._any.search(text) is not None
        )

    def find(
        self, masks: Masks, text: bytes, hit: Callable[[str], None], most: int = sys.maxsize
    ) -> list[Edit]:
        """Return what takes the place of vendors' tokens, from left to right.

        Of more than ``most`` it returns one more at least.
        """
        edits: list[Edit] = []
        begin = pos = 0
        while pos < len(text) and len(edits) <= most:
            candidate = self._any.search(text, pos)
            if candidate is None:
                break
            budget.ask(budget.VALUE)
            at = candidate.start()
            best: _Found | None = None
            for found in self._at(masks, text, at):
                if found.start < begin or masks.is_inside(text, found.start, found.end):
                    continue
                if best is None or (found.end, -found.row.order) > (best.end, -best.row.order):
                    best = found
            if best is None:
                pos = at + 1
                continue
            hit(best.row.mask.decode())
            edits.append(Edit(best.start, best.end, best.row.masked))
            begin = best.end
            pos = max(at + 1, begin)
        return edits

    def _at(self, masks: Masks, text: bytes, at: int) -> Iterator[_Found]:
        """Yield the tokens whose prefix or word stands at a place."""
        prefixes = self._prefixes.get(text[at : at + _FILED_BY], _NONE)
        marks = self._marks.get(text[at : at + 1], _NONE)
        for prefix, row in chain(prefixes, marks):
            if text.startswith(prefix, at):
                found = _at_prefix(row, text, at, at + len(prefix))
                if found is not None:
                    yield found
        filed = self._words.get(text[at : at + _FILED_BY].lower(), _NONE)
        if not filed or not _begins_word(text, at):
            return
        if text[at - 1 : at] == b"[" and masks.end(text, at - 1) >= 0:
            return  # the name of a mask is no vendor's word
        for word, row in filed:
            after = at + len(word)
            if text[at:after].lower() == word and not _ends_in_capital(text, after):
                found = self._beside_word(row, text, after)
                if found is not None:
                    yield found

    def _beside_word(self, row: TokenRow, text: bytes, after: int) -> _Found | None:
        gap = _GAP.match(text, after)
        if gap is None:
            return None
        name = gap["name"]
        if gap["signs"] == b"::":
            return None  # of a name within another
        if not gap["signs"] and not _is_dash_quote(name, text[gap.start("opening") - 1]):
            return None
        at = gap.end()
        for prefix in row.prefixes or (b"",):
            if text.startswith(prefix, at):
                end = _rest(row, text, at + len(prefix))
                if end is not None:
                    named = row.prefixes or self._may_be_named(row, name, text[at:end])
                    return _Found(at, end, row) if named else None
        return None

    def _may_be_named(self, row: TokenRow, name: bytes, token: bytes) -> bool:
        """Return whether what follows the vendor's word can be the name of this token."""
        end = len(name)
        while end and name[end - 1] not in ALNUM:
            end -= 1
        name = name[:end]
        if any(_ends_in_word(name, word) for word in self._not_last):
            return False
        if row.parts > 1 or not _could_be_id(token):
            return True
        low = name.lower()
        return any(word in low for word in self._secret)


def may_be_in_id(literal: bytes, prefix: bytes) -> bool:
    """Return whether a string may be in a text of this prefix and hex digits."""
    return any(
        all(c in _HEX for c in literal[len(prefix) - at :])
        for at in range(len(prefix) + 1)
        if prefix[at:].startswith(literal[: len(prefix) - at])
    )


def _could_be_id(token: bytes) -> bool:
    """Return whether a number, a hash, a trace id or a UUID looks the same."""
    if not all(c in _IN_IDS for c in token):
        return False
    return (
        len(token) % 8 == 0
        or all(c in DIGITS or c == ord("-") for c in token)
        or _UUID.fullmatch(token) is not None
    )


def _rest(row: TokenRow, text: bytes, start: int) -> int | None:
    """Match what follows a prefix; return the end of the token."""
    found = row.rest.match(text, start)
    if found is None:
        return None
    end, last = found.end(), row.last
    if last is not None and not last.is_uuid:
        run = len(found[1])
        while run > last.least and text[end - 1] == _FULL_STOP:  # the end of a sentence
            end, run = end - 1, run - 1
    if not _ends_at(last, text, end):
        return None
    present = set(text[start:end])
    if not all(present & need for need in row.needs):
        return None
    return end if not row.random or _is_random(text[start:end]) else None


def _is_random(text: bytes) -> bool:
    """Words change their case once or twice, what is random does so more often."""
    kinds = text.translate(_KINDS)
    changes = sum(before != after for before, after in pairwise(kinds))
    return changes * 5 >= (len(text) - 1) * 2


def _ends_at(last: Run | None, text: bytes, end: int) -> bool:
    """No letter or digit follows, nor a character that goes on with the token."""
    if end >= len(text):
        return True
    if text[end] in ALNUM:
        return False
    goes_on = last is not None and text[end] in last.alphabet
    return not goes_on or end + 1 >= len(text) or text[end + 1] not in ALNUM


def _at_prefix(row: TokenRow, text: bytes, at: int, after: int) -> _Found | None:
    # Most places fail here, and it is cheap.
    if row.lead is None and at and text[at - 1] in ALNUM:
        return None
    end = _rest(row, text, after)
    if end is None:
        return None
    start = at
    if row.lead is not None:
        length = 0
        while length <= row.lead.most and start and text[start - 1] in row.lead.alphabet:
            start, length = start - 1, length + 1
        if not row.lead.least <= length <= row.lead.most:
            return None
        if start and text[start - 1] in ALNUM:
            return None
    within_base64 = row.both_cases and text[start - 1 : start] in _BASE64_SIGNS
    if within_base64 and all(c in ALNUM for c in text[at:after]):
        return None
    return _Found(after if row.keeps_prefix else start, end, row)


def _begins_word(text: bytes, at: int) -> bool:
    before = text[at - 1] if at else 0
    if before not in UPPER and before not in LOWER:
        return True
    if text[at] not in UPPER:
        return False
    return before in LOWER or (at + 1 < len(text) and text[at + 1] in LOWER)


def _ends_in_capital(text: bytes, end: int) -> bool:
    """Return whether a word ends in the first letter of another one, as in sumOfPayments."""
    return text[end - 1] in UPPER and text[end - 2] in LOWER


def _is_dash_quote(name: bytes, quote: int) -> bool:
    return quote in _QUOTES and name.rstrip(b" \t").endswith(b" -")


def _ends_in_word(name: bytes, word: bytes) -> bool:
    at = len(name) - len(word)
    if at < 0 or name[at:].lower() != word:
        return False
    if at == 0:
        return True
    before = name[at - 1]
    return (before not in UPPER and before not in LOWER) or (name[at] in UPPER and before in LOWER)
