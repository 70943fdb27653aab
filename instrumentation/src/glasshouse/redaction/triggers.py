"""Which rules could match a text: a few cheap looks before any pattern runs.

What is asked here follows from each rule's pattern and validator (`needs`), and from the words it
wants near. So what is left out cannot change a result.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from glasshouse.redaction import budget
from glasshouse.redaction.ascii import ALNUM, NOT_DIGITS
from glasshouse.redaction.ids import Blanked
from glasshouse.redaction.keys import KeyInfo
from glasshouse.redaction.late import late_property
from glasshouse.redaction.needs import COUNTED, FOLDS_TO_ASCII, Count, Literal
from glasshouse.redaction.patterns import compile_pattern, compile_presence, escaped
from glasshouse.redaction.policy import Rule
from glasshouse.redaction.vendor_tokens import VendorTokens, may_be_in_id

# Literals this long are looked for all at once, and one by one only if any is there.
_LONG: Final = 3
# So many rules are asked in one search whether any of them matches.
_GROUP: Final = 12
_WORDS_AS_A: Final = bytes(0x41 if c in ALNUM else 0x20 for c in range(256))
# 32 hex digits, such as a trace id, perhaps with a prefix, as in tx_0f…: where no rule finds a
# string of its own in it, none of the shipped policy takes it. A test holds them to that.
_HEX_ID: Final = re.compile(rb"([a-z]{1,4}_)?[0-9a-f]{32}")
_HEX_DIGITS: Final = 32
_LONGEST_HEX_ID: Final = 37
_WORD: Final = COUNTED.index("word")
# Without one of these no pair begins, see `pairs` and `pair_lines`.
PAIR_SIGNS: Final = b" \t\n=:({,"
_PAIR_SIGN: Final = re.compile(b"[" + re.escape(PAIR_SIGNS) + b"]")
# Beyond these a search costs more than to try all rules that a literal stands for.
_MOST_SEARCHES: Final = 4
# The upper bounds of a pattern's repeats; together more than so many make it heavy.
_BOUNDS: Final = re.compile(r"\{[0-9]*,?([0-9]+)\}")
_MOST_REPEATS: Final = 250
# Up to here the longest word is found faster by splitting a text.
_SHORT_TEXT: Final = 64
# Sets of counts, and prefixes of ids, that are remembered.
_MOST_KNOWN: Final = 4096


class Triggers:
    """The rules of a policy as bits, in their order."""

    def __init__(self, rules: Sequence[Rule], tokens: VendorTokens, *, shipped: bool) -> None:
        self._vendor_tokens = tokens
        self._skip_hex_ids = shipped
        self._all = (1 << len(rules)) - 1
        self._suppressed_on_ids = self._only_own = self._pairs = self._tokens = 0
        self._not_in_ids = 0
        for place, rule in enumerate(rules):
            if rule.suppress_on_id_keys:
                self._suppressed_on_ids |= 1 << place
            if rule.only_own_keys:
                self._only_own |= 1 << place
            if rule.not_in_ids:
                self._not_in_ids |= 1 << place
            if rule.builtin == "pairs":
                self._pairs |= 1 << place
            elif rule.builtin:
                self._tokens |= 1 << place
        self._without_pairs = self._all & ~self._pairs
        self._steps = [_Steps(rules, kind, self._all) for kind in COUNTED]
        self._literals = _Literals(rules)
        self._near = _Near(rules)
        self._groups = _groups(rules)
        self._grouped = _all_of(group.bits for group in self._groups)
        self._known: dict[tuple[int, ...], tuple[int, int]] = {}
        # By the prefix of an id: strings that may be in it, and beginnings of tokens.
        self._in_ids: dict[bytes, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {}

    def prepare(self) -> None:
        """Compile what is otherwise compiled at its first use."""
        self._near.prepare()
        for group in self._groups:
            _ = group.matches

    def are_near(self, words: bytes) -> bool:
        """Return whether a name of these words may let a rule count that wants words near."""
        return self._near.kept(b"", words, self._all) & self._near.bits != 0

    def may_be_near(self, rule: Rule, around: bytes) -> bool:
        """Return whether one of a rule's words may be in what stands around a match."""
        return self._near.may_be_in(rule.name, around)

    def of(self, text: bytes, key: KeyInfo, without_ids: Blanked) -> int:
        """Return the bits of the rules that could match ``text`` under ``key``."""
        of_an_id = _HEX_DIGITS <= len(text) <= _LONGEST_HEX_ID
        if of_an_id and self._skip_hex_ids and self._is_hex_id(text):
            return 0
        possible = self._possible(text, self._all)
        blanked = text
        if possible & self._not_in_ids:
            blanked = without_ids.text()
            if blanked is not text:
                possible &= ~self._not_in_ids | self._possible(blanked, self._not_in_ids)
        if key.exempt:
            spared = self._suppressed_on_ids
            if len(text) < key.own_from:
                spared &= ~self._only_own
            possible &= ~spared
        if possible & self._near.bits:
            possible &= self._near.kept(text, key.words, possible)
        if possible & self._pairs and not budget.has_any(_PAIR_SIGN, text):
            possible &= ~self._pairs
        if possible & self._tokens and not self._vendor_tokens.may_match(text):
            possible &= ~self._tokens
        if possible & self._grouped:
            for group in self._groups:
                if possible & group.bits and not group.matches(
                    blanked if group.not_in_ids else text
                ):
                    possible &= ~group.bits
        return possible

    def _is_hex_id(self, text: bytes) -> bool:
        found = _HEX_ID.fullmatch(text)
        if found is None or text[-_HEX_DIGITS:].isdigit():
            return False
        prefix = found[1] or b""
        if prefix not in self._in_ids:
            if len(self._in_ids) >= _MOST_KNOWN:
                self._in_ids = {}
            self._in_ids[prefix] = (
                self._literals.may_be_in_id(prefix),
                self._vendor_tokens.may_be_in_id(prefix),
            )
        literals, tokens = self._in_ids[prefix]
        for literal in literals:
            if text.find(literal) >= 0 and self._literals.are_in(text):
                return False
        # A token begins where a word does, or has a sign in it that is none of the digits.
        for token in tokens:
            end = len(prefix) + len(token)
            if text.find(token, 0, end) >= 0 and self._vendor_tokens.may_match(text):
                return False
        return True

    def _possible(self, text: bytes, among: int) -> int:
        if not text.isascii() and any(c in text for c in FOLDS_TO_ASCII):
            return among
        words = text.translate(_WORDS_AS_A)
        budget.share_after(len(text))
        counts = (
            len(text.translate(None, NOT_DIGITS)),
            text.count(b":"),
            text.count(b"-"),
            text.count(b"."),
            max(map(len, words.split()), default=0)
            if len(text) <= _SHORT_TEXT
            else self._steps[_WORD].reached_by_runs(words),
        )
        budget.share_after(len(text))
        known = self._known.get(counts)
        if known is None:
            possible = self._all
            for steps, count in zip(self._steps, counts, strict=True):
                possible &= steps.kept[bisect_right(steps.least, count)]
            known = (possible, self._literals.of_counts(counts))
            if len(self._known) < _MOST_KNOWN:
                self._known[counts] = known
        possible, counted = known
        possible &= among
        if possible & self._literals.bits & ~counted:
            possible &= self._literals.kept(text, possible, counted)
        return possible


