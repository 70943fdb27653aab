"""Which rules could match a text: a few cheap looks before any pattern runs.

A rule's triggers, and the words it wants near, are necessary conditions. So what is left out here
cannot change a result.
"""

import re
from typing import Any, Final

from glasshouse.redaction.ascii import NOT_DIGITS
from glasshouse.redaction.keys import KeyInfo
from glasshouse.redaction.patterns import compile_pattern
from glasshouse.redaction.policy import Rule

# Literals this long are looked for all at once, and one by one only if any is there.
_LONG: Final = 3
# 32 hex digits, such as a trace id, perhaps with a prefix, as in tx_0f…: no rule takes a part of a
# word, none takes all of these, and a prefix that begins a token is looked for. So it is with the
# rules of the shipped policy.
_HEX_ID: Final = re.compile(rb"([a-z]{1,4}_)?[0-9a-f]{32}")
_LONGEST_HEX_ID: Final = 37
_WORD: Final = re.compile(rb"[0-9A-Za-z]+")
_SIGNS: Final = {"colons": b":", "dashes": b"-", "dots": b"."}


# Sets of rules that were wanted together. Each costs a compiled pattern.
MOST_UNIONS: Final = 256


class _Union:
    """Several patterns as one. A pattern that RE2 does not run is asked by itself."""

    def __init__(self, rules: list[Rule]) -> None:
        sources = [rule.pattern.pattern for rule in rules if hasattr(rule.pattern, "pattern")]
        self._alone = [rule.pattern for rule in rules if not hasattr(rule.pattern, "pattern")]
        self._all = compile_pattern("|".join(f"(?:{one})" for one in sources)) if sources else None

    def matches(self, text: bytes) -> bool:
        if self._all is not None and self._all.search(text) is not None:
            return True
        return any(pattern.search(text) is not None for pattern in self._alone)


class Triggers:
    """The rules of a policy as bits, in their order."""

    def __init__(self, rules: tuple[Rule, ...], *, shipped: bool) -> None:
        self._skip_hex_ids = shipped
        short: dict[bytes, int] = {}
        long: dict[bytes, int] = {}
        counts: dict[tuple[str, int], int] = {}
        self._suppressed_on_ids = self._pairs = 0
        self._near: list[tuple[int, Any]] = []
        for place, rule in enumerate(rules):
            bit = 1 << place
            for literal in rule.literals:
                target = short if len(literal) < _LONG else long
                target[literal] = target.get(literal, 0) | bit
            for count in rule.counts:
                counts[count] = counts.get(count, 0) | bit
            if rule.suppress_on_id_keys:
                self._suppressed_on_ids |= bit
            if rule.pattern is None:
                self._pairs |= bit
            if rule.context_words:
                self._near.append((bit, rule.any_context_word))
        self._short = tuple(short.items())
        self._long = tuple(long.items())
        self._prefixes = frozenset(text for text in (*short, *long) if text.endswith(b"_"))
        self._any_long = compile_pattern("|".join(re.escape(text.decode()) for text in long))
        long_bits = 0
        for bits in long.values():
            long_bits |= bits
        self._rules = rules
        self._unions: dict[int, Any] = {}
        self._long_bits = long_bits
        by_kind: dict[str, list[tuple[int, int]]] = {}
        for (kind, least), bits in counts.items():
            by_kind.setdefault(kind, []).append((least, bits))
        self._digits = tuple(by_kind.pop("digits", ()))
        self._words = tuple(by_kind.pop("word", ()))
        self._signs = tuple((_SIGNS[kind], tuple(each)) for kind, each in by_kind.items())
        self._fewest_digits = min((least for least, _ in self._digits), default=0)
        self._shortest_word = min((least for least, _ in self._words), default=0)

    def of(self, text: bytes, key: KeyInfo) -> int:
        """Return the bits of the rules that could match ``text`` under ``key``."""
        wanted = self._pairs if b"=" in text or b":" in text else 0
        size = len(text)
        if self._skip_hex_ids and 32 <= size <= _LONGEST_HEX_ID and not text[-32:].isdigit():
            found = _HEX_ID.fullmatch(text)
            if found and found[1] not in self._prefixes:
                return 0
        for literal, bits in self._short:
            if literal in text:
                wanted |= bits
        if self._any_long.search(text) is not None and self._may_match(self._long_bits, text):
            for literal, bits in self._long:
                if literal in text:
                    wanted |= bits
        for sign, each in self._signs:
            if sign in text:
                count = text.count(sign)
                for least, bits in each:
                    if count >= least:
                        wanted |= bits
        if size >= self._fewest_digits:
            count = len(text.translate(None, NOT_DIGITS))
            if count >= self._fewest_digits:
                for least, bits in self._digits:
                    if count >= least:
                        wanted |= bits
        if size >= self._shortest_word:
            longest = max(map(len, _WORD.findall(text)), default=0)
            for least, bits in self._words:
                if longest >= least:
                    wanted |= bits
        if key.exempt:
            wanted &= ~self._suppressed_on_ids
        if wanted:
            wanted = self._without_far(wanted, text, key)
        searched = wanted & ~self._pairs
        if searched and not self._may_match(searched, text):
            return wanted & self._pairs
        return wanted

    def _may_match(self, bits: int, text: bytes) -> bool:
        """Return, from one search for all of them, whether any of these rules' patterns matches."""
        union = self._unions.get(bits)
        if union is None:
            if len(self._unions) >= MOST_UNIONS:
                self._unions.clear()
            union = self._unions[bits] = _Union(
                [rule for place, rule in enumerate(self._rules) if bits >> place & 1]
            )
        return union.matches(text)

    def _without_far(self, wanted: int, text: bytes, key: KeyInfo) -> int:
        low = b""
        for bit, words in self._near:
            if wanted & bit:
                low = low or text.lower() + b" " + key.words
                if words.search(low) is None:
                    wanted &= ~bit
        return wanted
