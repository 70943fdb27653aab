"""Reads a policy file: checks all of it, and derives what follows from its patterns."""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import yaml
from yaml.constructor import SafeConstructor

from glasshouse.redaction.checks import Check, CheckError, read_check
from glasshouse.redaction.context import ContextWords
from glasshouse.redaction.deriving import derive
from glasshouse.redaction.emails import email_pattern
from glasshouse.redaction.errors import PolicyError
from glasshouse.redaction.limits import LimitError, read_limits
from glasshouse.redaction.names import normalise
from glasshouse.redaction.needs import Needs
from glasshouse.redaction.patterns import PatternError, compile_pattern
from glasshouse.redaction.policy import (
    ADDRESSES,
    IdWordHits,
    KeyRule,
    NameWords,
    NumberNames,
    Policy,
    Replacement,
    Rule,
)
from glasshouse.redaction.schema import SchemaError, check
from glasshouse.redaction.syntax import PatternSyntaxError, parse
from glasshouse.redaction.token_table import FIELDS as TOKEN_FIELDS
from glasshouse.redaction.token_table import RowError, TokenRow, read_row
from glasshouse.redaction.validators import ENCODED, NETWORKS, SHORTENERS, TESTS
from glasshouse.redaction.vocabulary import VocabularyError, read_vocabulary

VERSION: Final = 1
BUILTINS: Final = ("pairs", "vendor_tokens")
# What a pattern calls the group that holds a name; the value is in another group.
NAME_GROUP: Final = "name"

# Sections that are read entry by entry.
_ENTRIES: Final = frozenset({"keys", "rules", "checks", "vendor_tokens"})
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_KEY_FIELDS: Final = frozenset(
    {"name", "exact", "prefix", "suffix", "anywhere", "glued", "behind", "not_behind"}
    | {
        "min_length",
        "except_values",
        "require_blank",
        "text",
        "query",
        "line",
        "mask",
        "require_digit_in_prose",
        "overrides_except",
        "require_token",
    }
)
_PLACES: Final = ("exact", "prefix", "suffix", "anywhere", "glued")
# Letters of an entry; with more the comparison of a name would cost more.
_LONGEST_ENTRY: Final = 64
_SHORTEST_GLUED: Final = 3
_RULE_FIELDS: Final = frozenset(
    {"name", "entity", "builtin", "triggers", "pattern", "rescan", "validate", "checks"}
    | {"context_words"}
    | {"not_preceded_by", "not_preceded_by_digit_and", "not_followed_by"}
    | {"not_followed_by_and_digit", "suppress_on_id_keys", "only_own_keys"}
    | {"not_in_ids", "mask", "replacement", "in_lists"}
    | {"context_directly", "suppress_beside_id_words"}
)
_RENAMED: Final = {
    "weak": "require_digit_in_prose",
    "loose": "suppress_on_id_keys",
    "near": "context_words",
    "before": "not_preceded_by",
    "before_digit": "not_preceded_by_digit_and",
    "after": "not_followed_by",
    "after_digit": "not_followed_by_and_digit",
    "as": "replacement",
}


