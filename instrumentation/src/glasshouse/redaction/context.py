"""What stands around a hit: words that say what it is, and words that say it is something else.

A word counts for a hit in the same clause, or where it is the name of the value. Texts are bytes of
UTF-8; the lists of words are the policy's `context`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from glasshouse.redaction.ascii import ALNUM, DIGITS, LOWER, UPPER, are_digits
from glasshouse.redaction.masks import Masks
from glasshouse.redaction.vocabulary import Vocabulary

_LETTERS: Final = LOWER | UPPER
_JOINING: Final = ALNUM | frozenset(b"_.-")
_SEPARATORS: Final = frozenset(b":=")
_BLANKS: Final = frozenset(b" \t")
# What ends a clause, between a word and the hit behind it …
_ENDS: Final = frozenset(b",;|&?}\n\r")
# … and between a hit and the word behind it.
_ENDS_BEHIND: Final = _ENDS | frozenset(b":={/")
_CLOSING: Final = frozenset(b".,;!?)]}\"'\n\r")
# Words between a word and its number that are none of the policy's.
MOST_OTHERS: Final = 4
# Bytes by which a word is looked up.
START: Final = 3
# Bytes of one word, and of what joins it to another: what is longer is cut.
LONGEST_WORD: Final = 32
LONGEST_ASIDE: Final = 24
# Signs between a hit and the word before it.
MOST_BETWEEN: Final = 4
# The least first number of an address directly behind a v: those of versions are smaller.
LEAST_AFTER_V: Final = 32
_ARCHIVES: Final = frozenset(
    b"jar war tar tgz gz bz2 xz zip rpm deb exe msi dll so whl apk dmg pkg nupkg".split()
)
NUMBER_WORDS: Final = frozenset(
    "number numbers no nos nr num nbr nummer numero número numéro n nº n° №".encode().split()
)
# Bytes of a word that begins names of other things, as in nss-plugin:
LONGEST_INITIALS: Final = 3
# In a name they say that the number is of something else: account_number_of_retries, phone_set_at.
ELSEWHERE: Final = frozenset((b"of", b"at", b"in", b"by", b"per", b"since", b"until"))
EQUALS: Final = 0x3D
SLASH: Final = 0x2F
DOT: Final = 0x2E
OPENING: Final = 0x5B
PARENTHESIS: Final = 0x28
NUMBER_SIGN: Final = 0x23
CLOSING_PARENTHESIS: Final = 0x29
# Digits before the point of what is taken for a fraction.
LONGEST_WHOLE: Final = 3
FEWEST_VERSION_PARTS: Final = 3


@dataclass(frozen=True, kw_only=True)
class ContextWords:
    """The words of one rule. ``names_only`` count only as the name of the value."""

    words: tuple[bytes, ...]
    names_only: frozenset[bytes]
    directly: bool
    by_start: Mapping[bytes, tuple[bytes, ...]]
    """The words by their first three bytes."""
    shorts: tuple[bytes, ...]
    """Those that have fewer."""
    firsts: frozenset[bytes]
    """What each of them begins with, to the first blank."""

    @classmethod
    def read(cls, listed: Sequence[bytes], *, directly: bool) -> "ContextWords":
        """Take the words as the policy writes them: one that ends in : or = is only a name."""
        plain = [word for word in listed if word[-1] not in _SEPARATORS]
        names = [word.rstrip(b":= ") for word in listed if word[-1] in _SEPARATORS]
        words = tuple(dict.fromkeys((*plain, *names)))
        return cls.of(words, frozenset(names) - frozenset(plain), directly=directly)

    @classmethod
    def of(
        cls, words: tuple[bytes, ...], names_only: frozenset[bytes], *, directly: bool
    ) -> "ContextWords":
        """Derive the rest from the words."""
        by_start: dict[bytes, list[bytes]] = {}
        for word in words:
            if len(word) >= START:
                by_start.setdefault(word[:START], []).append(word)
        return cls(
            words=words,
            names_only=names_only,
            directly=directly,
            by_start={start: tuple(each) for start, each in by_start.items()},
            shorts=tuple(word for word in words if len(word) < START),
            firsts=frozenset(word.split(b" ", 1)[0] for word in words),
        )

    def found_in(self, folded: bytes) -> Iterator[tuple[int, bytes]]:
        """Find all of the words in a text in which A to Z were folded, with their places."""
        for word in self.shorts:
            at = folded.find(word)
            while at >= 0:
                yield at, word
                at = folded.find(word, at + 1)
        words_at = self.by_start.get
        for at in range(len(folded) - START + 1):
            for word in words_at(folded[at : at + START], ()):
                if folded.startswith(word, at):
                    yield at, word


class _Gap(NamedTuple):
    """What stands between a word and its number: other words, a separator, a word for number."""

    others: int
    separated: bool
    numbered: bool


class Context:
    """Looks around hits with the words of a policy."""

    def __init__(self, vocabulary: Vocabulary, masks: Masks) -> None:
        self._is = vocabulary
        self._masks = masks

    def names(self, rule: ContextWords, key: bytes) -> bool:
        """Return whether a key, its words joined by blanks, has one of the rule's words."""
        if rule.firsts.isdisjoint(key.split()):
            return False
        return any(self._names(rule, key, word) for word in rule.words)

    def _names(self, rule: ContextWords, key: bytes, word: bytes) -> bool:
        framed = b" " + key + b" "
        at = framed.find(b" " + word + b" ")
        while at >= 0:
            rest = framed[at + len(word) + 2 :].split()
            if rule.directly or word in rule.names_only:
                if all(_is_numberish(one) for one in rest):
                    return True
            elif not any(one in self._is.owners or one in ELSEWHERE for one in rest):
                return True
            at = framed.find(b" " + word + b" ", at + 1)
        return False

    def is_near(
        self, rule: ContextWords, text: bytes, low: int, start: int, end: int, high: int
    ) -> bool:
        """Return whether one of the words, within ``low`` and ``high``, is about the hit."""
        if not self._may_have_words(text, start, end):
            return False
        folded = text[low:high].lower()
        hits = [(low + begin, word) for begin, word in rule.found_in(folded)]
        # The one directly before it counts most often, and is the soonest to decide.
        hits.sort(reverse=True)
        for at, word in hits:
            stop = at + len(word)
            if stop <= start and self._counts_before(rule, word, text, at, stop, start):
                return True
        return any(
            at >= end and self._counts_behind(rule, word, text, end, at, at + len(word))
            for at, word in hits
        )

    def _may_have_words(self, text: bytes, start: int, end: int) -> bool:
        """Sort out fractions, versions, dates, numbers with a unit: no word makes them personal."""
        return not (
            _is_fraction(text, start, end)
            or _is_dotted_version(text[start:end])
            or _is_dotted_version(_behind_blank(text[start:end]))
            or _is_compact_date(text[start:end])
            or self.has_unit(text, end)
        )

    def has_unit(self, text: bytes, end: int) -> bool:
        """Return whether one of `units`, or a percent sign, stands directly behind."""
        at = end
        if at < len(text) and text[at] in _BLANKS:
            at += 1
        if text[at : at + 1] == b"%":
            return True
        word = _word_at(text, at)
        return bool(word) and word in self._is.units

    def has_id_word(self, text: bytes, start: int, *, owned: bool) -> bool:
        """Return whether the word, or the last part of the name, directly before a hit owns it."""
        word = self._word_before(text, start)
        return word in self._is.ids or (owned and word in self._is.owners)

    def is_owned(self, text: bytes, start: int, end: int) -> bool:
        """As `has_id_word`, for a hit that is believed in a sentence alone."""
        word = self._word_before(text, start)
        if word in self._is.owners:
            return True
        return are_digits(text[start:end]) and word not in self._is.connecting

    @staticmethod
    def _word_before(text: bytes, start: int) -> bytes:
        return _word_before(text, _behind(text, start, b" \t=:#\"'([-_"))

    def is_version(self, text: bytes, start: int, end: int) -> bool:
        """Return whether four numbers with dots are a version, by what stands around them."""
        before = text[start - 1 : start]
        if before in (b"v", b"V"):
            first = int(text[start:end].partition(b".")[0])
            return first < LEAST_AFTER_V or (start > 1 and text[start - 2] in _JOINING)
        if before == b"~" or _is_archive(text, end):
            return True
        if before == b"/" and _is_product(text, start - 1):
            return text[end : end + 1] != b":"
        return _word_before(text, _behind(text, start, b" \t=:\"'(-_.")) in self._is.versions

    def _counts_before(
        self, rule: ContextWords, word: bytes, text: bytes, begin: int, stop: int, start: int
    ) -> bool:
        if not _begins_word(text, begin) or self._is_mask_name(text, begin):
            return False
        joined = _is_joined(text, begin)
        at, numbered = stop, False
        if word[-1:] != b"#":
            if not _ends_word(text, stop, start):
                return False
            while at < start and text[at] in _JOINING:
                at += 1
            for part in _words(text[stop:at]):
                if part in self._is.owners or part in ELSEWHERE:
                    return False
                if part in NUMBER_WORDS:
                    numbered = True
                elif not part.isdigit():
                    if len(word) <= LONGEST_INITIALS:
                        return False
                    joined = True
        gap = self._gap(text, at, start)
        if gap is None or (gap.others and (rule.directly or joined)):
            return False
        if joined:
            return gap.separated
        if word not in rule.names_only:
            return True
        return not gap.others and (gap.separated or gap.numbered or numbered)

    def _gap(self, text: bytes, at: int, start: int) -> "_Gap | None":
        """Walk from the end of a word to the hit; ``None`` if the word is not about it."""
        others, separated, numbered, bound = 0, False, False, False
        while at < start:
            c = text[at]
            if c in _SEPARATORS:
                if separated or others:
                    return None
                while at < start and text[at] in b":=>":
                    # What follows an equals sign is the value, and no sentence.
                    bound = bound or text[at] == EQUALS
                    at += 1
                separated = True
                continue
            if c in _ENDS or (c == SLASH and at == start - 1):
                return None
            if c == DOT and others and text[at + 1 : at + 2] in (b" ", b"\t"):
                return None
            if c == OPENING and (masked := self._masks.end(text, at)) >= 0:
                others, at = others + 1, masked
                continue
            if c == PARENTHESIS and (aside := _aside(text, at, start)):
                if any(word in self._is.owners for word in _words(text[at:aside])):
                    return None
                at = aside
                continue
            word = _word_at(text, at)
            if not word:
                numbered = numbered or c == NUMBER_SIGN
                at += 1
                continue
            at += len(word)
            if word in self._is.owners:
                return None
            if word in NUMBER_WORDS:
                numbered = True
            elif word not in self._is.connecting:
                others += 1
        if at > start or others > MOST_OTHERS or (bound and others):
            return None
        return _Gap(others=others, separated=separated, numbered=numbered)

    def _counts_behind(
        self, rule: ContextWords, word: bytes, text: bytes, end: int, begin: int, stop: int
    ) -> bool:
        if rule.directly or word in rule.names_only or not _begins_word(text, begin):
            return False
        if self._is_mask_name(text, begin) or not _ends_word(text, stop, len(text)):
            return False
        if begin > end and _is_joined(text, begin):
            return False
        others, linked, at = 0, False, end
        while at < begin:
            c = text[at]
            if c in _ENDS_BEHIND or (c == DOT and text[at + 1] in _BLANKS):
                return False
            if c == OPENING and self._masks.end(text, at) >= 0:
                return False
            part = _word_at(text, at)
            if not part:
                at += 1
                continue
            at += len(part)
            if part in self._is.owners:
                return False
            if part in self._is.linking:
                linked = True
            elif part not in self._is.connecting and not _is_numberish(part):
                others += 1
        if others > MOST_OTHERS:
            return False
        while stop < len(text) and text[stop] in _BLANKS:
            stop += 1
        if stop < len(text) and text[stop] in _SEPARATORS:
            return False
        return linked or stop == len(text) or text[stop] in _CLOSING

    def _is_mask_name(self, text: bytes, at: int) -> bool:
        """What stands beside [phone:…] is no phone number for that; but user[phone]= is a name."""
        if at == 0 or text[at - 1] != OPENING:
            return False
        end = self._masks.end(text, at - 1)
        return end >= 0 and text[end : end + 1] != b"="


