"""Names of values: which of them hold a secret, a user id, or an id of ours."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from glasshouse.redaction.ascii import are_digits
from glasshouse.redaction.forms import is_parameter_token
from glasshouse.redaction.masks import Masks
from glasshouse.redaction.names import normalise
from glasshouse.redaction.policy import KeyRule, NameWords, Policy

# How much of a name counts, in bytes, its end: names that are longer hold values.
LONGEST_KEY: Final = 256


@dataclass(frozen=True, kw_only=True)
class KeyInfo:
    """What the policy says of one name. ``words`` are joined by spaces.

    With ``query`` the value is the query of a URL. ``whole`` is what counts for whole numbers, if
    it differs. Values of ``own_from`` bytes under an exempt name are spared by all rules that spare
    ids; shorter ones not by those with ``only_own_keys``.
    """

    words: bytes = b""
    secret: KeyRule | None = None
    user: bool = False
    exempt: bool = False
    own_from: int = 0
    query: bool = False
    whole: "KeyInfo | None" = None


NO_KEY: Final = KeyInfo()
MOST_NAMES: Final = 4096
# Up to here a number under the name of an id is believed to be a card. Longer ones are rare among
# cards, and many among ids: 64 bits have 17 digits and more.
_LONGEST_CARD_OF_ID: Final = 16
# Without a blank; scripts beyond ASCII do without.
_ONE_WORD: Final = re.compile(rb"[!-\x7f]*")


def as_attribute(rule: KeyRule) -> bool:
    return not rule.query


def in_plain_text(rule: KeyRule) -> bool:
    return rule.in_text and not rule.query


def in_query(rule: KeyRule) -> bool:
    return rule.in_text or rule.query


# Which key rules count, by where the name stands.
Use = Callable[[KeyRule], bool]


class _Entry(NamedTuple):
    """The words of an entry; ``joints`` are the places of its letters at which a word may begin."""

    letters: str
    joints: frozenset[int]
    place: str
    order: int
    rule: KeyRule


class NameIndex:
    """Finds the entries of key rules in normalised names."""

    def __init__(self, rules: Iterable[KeyRule], words: NameWords) -> None:
        self._words = words
        self._entries: dict[str, list[_Entry]] = {}
        self._glued: list[_Entry] = []
        self._longest = 0
        for order, rule in enumerate(rules):
            for place, name in rule.entries:
                self._add(place, name, order, rule)
        glued = [entry.letters for entry in self._glued]
        self._glued_ends = (*glued, *(f"{letters}s" for letters in glued))

    def _add(self, place: str, name: str, order: int, rule: KeyRule) -> None:
        joints: set[int] = set()
        letters = ""
        for word in name.split("_"):
            joints.add(len(letters))
            letters += word
        entry = _Entry(letters, frozenset(joints), place, order, rule)
        if place == "glued":
            self._glued.append(entry)
        else:
            self._entries.setdefault(letters, []).append(entry)
            self._longest = max(self._longest, len(letters))

    def find(self, name: str, use: Use, own: int = 0) -> KeyRule | None:
        """Return the first key rule for a normalised name among those that ``use`` admits.

        Before the word numbered ``own`` stand words that a blank parts from the name: an entry
        that begins there has to reach the end.
        """
        words = name.split("_")
        best: tuple[int, bool] | None = None
        rule: KeyRule | None = None
        for entry, plural, start, end in self._found(words):
            found = (entry.order, plural)
            if best is not None and found >= best:
                continue
            if use(entry.rule) and self._counts(entry, words, own, start, end):
                best, rule = found, entry.rule
        return rule.plural if rule is not None and best is not None and best[1] else rule

    def _found(self, words: list[str]) -> Iterator[tuple[_Entry, bool, int, int]]:
        """Yield each entry whose letters stand in the name, whether in a plural, and where."""
        for start, first in enumerate(words):
            letters, joints = "", list[int]()
            for end in range(start, len(words)):
                joints.append(len(letters))
                word = words[end]
                letters += word
                if len(letters) > self._longest + 2:
                    break
                # Nearly all names have no entry; what only they need is left out.
                if letters in self._entries:
                    for entry in self._entries[letters]:
                        if entry.joints.issuperset(joints):
                            yield entry, False, start, end + 1
                if letters.endswith("s") and len(word) > 1:
                    for stem in _stems(letters, word):
                        for entry in self._entries.get(stem, ()):
                            if entry.joints.issuperset(joints):
                                yield entry, True, start, end + 1
            if not first.endswith(self._glued_ends):
                continue
            for entry in self._glued:
                if first.endswith(entry.letters):
                    yield entry, False, start, start + 1
                elif first[-1:] == "s" and first[:-1].endswith(entry.letters):
                    yield entry, True, start, start + 1

    def _counts(self, entry: _Entry, words: list[str], own: int, start: int, end: int) -> bool:
        """Decide, by the words around an entry, whether it makes the name one of its rule's."""
        rule, around = entry.rule, self._words
        if entry.place == "prefix":
            return start == 0 and end < len(words)
        if entry.place == "exact" and start > 0:
            return False
        if start > 0 and words[start - 1] in rule.not_behind:
            return False
        if not rule.overrides and not around.before.isdisjoint(words[:start]):
            return False
        holds = len(words) > 1 and words[-1] in ("value", "values")
        for word in words[end:]:
            if "0" <= word[:1] <= "9" and entry.place != "exact":
                continue
            if not rule.overrides and not holds and word in around.after:
                return False
            if entry.place == "exact":
                return False
            if (entry.place == "suffix" or start < own) and word not in around.neutral:
                return False
        return True


