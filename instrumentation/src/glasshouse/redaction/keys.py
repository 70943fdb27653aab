"""Names of values: which of them hold a secret, a user id, or an id of ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from glasshouse.redaction.ascii import DIGITS, LOWER, UPPER
from glasshouse.redaction.policy import KeyRule, Policy


@dataclass(frozen=True, kw_only=True)
class KeyInfo:
    """What the policy says of one name. ``words`` are joined by spaces."""

    words: bytes = b""
    secret: KeyRule | None = None
    user: bool = False
    exempt: bool = False
    query: bool = False
    """The value is the query of a URL."""


NO_KEY: Final = KeyInfo()
MOST_NAMES: Final = 4096


def normalise(name: str) -> str:
    """Split a name into its words and join them by underscores.

    normalise("http.request.header.X-APIKey")   # "http_request_header_x_api_key"
    """
    raw = name.encode("utf-8", "replace")
    out = bytearray()
    gap = False
    for i, c in enumerate(raw):
        if c not in LOWER and c not in UPPER and c not in DIGITS:
            gap = True
            continue
        if c in UPPER and i > 0:
            before, after = raw[i - 1], raw[i + 1 : i + 2]
            starts_word = before in LOWER or before in DIGITS
            ends_capitals = before in UPPER and bool(after) and after[0] in LOWER
            gap = gap or starts_word or ends_capitals
        if gap and out:
            out += b"_"
        gap = False
        out.append(c | 0x20 if c in UPPER else c)
    return out.decode("ascii")


def ends_with_words(name: str, words: str) -> bool:
    return name == words or name.endswith("_" + words)


def _matches(rule: KeyRule, name: str) -> bool:
    if name in rule.exact:
        return True
    framed = f"_{name}_"
    return any(framed.endswith(f"_{words}_") for words in rule.suffix) or any(
        f"_{words}_" in framed for words in rule.anywhere
    )


def as_attribute(rule: KeyRule) -> bool:
    return not rule.query


def in_plain_text(rule: KeyRule) -> bool:
    return rule.in_text and not rule.query


def in_query(rule: KeyRule) -> bool:
    return rule.in_text or rule.query


# Which key rules count, by where the name stands.
Use = Callable[[KeyRule], bool]


class SecretNames:
    """Finds the key rule of a normalised name; remembers the last ones, found or not."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._known: dict[tuple[str, Use], KeyRule | None] = {}

    def find(self, name: str, use: Use) -> KeyRule | None:
        """Return the first key rule for ``name`` among those that ``use`` admits."""
        known = (name, use)
        if known in self._known:
            return self._known[known]
        rule = self._search(name, use)
        if len(self._known) >= MOST_NAMES:
            self._known = {}
        self._known[known] = rule
        return rule

    def _search(self, name: str, use: Use) -> KeyRule | None:
        if not name:
            return None
        excepted = name.rpartition("_")[2] in self._policy.except_last
        for rule in self._policy.keys:
            if (rule.overrides or not excepted) and use(rule) and _matches(rule, name):
                return rule
        return None


def classify(policy: Policy, names: SecretNames, key: str) -> KeyInfo:
    name = normalise(key)
    secret = names.find(name, as_attribute)
    return KeyInfo(
        words=name.replace("_", " ").encode(),
        secret=secret,
        user=secret is None and any(ends_with_words(name, w) for w in policy.pseudonym_keys),
        exempt=any(ends_with_words(name, words) for words in policy.exempt_keys),
        query=any(ends_with_words(name, words) for words in policy.query_keys),
    )