def read(text: str, path: Path, *, shipped: bool = False) -> Policy:
    """Return the policy that a text is. ``path`` is named in complaints.

    Raises:
        PolicyError: names the file, the line and the rule.
    """
    try:
        node = _compose(text)
    except yaml.YAMLError as error:
        raise PolicyError(f"policy {path}: {' '.join(str(error).split())}") from None
    if node is None:
        raise PolicyError(f"policy {path}: is empty")
    try:
        check(node)
    except SchemaError as error:
        raise PolicyError(f"policy {path}:{error.line}: {error}") from None
    reader = _Reader(path)
    document = reader.mapping(node)
    values = {key: _value(child) for key, child in document.items() if key not in _ENTRIES}
    if values.get("version") != VERSION:
        raise PolicyError(
            f"policy {path}: version is {values.get('version')}, this engine reads {VERSION}"
        )
    try:
        limits = read_limits(document.get("limits"))
        vocabulary = read_vocabulary(document.get("context"))
    except (LimitError, VocabularyError) as error:
        place = f"{path}:{error.line}" if error.line else path
        raise PolicyError(f"policy {place}: {error}") from None
    if "keys_except_last" in values:
        raise PolicyError(f'policy {path}: keys_except_last is now called "keys_except_after"')
    keys = [reader.key_rule(item) for item in reader.sequence(document.get("keys"))]
    for item in reader.sequence(document.get("checks")):
        reader.check(item)
    rules = [reader.rule(item) for item in reader.sequence(document.get("rules"))]
    token_nodes = reader.sequence(document.get("vendor_tokens"))
    if token_nodes and not any(rule.builtin == "vendor_tokens" for rule in rules):
        line = token_nodes[0].start_mark.line + 1
        raise PolicyError(
            f"policy {path}:{line}: vendor_tokens: no rule looks for them, "
            "add one with `builtin: vendor_tokens`"
        )
    tokens = [reader.token_row(item, order) for order, item in enumerate(token_nodes)]
    return Policy(
        limits=limits,
        vocabulary=vocabulary,
        keys=tuple(keys),
        rules=tuple(rules),
        name_words=NameWords(
            before=frozenset(values.get("keys_except_before", ())),
            after=frozenset(values.get("keys_except_after", ())),
            neutral=frozenset(values.get("keys_neutral_after", ())),
        ),
        user_names=reader.user_names(values.get("pseudonym_keys", {})),
        exempt_keys=frozenset(values.get("exempt_keys", ())),
        own_keys=frozenset(values.get("own_keys", ())),
        query_keys=tuple(values.get("query_keys", ())),
        exempt_numbers=NumberNames(
            **{kind: frozenset(words) for kind, words in values.get("exempt_numbers", {}).items()}
        ),
        tokens=tuple(tokens),
        token_names=reader.token_names(values.get("vendor_token_names") or {}),
        shipped=shipped,
    )


def _compose(text: str) -> Any:
    # The one in C is ten times as fast, where it was built.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast(Any, yaml).compose(text, Loader=loader)


_TAG: Final = "tag:yaml.org,2002:"
_STRING, _LIST, _MAP = f"{_TAG}str", f"{_TAG}seq", f"{_TAG}map"


def _value(node: yaml.Node) -> Any:
    # Texts, and lists and maps of them, are nearly all there is, and the loader takes its time.
    match node:
        case yaml.ScalarNode(tag=tag) if tag == _STRING:
            return node.value
        case yaml.SequenceNode(tag=tag) if tag == _LIST:
            return [_value(item) for item in node.value]
        case yaml.MappingNode(tag=tag) if tag == _MAP and all(
            key.tag == _STRING for key, _ in node.value
        ):
            return {key.value: _value(item) for key, item in node.value}
        case _:
            # Not by a loader, which makes all that reads a text as well.
            return cast(Any, SafeConstructor()).construct_document(node)