def _stems(plural: str, last: str) -> Iterator[str]:
    yield plural[:-1]
    if plural[-3:] in ("ses", "xes") and len(last) > 2:
        yield plural[:-2]


class SecretNames:
    """Finds the key rule of a normalised name; remembers the last ones, found or not."""

    def __init__(self, policy: Policy) -> None:
        self._index = NameIndex(policy.keys, policy.name_words)
        self._known: dict[tuple[str, Use, int], KeyRule | None] = {}

    def find(self, name: str, use: Use, own: int = 0) -> KeyRule | None:
        """Return what `NameIndex.find` does."""
        known = (name, use, own)
        if known in self._known:
            return self._known[known]
        rule = self._index.find(name, use, own) if name else None
        if len(self._known) >= MOST_NAMES:
            self._known = {}
        self._known[known] = rule
        return rule


class KeyNames:
    """What the policy says of the names of values."""

    def __init__(self, policy: Policy, secrets: SecretNames, masks: Masks) -> None:
        self._policy = policy
        self._secrets = secrets
        self._masks = masks
        self._query = tuple(f"_{words}" for words in policy.query_keys)
        self._users = NameIndex([policy.user_names], NameWords(neutral=policy.name_words.neutral))

    def classify(self, key: bytes) -> KeyInfo:
        """Classify a name, as it reads after its own redaction."""
        name = normalise(self._without_masks(_end_of(key)).decode("utf-8", "replace"))
        secret = self._secrets.find(name, as_attribute)
        return KeyInfo(
            words=name.replace("_", " ").encode(),
            secret=secret,
            user=secret is None and self._users.find(name, as_attribute) is not None,
            exempt=name in self._policy.exempt_keys or name in self._policy.own_keys,
            own_from=0 if name in self._policy.own_keys else sys.maxsize,
            query=f"_{name}".endswith(self._query),
            whole=self._for_whole_numbers(name),
        )

    def counts(self, key: bytes) -> bool:
        """Return whether what stands under a name is replaced for the name alone."""
        if not key or len(key) > LONGEST_KEY:
            return False
        name = normalise(self._without_masks(key).decode("utf-8", "replace"))
        if self._secrets.find(name, as_attribute) is not None:
            return True
        return self._users.find(name, as_attribute) is not None

    def _for_whole_numbers(self, name: str) -> KeyInfo | None:
        numbers, words = self._policy.exempt_numbers, name.split("_")
        last = next((word for word in reversed(words) if not "0" <= word[:1] <= "9"), "")
        if not _is_listed(last, numbers.last):
            return None
        if name in self._policy.own_keys:
            return KeyInfo(exempt=True)
        return KeyInfo(
            exempt=not any(_is_listed(word, numbers.unless) for word in words),
            own_from=_LONGEST_CARD_OF_ID + 1 if _is_listed(last, numbers.ids) else 0,
        )

    def _without_masks(self, name: bytes) -> bytes:
        out = bytearray()
        at = 0
        while (opening := name.find(b"[", at)) >= 0:
            end = self._masks.end(name, opening)
            out += name[at:opening] + b" "
            at = end if end >= 0 else opening + 1
        return bytes(out) + name[at:]


def _is_listed(word: str, words: frozenset[str]) -> bool:
    return word in words or word.removesuffix("s") in words


def _end_of(key: bytes) -> bytes:
    """Return what counts of a name, from the beginning of a character."""
    if len(key) <= LONGEST_KEY:
        return key
    end = key[-LONGEST_KEY:]
    return end.lstrip(bytes(range(0x80, 0xC0)))


def spares(rule: KeyRule, value: bytes) -> bool:
    """Return whether a value is kept although its name is one of the rule's."""
    if len(value) < rule.min_length or (rule.many and are_digits(value)):
        return True
    if rule.require_blank and _ONE_WORD.fullmatch(value):
        return True
    if rule.token and not is_parameter_token(value):
        return True
    return bool(rule.except_values) and value.lower() in rule.except_values
