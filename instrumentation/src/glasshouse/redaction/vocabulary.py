"""The words around a number: the policy's map ``context``."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import yaml


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Lists of words in lower case; the meaning of each is in ``redaction/README.md``."""

    connecting: frozenset[bytes]
    linking: frozenset[bytes]
    owners: frozenset[bytes]
    ids: frozenset[bytes]
    units: frozenset[bytes]
    versions: frozenset[bytes]


_LISTS: Final = tuple(field.name for field in fields(Vocabulary))


class VocabularyError(ValueError):
    """A list is unusable; ``line`` is where it stands, or 0."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"context: {problem}")
        self.line = line


def read_vocabulary(node: "yaml.Node | None") -> Vocabulary:
    """Read the map ``context``.

    Raises:
        VocabularyError: a list is missing or unknown, or a word is not lower-case.
    """
    # Only a policy of one's own is read from its file.
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise VocabularyError(0 if node is None else _line(node), "is missing or no map")
    found: dict[str, frozenset[bytes]] = {}
    for key, value in node.value:
        name = str(key.value)
        if name not in _LISTS:
            raise VocabularyError(_line(key), f'unknown field "{name}"')
        if not isinstance(value, yaml.SequenceNode):
            raise VocabularyError(_line(key), f"{name} is no list")
        words = [str(item.value).encode() for item in value.value]
        for item, word in zip(value.value, words, strict=True):
            if not word or word != word.lower():
                raise VocabularyError(
                    _line(item), f'{name}: "{word.decode()}" is not a word in lower case'
                )
        found[name] = frozenset(words)
    for name in _LISTS:
        if name not in found:
            raise VocabularyError(_line(node), f"{name} is missing")
    return Vocabulary(**found)


def _line(node: "yaml.Node") -> int:
    return node.start_mark.line + 1