def _is_numberish(word: bytes) -> bool:
    return word in NUMBER_WORDS or word.isdigit()


def _begins_word(text: bytes, at: int) -> bool:
    """Return whether a word may begin: behind no letter, or where lower case turns to upper."""
    if at == 0 or text[at] not in _LETTERS:
        return True
    before = text[at - 1]
    return before not in _LETTERS or (before in LOWER and text[at] in UPPER)


def _ends_word(text: bytes, at: int, limit: int) -> bool:
    """Return whether a word may end: before no letter, or where lower case turns to upper."""
    if at >= limit or text[at] not in _LETTERS or text[at - 1] not in _LETTERS:
        return True
    return text[at] in UPPER and text[at - 1] in LOWER


def _is_joined(text: bytes, begin: int) -> bool:
    """Return whether a name has letters or digits before a word, perhaps with _, - or a dot."""
    at = begin
    while at > 0 and begin - at < LONGEST_WORD and text[at - 1] in b"_.-":
        at -= 1
    return at > 0 and text[at - 1] in ALNUM


def _aside(text: bytes, at: int, start: int) -> int:
    """Return the end of words in parentheses, as in ``phone (work): 1``, or 0."""
    end = at + 1
    limit = min(start, end + LONGEST_ASIDE)
    while end < limit and (text[end] in _LETTERS or text[end] in b" -/" or text[end] >= 0x80):
        end += 1
    return end + 1 if end < start and text[end] == CLOSING_PARENTHESIS else 0