class _Steps:
    """Counts of one kind that rules ask for, and the rules that are left from each on."""

    def __init__(self, rules: Sequence[Rule], kind: str, every: int) -> None:
        wanted: dict[int, int] = {}
        for place, rule in enumerate(rules):
            for count in rule.needs.counts:
                if count.kind == kind:
                    wanted[count.least] = wanted.get(count.least, 0) | 1 << place
            for atom in rule.needs.any_of:
                if isinstance(atom, Count) and atom.kind == kind:
                    wanted.setdefault(atom.least, 0)
        self.least = sorted(wanted)
        self._runs = [b"A" * least for least in self.least]
        kept = every
        self.kept = [every]
        for least in reversed(self.least):
            kept &= ~wanted[least]
            self.kept.append(kept)
        self.kept.reverse()

    def reached_by_runs(self, words: bytes) -> int:
        """Return the most that any rule asks for and a run of ``A`` has."""
        low, high = 0, len(self._runs)
        while low < high:
            middle = (low + high) // 2
            budget.share_after(len(words))
            # `in` raises an error first, to see that this is no number.
            if words.find(self._runs[middle]) >= 0:
                low = middle + 1
            else:
                high = middle
        return self.least[low - 1] if low else 0


class _Literals:
    """The rules of which a text must hold one of some strings, or of some counts."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        strings: dict[Literal, int] = {}
        counts: dict[Count, int] = {}
        for place, rule in enumerate(rules):
            for atom in rule.needs.any_of:
                if isinstance(atom, Literal):
                    strings[atom] = strings.get(atom, 0) | 1 << place
                else:
                    counts[atom] = counts.get(atom, 0) | 1 << place
        self.bits = _all_of([*strings.values(), *counts.values()])
        short = {atom for atom in strings if len(atom.text.encode()) < _LONG and not atom.folded}
        self._short = [(atom.text.encode(), strings.pop(atom)) for atom in short]
        # Whether a text has the first character of any of them.
        firsts = b"".join(sorted(re.escape(literal[:1]) for literal, _ in self._short))
        self._any_short = re.compile(b"[" + firsts + b"]") if firsts else None
        self._counts = [
            (COUNTED.index(atom.kind), atom.least, bits) for atom, bits in counts.items()
        ]
        self._long = _all_of(strings.values())
        self._at_same_place = _at_same_place(strings)
        self._any_long: Any = (
            compile_pattern("|".join(map(_as_pattern, strings))) if strings else None
        )

    def are_in(self, text: bytes) -> bool:
        """Return whether any of the strings is in the text."""
        if any(text.find(literal) >= 0 for literal, _ in self._short):
            return True
        return self._any_long is not None and self._any_long.search(text) is not None

    def of_counts(self, counts: Sequence[int]) -> int:
        """Return the rules of which a text with these counts has one of those they may have."""
        return _all_of(bits for kind, least, bits in self._counts if counts[kind] >= least)

    def kept(self, text: bytes, possible: int, counted: int) -> int:
        """Return all bits but those of the rules of which the text holds nothing."""
        found = ~self.bits | counted
        if self._any_short is not None and budget.has_any(self._any_short, text):
            for literal, bits in self._short:
                budget.share_after(len(text))
                if text.find(literal) >= 0:
                    found |= bits
        if possible & self._long & ~found and self._any_long is not None:
            found |= self._of_long(text)
        return found

    def _of_long(self, text: bytes) -> int:
        """Return the rules of the long strings that are in the text, and perhaps of some more."""
        found, at = 0, 0
        for _ in range(_MOST_SEARCHES):
            match = self._any_long.search(text, at)
            if match is None:
                return found
            # What stands there may not be written as the rule has it.
            found |= self._at_same_place.get(match[0].lower(), self._long)
            at = match.start() + 1
        return self._long

    def may_be_in_id(self, prefix: bytes) -> tuple[bytes, ...]:
        """Return the strings, in lower case, that may be in hex digits behind this prefix."""
        strings = (*(literal.lower() for literal, _ in self._short), *self._at_same_place)
        return tuple(literal for literal in strings if may_be_in_id(literal, prefix))


def _at_same_place(strings: Mapping[Literal, int]) -> dict[bytes, int]:
    """Return, for each string in lower case, the rules of all that can stand where it does."""
    lower: dict[bytes, int] = {}
    for literal, bits in strings.items():
        text = literal.text.encode().lower()
        lower[text] = lower.get(text, 0) | bits
    same = dict(lower)
    for text, bits in lower.items():
        for size in range(1, len(text)):
            if (shorter := text[:size]) in lower:
                same[shorter] |= bits
                same[text] |= lower[shorter]
    return same


class _Near:
    """The rules that count only beside their words. Of these only A to Z fold."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._beside = [
            (1 << place, rule.context_words)
            for place, rule in enumerate(rules)
            if rule.context_words
        ]
        self.bits = _all_of(bit for bit, _ in self._beside)
        self._places = {
            rule.name: 1 << place for place, rule in enumerate(rules) if rule.context_words
        }
        # Those with so many of the words that to ask for any of them says as much.
        most = len({word for _, words in self._beside for word in words}) / 3
        self._many = _all_of(bit for bit, words in self._beside if len(words) > most)

    # Both at the first use: there are very many words.
    @late_property
    def _each(self) -> list[tuple[int, Callable[[bytes], bool]]]:
        return [
            (bit, compile_presence(_standing(words)))
            for bit, words in self._beside
            if bit & ~self._many
        ]

    @late_property
    def _by_name(self) -> dict[str, Callable[[bytes], bool]]:
        each = dict(self._each)
        return {name: each.get(bit, self._any) for name, bit in self._places.items()}

    @late_property
    def _any(self) -> Callable[[bytes], bool]:
        every = dict.fromkeys(word for _, words in self._beside for word in words)
        return compile_presence(_standing(list(every)))

    def prepare(self) -> None:
        _ = self._by_name

    def may_be_in(self, name: str, text: bytes) -> bool:
        """Return whether one of the words of a rule may be in a text."""
        return self._by_name[name](text)

    def kept(self, text: bytes, words: bytes, possible: int) -> int:
        """Return all bits but those of the rules of which no word is there."""
        if words:
            text += b" " + words
        found = 0
        if self._any(text):
            found = self._many
            for bit, is_beside in self._each:
                if bit & possible and is_beside(text):
                    found |= bit
        return found | ~self.bits


