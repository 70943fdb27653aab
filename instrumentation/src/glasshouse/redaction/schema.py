"""What a policy file may hold, before anything is made of it: fields once, of the right type.

Complaints are worded as the Collector's engine words them.
"""

import re
from collections.abc import Iterator
from typing import Final

import yaml

_SWITCHES: Final = frozenset(
    {"text", "query", "line", "require_digit_in_prose", "overrides_except"}
    | {"rescan", "suppress_on_id_keys", "only_own_keys", "not_in_ids"}
)
_TEXTS: Final = frozenset(
    {"name", "mask", "entity", "builtin", "pattern", "validate", "replacement"}
    | {"not_preceded_by", "not_preceded_by_digit_and"}
    | {"not_followed_by", "not_followed_by_and_digit"}
)
_LISTS: Final = frozenset(
    {"exact", "suffix", "anywhere", "context_words"}
    | {"exempt_keys", "own_keys", "keys_except_before", "keys_except_after"}
)
# Which readers of YAML take for something else, some for a switch, some for a text.
_NO_TEXT: Final = re.compile(
    r"(?:y|n|yes|no|on|off|true|false|null|~|)|[-+]?[0-9][0-9_.:eE+-]*", re.IGNORECASE
)


class SchemaError(ValueError):
    """Something that does not belong there; ``line`` is where."""

    def __init__(self, node: yaml.Node, problem: str) -> None:
        super().__init__(problem)
        self.line = node.start_mark.line + 1


def check(document: yaml.Node) -> None:
    """Check the whole file.

    Raises:
        SchemaError: says what is wrong, and with which rule.
    """
    if not isinstance(document, yaml.MappingNode):
        raise SchemaError(document, "is no map")
    for key, value in _fields(document, ""):
        if key in _LISTS:
            _texts(value, f"{key}: ")
    for section, kind in (("keys", "key rule"), ("rules", "rule")):
        for entry in _items(document, section):
            _entry(entry, kind)


def _items(document: yaml.MappingNode, section: str) -> list[yaml.Node]:
    for key, value in document.value:
        if key.value == section and isinstance(value, yaml.SequenceNode):
            return list(value.value)
    return []


def _entry(entry: yaml.Node, kind: str) -> None:
    if not isinstance(entry, yaml.MappingNode):
        raise SchemaError(entry, f'{kind} "": is no map')
    name = next((str(v.value) for k, v in entry.value if k.value == "name"), "")
    where = f'{kind} "{name}": '
    for key, value in _fields(entry, where):
        if key in _SWITCHES:
            if not isinstance(value, yaml.ScalarNode) or value.value not in ("true", "false"):
                raise SchemaError(value, f"{where}{key}: must be true or false")
        elif key in _TEXTS:
            _text(value, f"{where}{key}: ")
        elif key in _LISTS:
            _texts(value, f"{where}{key}: ")


def _fields(node: yaml.MappingNode, where: str) -> Iterator[tuple[str, yaml.Node]]:
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            raise SchemaError(key, f'{where}the field "{name}" is there twice')
        seen.add(name)
        yield name, value


def _texts(node: yaml.Node, where: str) -> None:
    if not isinstance(node, yaml.SequenceNode):
        raise SchemaError(node, f"{where}must be a list of texts")
    seen: set[str] = set()
    for item in node.value:
        _text(item, where)
        if item.value in seen:
            raise SchemaError(item, f'{where}"{item.value}" is there twice')
        seen.add(item.value)


def _text(node: yaml.Node, where: str) -> None:
    if not isinstance(node, yaml.ScalarNode):
        raise SchemaError(node, f"{where}must be a text")
    if not node.style and _NO_TEXT.fullmatch(node.value):
        raise SchemaError(node, f'{where}must be a text: write "{node.value}" in quotes')