def _is_word_byte(c: int) -> bool:
    return c in ALNUM or c >= 0x80


_WORD: Final = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
# Where a word ends within letters.
_CAPITAL: Final = re.compile(rb"[a-z](?=[A-Z])")


def _word_at(text: bytes, at: int) -> bytes:
    """Return the word that begins at ``at``, in lower case: letters, digits, all beyond ASCII."""
    found = _WORD.match(text, at, at + LONGEST_WORD)
    if found is None:
        return b""
    word = found[0]
    capital = _CAPITAL.search(word)
    return word[: capital.end()].lower() if capital else word.lower()


def _word_before(text: bytes, at: int) -> bytes:
    """Return the word that ends at ``at``, in lower case."""
    begin = at
    limit = max(0, at - LONGEST_WORD)
    while begin > limit and _is_word_byte(text[begin - 1]):
        if begin < at and text[begin] in UPPER and text[begin - 1] in LOWER:
            break
        begin -= 1
    return text[begin:at].lower()


def _behind(text: bytes, start: int, between: bytes) -> int:
    """Return the place behind the word before a hit, with up to four of these bytes between."""
    at = start
    while at > 0 and start - at < MOST_BETWEEN and text[at - 1] in between:
        at -= 1
    return at


def _is_archive(text: bytes, end: int) -> bool:
    return text[end : end + 1] == b"." and _word_at(text, end + 1) in _ARCHIVES