def _standing(listed: Sequence[bytes]) -> str:
    """Return a pattern for words where they may begin and end: not within another word.

    One that begins with a capital may begin behind a letter, and any may end before a capital.
    """
    anywhere, begins, capital = list[str](), list[str](), list[str]()
    # In this order those with the same beginning become one.
    for word in map(bytes.decode, sorted(listed)):
        end = "(?:[^a-z]|$)" if word[-1].isascii() and word[-1].isalpha() else ""
        if word[0].isascii() and word[0].isalpha():
            begins.append(f"(?i:{escaped(word)}){end}")
            capital.append(f"{word[0].upper()}(?i:{escaped(word[1:])}){end}")
        else:
            anywhere.append(f"(?i:{escaped(word)}){end}")
    parts = anywhere + capital
    if begins:
        parts.append(f"(?:^|[^A-Za-z])(?:{'|'.join(begins)})")
    return "|".join(parts)


def _as_pattern(literal: Literal) -> str:
    return f"(?i:{escaped(literal.text)})" if literal.folded else escaped(literal.text)


class _Group:
    """Some rules, and one search for whether any of their patterns matches."""

    def __init__(self, rules: Sequence[tuple[int, Any]], *, not_in_ids: bool) -> None:
        self.bits = _all_of(bit for bit, _ in rules)
        self.not_in_ids = not_in_ids
        self._patterns = [pattern for _, pattern in rules]

    @late_property
    def matches(self) -> Callable[[bytes], bool]:
        sources = [f"(?:{one.pattern})" for one in self._patterns if hasattr(one, "pattern")]
        if sources:
            return compile_presence("|".join(sources))
        search = self._patterns[0].search
        return lambda text: search(text) is not None


