"""The policy: `redaction/rules.yaml` as frozen records.

The meaning of every field is in `redaction/README.md`; this module only holds them. The policy that
comes with the package was read beforehand, another is read by `policy_file`.
"""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from glasshouse.redaction.checks import Check
from glasshouse.redaction.context import ContextWords
from glasshouse.redaction.errors import PolicyError, UnknownRuleError
from glasshouse.redaction.late import late_property
from glasshouse.redaction.limits import Limits
from glasshouse.redaction.needs import Needs
from glasshouse.redaction.token_table import TokenRow
from glasshouse.redaction.validators import NETWORKS
from glasshouse.redaction.vocabulary import Vocabulary

_PACKAGED: Final = Path(__file__).with_name("rules.yaml")
ADDRESSES: Final = frozenset({*NETWORKS, "mac"})

# After which words a hit is dropped: none, `ids`, `ids` if it is digits alone, also `owners`, also
# any but connecting words if it is digits alone.
IdWordHits = Literal["", "any", "digits", "owned", "sentence"]
Replacement = Literal["typed", "last4", "pseudonym", "network"]


@dataclass(frozen=True, kw_only=True)
class KeyRule:
    """Names whose whole value goes. Entries are a place and words joined by underscores."""

    name: str
    mask: bytes = b""
    entries: tuple[tuple[str, str], ...] = ()
    not_behind: frozenset[str] = frozenset()
    in_text: bool = True
    query: bool = False
    line: bool = False
    require_digit_in_prose: bool = False
    overrides: bool = False
    token: bool = False
    min_length: int = 0
    except_values: frozenset[bytes] = frozenset()
    require_blank: bool = False
    many: bool = False
    """Whether its names are plurals, under which a number is a count."""

    @late_property
    def plural(self) -> "KeyRule":
        """This rule for names in the plural."""
        return dataclasses.replace(self, many=True)

    @property
    def takes_whole(self) -> bool:
        """Whether maps and lists go, too."""
        return self.min_length == 0

    @property
    def takes_numbers(self) -> bool:
        return self.min_length == 0 and not self.many and not self.require_blank

    @property
    def counted_as(self) -> str:
        return f"key_{self.name}"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of value. ``pattern`` is ``None`` for those with ``builtin``."""

    name: str
    builtin: str
    entity: str
    mask: bytes
    pattern: Any
    name_group: int
    """The group of the pattern that holds a name; 0: it has none."""
    needs: Needs
    not_preceded_by: frozenset[int]
    not_preceded_by_digit_and: frozenset[int]
    not_followed_by: frozenset[int]
    not_followed_by_and_digit: frozenset[int]
    context: ContextWords
    rescan: bool
    suppress_on_id_keys: bool
    only_own_keys: bool
    not_in_ids: bool
    """Whether its pattern sees no ids: see `ids`."""
    suppress_beside_id_words: IdWordHits
    validate: str
    checks: tuple[Check, ...]
    replacement: Replacement
    in_lists: bool

    @late_property
    def may_precede(self) -> re.Pattern[bytes]:
        """Matches any character but those of `not_preceded_by`."""
        return re.compile(b"[^%b]" % re.escape(bytes(sorted(self.not_preceded_by))), re.DOTALL)

    @property
    def context_words(self) -> tuple[bytes, ...]:
        return self.context.words

    @property
    def avoids_times(self) -> bool:
        """An address is never taken for a time, and addresses are many."""
        return self.suppress_on_id_keys and self.validate not in ADDRESSES

    @property
    def is_tried_on_all(self) -> bool:
        """Whether the pattern says nothing of what a text must hold."""
        return self.pattern is not None and self.needs.nothing and not self.context_words


@dataclass(frozen=True, kw_only=True)
class NameWords:
    """Words around an entry: two kinds that say a name is about it, one that changes nothing."""

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    neutral: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class NumberNames:
    """Names whose whole numbers are no person's, by their last word and by any.

    ids: those of ``last`` that name ids, and no counts.
    """

    last: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is sensitive, and what takes its place."""

    limits: Limits
    vocabulary: Vocabulary
    keys: tuple[KeyRule, ...]
    rules: tuple[Rule, ...]
    name_words: NameWords
    user_names: KeyRule
    exempt_keys: frozenset[str]
    own_keys: frozenset[str]
    query_keys: tuple[str, ...]
    exempt_numbers: NumberNames
    tokens: tuple[TokenRow, ...]
    token_names: tuple[tuple[str, ...], tuple[str, ...]]
    """Words of a name that holds a token; last words of one that does not."""
    shipped: bool
    """Whether it reads as the policy of this package, for which shortcuts were written."""


def load(path: Path, disable: Sequence[str] = ()) -> Policy:
    """Read a policy, without the rules, key rules and entities named in ``disable``.

    Raises:
        PolicyError: names the file, the line and the rule.
    """
    # Both build on this module. Few services need the other one, with all of YAML.
    from glasshouse.redaction import known_policy

    text = _text(path)
    shipped = path == _PACKAGED or text == _text(_PACKAGED)
    found = known_policy.read(text) if shipped else None
    if found is None:
        from glasshouse.redaction import policy_file

        found = policy_file.read(text, path, shipped=shipped)
    return _without(found, path, disable)


def packaged_policy() -> Path:
    """Return the path of the policy that comes with this package."""
    return _PACKAGED


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"policy {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"policy {path}: is not UTF-8") from None


def _without(policy: Policy, path: Path, disable: Sequence[str]) -> Policy:
    off = _Switch(disable)
    keys = tuple(rule for rule in policy.keys if not off(rule.name))
    rules = tuple(rule for rule in policy.rules if not off(rule.name, rule.entity))
    tokens = tuple(row for row in policy.tokens if not off(row.vendor, row.mask.decode()))
    if not keys or not rules:
        raise PolicyError(
            f"policy {path}: has no rules or no keys; an empty policy would let everything pass"
        )
    if unknown := off.unused():
        raise UnknownRuleError(f"policy {path}: there is no rule or entity {unknown} to disable")
    return dataclasses.replace(policy, keys=keys, rules=rules, tokens=tokens) if disable else policy


class _Switch:
    def __init__(self, names: Sequence[str]) -> None:
        self._used = dict.fromkeys(names, False)

    def __call__(self, *names: str) -> bool:
        found = [name for name in names if name in self._used]
        self._used.update(dict.fromkeys(found, True))
        return bool(found)

    def unused(self) -> str:
        return ", ".join(name for name, used in self._used.items() if not used)