def _is_product(text: bytes, slash: int) -> bool:
    """Recognise the name before a slash in a user agent: Name/1.2.3.4."""
    at = slash
    while at > 0 and slash - at < LONGEST_WORD and text[at - 1] in _JOINING:
        at -= 1
    if at == slash or text[at] not in UPPER:
        return False
    return at == 0 or text[at - 1] in b" \t\"'(;"


def _words(text: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(text):
        word = _word_at(text, at)
        if word:
            yield word
        at += len(word) or 1


def _is_fraction(text: bytes, start: int, end: int) -> bool:
    """Recognise 0.1234567, wherever the hit begins or ends in it."""
    if start > 1 and text[start - 1] == DOT and text[start - 2] in DIGITS:
        return True
    hit = text[start:end]
    if are_digits(hit):
        return text[end : end + 1] == b"." and text[end + 1 : end + 2].isdigit()
    whole, dot, part = hit.partition(b".")
    if not dot or not are_digits(whole) or not are_digits(part) or len(whole) > LONGEST_WHOLE:
        return False
    return whole == b"0" or whole[:1] != b"0"


def _is_dotted_version(hit: bytes) -> bool:
    """Recognise 10.0.19045.3803: three numbers or more, one of a single digit (no prefix 1)."""
    groups = hit.split(b".")
    if len(groups) < FEWEST_VERSION_PARTS or not all(map(bytes.isdigit, groups)):
        return False
    return any(len(group) == 1 for group in groups[1:]) or (
        len(groups[0]) == 1 and groups[0] != b"1"
    )


def _behind_blank(hit: bytes) -> bytes:
    """Return what a hit has behind its first blank, up to a dash: amd64 7.88.1-10."""
    return hit.partition(b" ")[2].partition(b"-")[0]


def _is_compact_date(hit: bytes) -> bool:
    """Recognise 20240601, and the same with a time behind it."""
    if len(hit) not in (8, 12, 14) or not are_digits(hit) or hit[:2] not in (b"19", b"20"):
        return False
    return b"01" <= hit[4:6] <= b"12" and b"01" <= hit[6:8] <= b"31"