def _groups(rules: Sequence[Rule]) -> list[_Group]:
    """Put together what is likely to be possible for the same texts.

    A rule that looks again within what it matched is one that often matches in vain, and would
    have all others of its group tried as often. One that is heavy would be compiled twice.
    """
    kinds: dict[tuple[bool, bool, bool], list[tuple[int, Any]]] = {}
    groups: list[_Group] = []
    for place, rule in enumerate(rules):
        if rule.pattern is None or rule.rescan or _is_heavy(rule.pattern):
            continue
        member = (1 << place, rule.pattern)
        if not hasattr(rule.pattern, "pattern"):
            groups.append(_Group([member], not_in_ids=rule.not_in_ids))
        else:
            kind = (rule.not_in_ids, bool(rule.needs.any_of), bool(rule.context_words))
            kinds.setdefault(kind, []).append(member)
    for kind, members in kinds.items():
        groups += [
            _Group(members[start : start + _GROUP], not_in_ids=kind[0])
            for start in range(0, len(members), _GROUP)
        ]
    return groups


def _is_heavy(pattern: Any) -> bool:
    """Return whether a pattern becomes a large program: RE2 writes repeats out."""
    source = getattr(pattern, "pattern", "")
    return sum(int(most) for most in _BOUNDS.findall(source)) > _MOST_REPEATS


def _all_of(bits: Iterable[int]) -> int:
    every = 0
    for each in bits:
        every |= each
    return every
