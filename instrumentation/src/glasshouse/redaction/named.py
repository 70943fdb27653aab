"""Rules whose pattern finds a name and, apart from it, its value: the values of secret names."""

from typing import Any, Final

from glasshouse.redaction import budget
from glasshouse.redaction.edits import Edit
from glasshouse.redaction.keys import SecretNames, in_plain_text, spares
from glasshouse.redaction.masks import Masks
from glasshouse.redaction.names import normalise
from glasshouse.redaction.pair_names import LONGEST_NAME
from glasshouse.redaction.pair_prose import FILE
from glasshouse.redaction.placeholders import is_placeholder
from glasshouse.redaction.policy import KeyRule, Rule
from glasshouse.redaction.validators import TESTS

_NOTHING: Final = (-1, -1)


def find_named(rule: Rule, names: SecretNames, masks: Masks, text: bytes) -> list[Edit]:
    """Return what takes the place of the values, from left to right."""
    edits: list[Edit] = []
    pos, size = 0, len(text)
    while pos < size:
        match = rule.pattern.search(text, pos)
        if match is None:
            break
        budget.ask(budget.VALUE)
        name_start, name_end = match.span(rule.name_group)
        if name_start < 0:
            pos = match.end()  # another way of the pattern, that has no name
            continue
        start, end = _value(rule, match)
        # The next name may begin where this match goes on.
        pos = min(match.end(), name_end)
        if 0 <= start < name_start:
            pos = end
        key = _key(names, text[name_start:name_end])
        if (
            key is None
            or start >= end
            or not _fits(rule, text, match.start(), end)
            or is_placeholder(text[start:end])
            or FILE.fullmatch(text[start:end]) is not None
            or spares(key, text[start:end])
            or masks.is_inside(text, start, end)
            or (rule.validate and not TESTS[rule.validate](text[start:end]))
        ):
            continue
        edits.append(Edit(start, end, key.mask))
        pos = max(end, name_end)
    return edits


def _value(rule: Rule, match: Any) -> tuple[int, int]:
    for group in range(1, rule.pattern.groups + 1):
        if group != rule.name_group and match.start(group) >= 0:
            return match.span(group)
    return _NOTHING


def _key(names: SecretNames, name: bytes) -> KeyRule | None:
    return names.find(normalise(name[-LONGEST_NAME:].decode("utf-8", "replace")), in_plain_text)


def _fits(rule: Rule, text: bytes, start: int, end: int) -> bool:
    if start > 0 and text[start - 1] in rule.not_preceded_by:
        return False
    return end >= len(text) or text[end] not in rule.not_followed_by