class _Reader:
    """Turns nodes into rules; every complaint carries the line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[str] = set()
        self._checks: dict[str, Check] = {}

    def mapping(self, node: yaml.Node | None) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise PolicyError(f"policy {self._path}: is no map")
        return {key.value: value for key, value in node.value}

    def sequence(self, node: yaml.Node | None) -> list[yaml.Node]:
        return list(node.value) if isinstance(node, yaml.SequenceNode) else []

    def _complain(self, node: yaml.Node, kind: str, name: object, problem: str) -> PolicyError:
        line = node.start_mark.line + 1
        return PolicyError(f'policy {self._path}:{line}: {kind} "{name}": {problem}')

    def _entry(self, node: yaml.Node, kind: str, fields: frozenset[str]) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise self._complain(node, kind, "", "is no map")
        entry: dict[str, Any] = _value(node)
        name = entry.get("name", "")
        for key in entry:
            if key in _RENAMED:
                raise self._complain(
                    node, kind, name, f'the field "{key}" is now called "{_RENAMED[key]}"'
                )
            if key not in fields:
                raise self._complain(node, kind, name, f'unknown field "{key}"')
        for text in (name, entry.get("mask") or name):
            if not _NAME.fullmatch(str(text)):
                raise self._complain(node, kind, name, f"name and mask must match {_NAME.pattern}")
        return entry

    def key_rule(self, node: yaml.Node) -> KeyRule:
        entry = self._entry(node, "key rule", _KEY_FIELDS)
        behind = entry.get("behind") or ()
        entries = [
            (place, f"{first}_{words}" if first else words)
            for place in _PLACES
            for words in entry.get(place) or ()
            for first in behind or ("",)
        ]
        for place, words in entries:
            if problem := _problem_of(words, glued=place == "glued"):
                raise self._complain(node, "key rule", entry["name"], problem)
        query = bool(entry.get("query"))
        return KeyRule(
            name=entry["name"],
            mask=f"[{entry.get('mask') or entry['name']}]".encode(),
            entries=tuple(entries),
            not_behind=frozenset(entry.get("not_behind") or ()),
            in_text=entry.get("text", True) is not False and not query,
            query=query,
            line=bool(entry.get("line")),
            require_digit_in_prose=bool(entry.get("require_digit_in_prose")),
            overrides=bool(entry.get("overrides_except")),
            token=bool(entry.get("require_token")),
            min_length=int(entry.get("min_length", 0)),
            require_blank=bool(entry.get("require_blank")),
            except_values=frozenset(value.encode() for value in entry.get("except_values") or ()),
        )

    def check(self, node: yaml.Node) -> None:
        if not isinstance(node, yaml.MappingNode):
            raise self._complain(node, "check", "", "is no map")
        entry: dict[str, Any] = _value(node)
        name = str(entry.get("name", ""))
        if not _NAME.fullmatch(name):
            raise self._complain(node, "check", name, f"the name must match {_NAME.pattern}")
        if name in self._checks:
            raise self._complain(node, "check", name, "the name is used twice")
        try:
            self._checks[name] = read_check(entry)
        except CheckError as error:
            raise self._complain(node, "check", name, str(error)) from None

    def user_names(self, entry: Mapping[str, Sequence[str]]) -> KeyRule:
        """Return the names of user ids as a rule of their own."""
        suffixes = entry.get("suffix", ())
        for words in suffixes:
            if problem := _problem_of(words):
                raise PolicyError(f"policy {self._path}: pseudonym_keys: {problem}")
        return KeyRule(
            name="user_id",
            entries=tuple(("suffix", words) for words in suffixes),
            not_behind=frozenset(entry.get("not_behind", ())),
        )

    def token_row(self, node: yaml.Node, order: int) -> TokenRow:
        entry: Any = _value(node) if isinstance(node, yaml.MappingNode) else {}
        vendor = entry.get("vendor", "")
        for name in entry:
            if name not in TOKEN_FIELDS:
                raise self._complain(node, "vendor token", vendor, f'unknown field "{name}"')
        try:
            return read_row(entry, order)
        except RowError as error:
            raise self._complain(node, "vendor token", vendor, str(error)) from None

    def token_names(
        self, names: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        secret, not_last = tuple(names.get("secret", ())), tuple(names.get("not_last", ()))
        for word in (*secret, *not_last):
            if not word or word.encode().lower() != word.encode():
                raise PolicyError(
                    f'policy {self._path}: vendor_token_names: "{word}" is not lower-case'
                )
        return secret, not_last

    def rule(self, node: yaml.Node) -> Rule:
        entry = self._entry(node, "rule", _RULE_FIELDS)
        name = entry["name"]

        def complain(problem: str) -> PolicyError:
            return self._complain(node, "rule", name, problem)

        if name in self._seen:
            raise complain("the name is used twice")
        self._seen.add(name)
        builtin = entry.get("builtin")
        if builtin not in (None, *BUILTINS):
            raise complain(f'unknown builtin "{builtin}": use {" or ".join(BUILTINS)}')
        if not builtin and not all(entry.get(key) for key in ("entity", "pattern")):
            raise complain("needs entity and pattern")
        validate = entry.get("validate", "")
        if validate and validate not in {*TESTS, *SHORTENERS, *NETWORKS, ENCODED}:
            raise complain(f'unknown validator "{validate}"')
        for one in entry.get("checks", ()):
            if one not in self._checks:
                raise complain(f'unknown check "{one}": it is not among the checks of the policy')
        mask = entry.get("mask") or name
        pattern, needs = (None, Needs())
        if not builtin:
            pattern, needs = _pattern(entry["pattern"], validate, complain)
        return Rule(
            name=name,
            builtin=builtin or "",
            entity=entry.get("entity", ""),
            mask=mask.encode(),
            pattern=pattern,
            name_group=_name_group(pattern, entry, complain),
            needs=needs,
            not_preceded_by=_class(entry, "not_preceded_by", complain),
            not_preceded_by_digit_and=_class(entry, "not_preceded_by_digit_and", complain),
            not_followed_by=_class(entry, "not_followed_by", complain),
            not_followed_by_and_digit=_class(entry, "not_followed_by_and_digit", complain),
            context=ContextWords.read(
                _context_words(entry.get("context_words", ()), complain),
                directly=bool(entry.get("context_directly")),
            ),
            rescan=bool(entry.get("rescan")),
            suppress_on_id_keys=bool(entry.get("suppress_on_id_keys")),
            only_own_keys=bool(entry.get("only_own_keys")),
            not_in_ids=_not_in_ids(entry),
            suppress_beside_id_words=_beside_id_words(entry, complain),
            validate=validate,
            checks=tuple(self._checks[one] for one in entry.get("checks", ())),
            replacement=_replacement(entry.get("replacement"), mask, validate, complain),
            in_lists=bool(entry.get("in_lists")),
        )


def _problem_of(words: str, *, glued: bool = False) -> str:
    """Say why no name could match an entry."""
    normal = normalise(words)
    if not words or normal != words:
        return f'"{words}" is not in normal form, write "{normal}"'
    if len(words.encode()) > _LONGEST_ENTRY or len(words.replace("_", "").encode()) < 2:
        return f'"{words}" has not 2 to {_LONGEST_ENTRY} letters'
    if glued and ("_" in words or len(words.encode()) < _SHORTEST_GLUED):
        return f'glued: "{words}" is not one word of {_SHORTEST_GLUED} letters or more'
    return ""


def _pattern(pattern: str, validate: str, complain: Any) -> tuple[Any, Needs]:
    try:
        needs, least = derive(parse(pattern), validate)
        compiled = email_pattern(pattern) or compile_pattern(pattern)
    except (PatternSyntaxError, PatternError) as error:
        raise complain(f"pattern: {error}") from None
    if least == 0:
        raise complain("pattern: matches the empty text")
    return compiled, needs


def _name_group(pattern: Any, entry: Mapping[str, Any], complain: Any) -> int:
    group: int = getattr(pattern, "groupindex", {}).get(NAME_GROUP, 0)
    if group and pattern.groups < 2:
        raise complain("pattern: has a group for the name and none for the value")
    if group and entry.get("context_words"):
        raise complain("context_words: is not for patterns with a group for the name")
    validate = entry.get("validate", "")
    if group and validate and validate not in TESTS:
        raise complain(f"validate: {validate} is not for patterns with a group for the name")
    return group


def _class(entry: Mapping[str, Any], field: str, complain: Any) -> frozenset[int]:
    body = entry.get(field)
    if not body:
        return frozenset()
    try:
        return _members(body)
    except PatternError:
        raise complain(f'{field}: "{body}" is no class of characters') from None


@functools.cache
def _members(body: str) -> frozenset[int]:
    """Return the characters of a class. Few classes are written again and again."""
    members = compile_pattern(f"[{body}]")
    return frozenset(c for c in range(128) if members.fullmatch(bytes([c])))


def _context_words(words: Sequence[str], complain: Any) -> tuple[bytes, ...]:
    for word in words:
        if not word or word.encode().lower() != word.encode():
            raise complain(f'context_words: "{word}" is not lower-case')
    return tuple(form for word in words for form in _case_forms(word))


def _case_forms(word: str) -> tuple[bytes, ...]:
    """Return a word as texts write it; matching itself folds A to Z alone."""
    upper = "".join(c.upper() if len(c.upper()) == 1 else c for c in word)
    forms = (word, upper, upper[0] + word[1:])
    return tuple(dict.fromkeys(form.encode().lower() for form in forms))


def _not_in_ids(entry: Mapping[str, Any]) -> bool:
    """Return whether a rule says so, or is one of numbers that an id can hold by chance."""
    numbers = bool(entry.get("suppress_on_id_keys")) and entry.get("validate") not in ADDRESSES
    return numbers or bool(entry.get("not_in_ids"))


def _beside_id_words(entry: Mapping[str, Any], complain: Any) -> IdWordHits:
    hits = entry.get("suppress_beside_id_words", "")
    if hits not in ("", "any", "digits", "owned", "sentence"):
        raise complain(
            f'unknown suppress_beside_id_words "{hits}": use any, digits, owned or sentence'
        )
    return hits


def _replacement(text: str | None, mask: str, validate: str, complain: Any) -> Replacement:
    if text is None:
        return "typed"
    if text not in ("last4", "pseudonym", "network"):
        raise complain(f'unknown replacement "{text}": use last4, pseudonym or network')
    if text == "pseudonym" and mask not in ("email", "phone"):
        raise complain("replacement: pseudonym is known for the masks email and phone")
    if text == "network" and validate not in NETWORKS:
        raise complain("replacement: network needs the validator ipv4 or ipv6")
    return text
