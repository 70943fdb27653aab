"""Redacts texts by a policy: the Python twin of the Collector's engine.

Texts are bytes of UTF-8 in here, so that places in them mean the same in both engines.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from glasshouse.redaction import budget, emails, json_text, times
from glasshouse.redaction.arguments import joined, mask
from glasshouse.redaction.ascii import DIGITS, are_digits, only_digits
from glasshouse.redaction.context import Context
from glasshouse.redaction.edits import Edit, spliced
from glasshouse.redaction.emails import EmailPattern
from glasshouse.redaction.fold import fold
from glasshouse.redaction.forms import is_not_words
from glasshouse.redaction.ids import Blanked
from glasshouse.redaction.json_text import NotJsonError, Walk, looks_like_json
from glasshouse.redaction.keys import NO_KEY, KeyInfo, KeyNames, SecretNames, spares
from glasshouse.redaction.looks import Looks, looks
from glasshouse.redaction.masks import UNCHECKED, UNCHECKED_RULE, Masks, Pseudonyms
from glasshouse.redaction.named import find_named
from glasshouse.redaction.pairs import Pairs
from glasshouse.redaction.patterns import LatePattern
from glasshouse.redaction.placeholders import is_placeholder
from glasshouse.redaction.policy import Policy, Rule
from glasshouse.redaction.tokens import decoded_text, looks_like_jwt
from glasshouse.redaction.triggers import Triggers
from glasshouse.redaction.validators import ENCODED, NETWORKS, SHORTENERS, TESTS
from glasshouse.redaction.vendor_tokens import VendorTokens

# Names come from code and repeat; past this many the rest are classified each time.
MOST_KEYS: Final = 4096
LONGEST_CACHED_KEY: Final = 256
_CONTINUATION: Final = frozenset(range(0x80, 0xC0))

# Such as most services log, and none of it the same to the looks before a pattern.
_ORDINARY: Final = (
    b"GET /payments/4711/items?page=2&sort=name HTTP/1.1",
    b"https://shop.example.com/search?q=blue%20shoes&from=2026-11-25T10:11:12Z",
    b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0",
    b"SELECT id, name FROM orders WHERE state = $1 AND created > '2026-11-25' LIMIT 50",
    b"order 4111222233 of customer 12345 took 12.5 ms: 3 items, phone number checked",
    "Zahlung für Bestellung 1234567890 geprüft, 27,90 €, key: none".encode(),
    b"mail to jane@example.com and 10.1.2.3, token=none",
    "post an é@bücher.example".encode(),
    b'{"name": "value", "count": 1234567, "list": [1, "two"]}',
)

# Called with the name of each rule that matched.
Count = Callable[[str], None]


class _TooManyHitsError(Exception):
    """One rule finds more in a text than the policy allows."""


def _ignore(rule: str) -> None:
    pass


class Engine:
    """A policy with its key. Safe for use by many threads."""

    def __init__(
        self,
        policy: Policy,
        key: bytes | Callable[[], bytes],
        *,
        mask_private_ips: bool = False,
    ) -> None:
        self._policy = policy
        self._secrets = SecretNames(policy)
        self._masks = Masks(
            [rule.mask.strip(b"[]") for rule in policy.keys]
            + [rule.mask for rule in (*policy.rules, *policy.tokens)]
        )
        self._context = Context(policy.vocabulary, self._masks)
        self._pairs = Pairs(self._secrets, policy.keys, self._masks)
        self._key_names = KeyNames(policy, self._secrets, self._masks)
        self._tokens = VendorTokens(policy.tokens, *policy.token_names)
        self._pseudonyms = Pseudonyms(key)
        self._keep_private = not mask_private_ips
        self._keys: dict[str, KeyInfo] = {"": NO_KEY}
        self._names: dict[str, bytes | None] = {}
        self._triggers = Triggers(policy.rules, self._tokens, shipped=policy.shipped)
        self._list_rules = sum(
            1 << place for place, rule in enumerate(policy.rules) if rule.in_lists
        )

    def prepare(self) -> None:
        """Compile what is otherwise compiled at its first use, on whatever thread that is.

        RE2 keeps the interpreter meanwhile, so that no thread of its own could do it unnoticed.
        """
        self._triggers.prepare()
        self._pairs.prepare()
        for rule in self._policy.rules:
            if isinstance(rule.pattern, LatePattern):
                rule.pattern.prepare()
        emails.prepare()
        json_text.prepare()
        # RE2 makes half of a pattern, and its first states, in the first search.
        for text in _ORDINARY:
            self.text(NO_KEY, text)

    def pseudonym_secret(self) -> bytes:
        """Return the secret that pseudonyms are made with at present."""
        return self._pseudonyms.secret

    def looks(self) -> Looks | None:
        """Return what says of most texts faster that they are clean, if there is any."""
        return looks(self._policy, self._pairs, self._tokens, self.key_info)

    def key_info(self, key: str) -> KeyInfo:
        info = self._keys.get(key)
        if info is None:
            changed = self.name(key)
            raw = key.encode("utf-8", "replace") if changed is None else changed
            info = self._key_names.classify(raw)
            if len(self._keys) < MOST_KEYS and len(key) <= LONGEST_CACHED_KEY:
                self._keys[key] = info
        return info

    def is_as_unnamed(self, key: KeyInfo) -> bool:
        """Return whether a text under a name becomes what it does without one."""
        if key is NO_KEY:
            return True
        # From how many bytes on ids are spared says nothing where none are.
        words = key.words
        return dataclasses.replace(key, words=b"", own_from=0) == NO_KEY and not (
            self._triggers.are_near(words)
        )

    def name(self, key: str, count: Count = _ignore) -> bytes | None:
        """Return a map key without what is sensitive in it; ``None`` without a change."""
        if key in self._names:
            return self._names[key]
        changed = self.text(NO_KEY, key.encode("utf-8", "replace"), count)
        if changed is None and len(self._names) < MOST_KEYS and len(key) <= LONGEST_CACHED_KEY:
            self._names[key] = None
        return changed

    def string(
        self, key: KeyInfo, text: bytes, count: Count = _ignore, depth: int = 0
    ) -> bytes | None:
        """Return a string value redacted; ``None`` without a change.

        ``depth`` counts the JSON texts around it.
        """
        if key.secret is not None and not spares(key.secret, text):
            if not text or self._masks.is_mask(text) or is_placeholder(text):
                return None
            count(key.secret.counted_as)
            return key.secret.mask
        if key.user:
            if not text or self._masks.is_mask(text):
                return None
            count("user_id")
            return self._pseudonyms.of_user(text)
        return self.text(key, text, count, depth)

    def number(self, key: KeyInfo, digits: bytes, count: Count = _ignore) -> bytes | None:
        """Return what takes the place of an integer in decimal form, or ``None``."""
        if key.secret is not None and key.secret.takes_numbers:
            return self.secret(key, count)
        if key.user:
            count("user_id")
            return self._pseudonyms.of_user(digits)
        if digits[:1] == b"-" or len(digits) < self._policy.limits.min_number_digits:
            return None
        return self.text(key, digits, count)

    def fraction(self, key: KeyInfo, value: float, count: Count = _ignore) -> bytes | None:
        """Return what takes the place of a float that is a whole number, or ``None``."""
        if key.secret is not None and key.secret.takes_numbers:
            return self.secret(key, count)
        whole = 0 <= value < self._policy.limits.max_whole_float and not value % 1
        if key.user or not whole:
            return None
        return self.number(key, b"%d" % int(value), count)

    def secret(self, key: KeyInfo, count: Count = _ignore) -> bytes:
        """Return what takes the place of any value under a secret key."""
        if key.secret is None:
            raise ValueError("the key is not secret")
        count(key.secret.counted_as)
        return key.secret.mask

    def text(
        self, key: KeyInfo, text: bytes, count: Count = _ignore, depth: int = 0
    ) -> bytes | None:
        """Return a text redacted; ``None`` without a change."""
        budget.step()
        limits = self._policy.limits
        if len(text) > limits.max_bytes:
            count(UNCHECKED_RULE)
            return UNCHECKED.encode()
        if depth < limits.max_nested_json and looks_like_json(text):
            try:
                return self._json(text, count, depth)
            except NotJsonError:
                pass
        if key.whole is not None and are_digits(text):
            key = key.whole
        result: bytes | None = None
        try:
            for _ in range(limits.max_passes):
                changed = self._one_pass(key, text, count)
                if changed is None:
                    return result
                text = result = changed
        except _TooManyHitsError:
            count(UNCHECKED_RULE)
            return UNCHECKED.encode()
        count("unsettled")
        return result

    def arguments(self, items: list[bytes], count: Count = _ignore) -> None:
        """Redact, in place, strings of one list that are read together."""
        text, starts = joined(items)
        blanked = Blanked(text)
        wanted = self._triggers.of(text, NO_KEY, blanked) & self._list_rules
        while wanted:
            bit = wanted & -wanted
            wanted ^= bit
            rule = self._policy.rules[bit.bit_length() - 1]
            edits = self._edits(rule, NO_KEY, text, blanked, count)
            if edits:
                mask(items, edits, starts)
                text, starts = joined(items)
                blanked = Blanked(text)

    def names(self, name: str) -> bool:
        """Return whether what stands under that name is replaced for its name alone."""
        return self._key_names.counts(name.encode("utf-8", "replace"))

    def names_pair(self, name: bytes, value: bytes | None) -> bool:
        """Return whether the first of two items in a list of pairs is the name of the second.

        Two words are columns or fields.
        """
        if not self._key_names.counts(name):
            return False
        return value is None or is_not_words(value)

    def _one_pass(self, key: KeyInfo, text: bytes, count: Count) -> bytes | None:
        result: bytes | None = None
        most = self._policy.limits.max_hits
        view = fold(text)
        seen = text if view is None else view.text
        blanked = Blanked(seen)
        wanted = self._triggers.of(seen, key, blanked)
        while wanted:
            bit = wanted & -wanted
            wanted ^= bit
            budget.ask(0)
            rule = self._policy.rules[bit.bit_length() - 1]
            edits = self._edits(rule, key, seen, blanked, count, most)
            if len(edits) > most:
                raise _TooManyHitsError
            if view is not None and rule.builtin == "pairs":
                edits = view.unbroken(edits)
            if edits:
                text = result = spliced(text, edits if view is None else view.back(edits))
                view = fold(text)
                # What is left may trigger other rules than before; only later ones are due.
                seen = text if view is None else view.text
                blanked = Blanked(seen)
                wanted = self._triggers.of(seen, key, blanked) & ~((bit << 1) - 1)
        return result

    def _edits(
        self,
        rule: Rule,
        key: KeyInfo,
        text: bytes,
        blanked: Blanked,
        count: Count,
        most: int = sys.maxsize,
    ) -> list[Edit]:
        """Return what a rule finds; of more than ``most`` one more at least."""
        if rule.name_group:
            edits = find_named(rule, self._secrets, self._masks, text)
            for _ in edits:
                count(rule.name)
            return edits
        if rule.builtin == "pairs":
            if not self._pairs.may_be_in(text, query=key.query):
                return []
            return self._pairs.find(text, count, query=key.query, most=most)
        if rule.builtin:
            return self._tokens.find(self._masks, text, count, most)
        return self._find(rule, key, text, blanked, count, most)

    def _json(self, text: bytes, count: Count, depth: int) -> bytes | None:
        def on_string(key: KeyInfo, content: bytes) -> bytes | None:
            return self.string(key, content, count, depth + 1)

        def on_number(key: KeyInfo, digits: bytes, whole: bool) -> bytes | None:
            if not whole:
                takes = key.secret is not None and key.secret.takes_numbers
                return self.secret(key, count) if takes else None
            return self.number(key, digits, count)

        def on_name(name: bytes) -> tuple[KeyInfo, bytes | None]:
            key = name.decode("utf-8", "replace")
            return self.key_info(key), self.name(key, count)

        walk = Walk(
            text,
            self._policy.limits.max_json_depth,
            on_string,
            on_number,
            on_name,
            lambda key: self.secret(key, count),
            self,
            count,
        )
        return walk.run()

    def _find(
        self, rule: Rule, key: KeyInfo, text: bytes, blanked: Blanked, count: Count, most: int
    ) -> list[Edit]:
        edits: list[Edit] = []
        pos = 0
        size = len(text)
        search = _search(rule, blanked.text() if rule.not_in_ids else text)
        while pos < size and len(edits) <= most:
            match = search(pos)
            if match is None:
                break
            budget.ask()
            start, end = match.hit()
            if rule.rescan and start == match.start() and not _may_start(rule, text, start):
                # No start is good until the character before it is.
                pos = _next_start(rule, text, start + 1)
                continue
            found = self._check(rule, key, text, start, end)
            if found is None:
                pos = _next_character(text, match.start()) if rule.rescan else match.end()
                continue
            budget.ask(budget.FEW)
            mask, pos = found
            count(rule.name)
            edits.append(Edit(start, pos, mask))
        return edits

    def _check(
        self, rule: Rule, key: KeyInfo, text: bytes, start: int, end: int
    ) -> tuple[bytes, int] | None:
        """Decide about one hit; return what takes its place, and its end."""
        if start >= end or not _fits_before(rule, text, start):
            return None
        if rule.avoids_times and (stop := times.cut(text, start, end)) != end:
            # What is left of a pattern is checked by its validator, or by nothing.
            if stop <= start or not rule.validate:
                return None
            end = stop
        if rule.context.words and not self._is_near(rule, key, text, start, end):
            return None
        if rule.suppress_beside_id_words and self._is_id(rule, text, start, end):
            return None
        form = b""
        name = rule.validate
        if name in TESTS:
            if not TESTS[name](text[start:end]):
                return None
        elif name in SHORTENERS:
            shortened = SHORTENERS[name](text, start, end)
            if shortened is None:
                return None
            end = shortened
        elif name == ENCODED:
            if not self._hides(text[start:end]):
                return None
        elif name:
            network = NETWORKS[name](text, start, end, keep_private=self._keep_private)
            if network is None:
                return None
            end, form = network
            if name == "ipv4" and self._context.is_version(text, start, end):
                return None
        if rule.checks and not any(each.holds(text[start:end]) for each in rule.checks):
            return None
        if not _fits_after(rule, text, end) or self._masks.is_inside(text, start, end):
            return None
        return b"[" + rule.mask + self._shown(rule, text[start:end], form) + b"]", end

    def _hides(self, encoded: bytes) -> bool:
        """Return whether base64 stands for a text with something to hide in it."""
        text = decoded_text(encoded)
        if text is None:
            return False
        return looks_like_jwt(text) or self.text(NO_KEY, text, depth=1) is not None

    def _shown(self, rule: Rule, hit: bytes, form: bytes) -> bytes:
        match rule.replacement:
            case "last4":
                return b":" + only_digits(hit)[-4:]
            case "pseudonym":
                named = self._pseudonyms
                of = named.of_email if rule.mask == b"email" else named.of_phone
                return b":" + of(hit)
            case "network":
                return b":" + form + b"*"
            case _:
                return b""

    def _is_near(self, rule: Rule, key: KeyInfo, text: bytes, start: int, end: int) -> bool:
        if key.words and self._context.names(rule.context, key.words):
            return True
        low = _before(text, start, self._policy.limits.context_before)
        high = _behind(text, end, self._policy.limits.context_after)
        if not self._triggers.may_be_near(rule, text[low:high]):
            return False
        return self._context.is_near(rule.context, text, low, start, end, high)

    def _is_id(self, rule: Rule, text: bytes, start: int, end: int) -> bool:
        if rule.suppress_beside_id_words == "digits" and not are_digits(text[start:end]):
            return False
        around, kind = self._context, rule.suppress_beside_id_words
        if kind == "sentence" and around.is_owned(text, start, end):
            return True
        return around.has_id_word(text, start, owned=kind == "owned") or around.has_unit(text, end)


def _search(rule: Rule, text: bytes) -> Callable[[int], Any]:
    if isinstance(rule.pattern, EmailPattern):
        return rule.pattern.reader(text).search
    return functools.partial(rule.pattern.search, text)


def _next_character(text: bytes, at: int) -> int:
    at += 1
    while at < len(text) and text[at] in _CONTINUATION:
        at += 1
    return at


def _before(text: bytes, at: int, count: int) -> int:
    """Return the place so many characters before ``at``, or the beginning."""
    low = max(0, at - count)
    if text[low:at].isascii():
        return low
    low = at
    for _ in range(count):
        if low == 0:
            break
        low -= 1
        while low > 0 and text[low] in _CONTINUATION:
            low -= 1
    return low


def _behind(text: bytes, at: int, count: int) -> int:
    """Return the place so many characters behind ``at``, or the end."""
    high = min(len(text), at + count)
    if text[at : high + 1].isascii():
        return high
    high = at
    for _ in range(count):
        if high >= len(text):
            break
        high = _next_character(text, high)
    return high


def _may_start(rule: Rule, text: bytes, at: int) -> bool:
    return at == 0 or text[at - 1] not in rule.not_preceded_by


def _next_start(rule: Rule, text: bytes, at: int) -> int:
    """Return the next place from ``at`` on before which the rule allows what stands there."""
    for start, end in budget.stretches(len(text), at - 1):
        found = rule.may_precede.search(text, start, end)
        if found is not None:
            return found.end()
    return len(text)


def _fits_before(rule: Rule, text: bytes, start: int) -> bool:
    if not _may_start(rule, text, start):
        return False
    if start < 2 or text[start - 2] not in DIGITS:
        return True
    return text[start - 1] not in rule.not_preceded_by_digit_and


def _fits_after(rule: Rule, text: bytes, end: int) -> bool:
    if end >= len(text):
        return True
    if text[end] in rule.not_followed_by:
        return False
    if end + 1 >= len(text) or text[end + 1] not in DIGITS:
        return True
    return text[end] not in rule.not_followed_by_and_digit
