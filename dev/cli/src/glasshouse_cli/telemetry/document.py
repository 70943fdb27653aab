"""YAML that knows where each of its parts stands, so that a fault names its line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from glasshouse_cli.errors import StackError


@dataclass(frozen=True, kw_only=True)
class Place:
    """A line of a file, named from the project's root."""

    file: str
    line: int

    def fault(self, message: str) -> StackError:
        """Return the error that names this place."""
        return StackError(f"{self.file}:{self.line}: {message}")


class Located(dict[str, Any]):
    """A YAML mapping, with the place of each key."""

    place: Place
    places: dict[str, Place]

    def only(self, what: str, allowed: Collection[str]) -> None:
        """Refuse a key that is not allowed."""
        for key in self:
            if key not in allowed:
                known = ", ".join(sorted(allowed))
                raise self.places[key].fault(f"{what} has no key {key}: use one of {known}")

    def text(self, what: str, key: str) -> str:
        """Return a text that must be there."""
        value = self.required(what, key)
        if not isinstance(value, str) or not value.strip():
            raise self.at(key).fault(f"{key} of {what} must be a text")
        return value

    def required(self, what: str, key: str) -> Any:
        """Return what must be there."""
        if self.get(key) is None:
            raise self.place.fault(f"{what} has no {key}: add it")
        return self[key]

    def mapping(self, what: str, key: str) -> Located:
        """Return a mapping; an empty one when it is not there."""
        value = self.get(key)
        if value is None:
            empty = Located()
            empty.place, empty.places = self.place, {}
            return empty
        if not isinstance(value, Located):
            raise self.at(key).fault(f"{key} of {what} must be a mapping")
        return value

    def mappings(self, what: str, key: str) -> list[Located]:
        """Return a list of mappings; an empty one when it is not there."""
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.at(key).fault(f"{key} of {what} must be a list")
        entries = cast("list[object]", value)
        for entry in entries:
            if not isinstance(entry, Located):
                raise self.at(key).fault(f"{key} of {what} must be a list of mappings")
        return cast("list[Located]", entries)

    def at(self, key: str) -> Place:
        """Return where a key stands, else where the mapping starts."""
        return self.places.get(key, self.place)


def read(root: Path, name: str) -> Located:
    """Read a file. Raises StackError naming file and line of what is no YAML."""
    try:
        text = (root / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StackError(f"{name} is missing: restore it, `git checkout {name}`") from None
    except (OSError, ValueError) as error:
        raise StackError(f"{name} cannot be read: {error}") from error
    try:
        document: object = yaml.load(text, _loader(name))  # noqa: S506  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Place(file=name, line=line).fault(f"not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise StackError(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, Located):
        raise Place(file=name, line=1).fault("the file must be a mapping")
    return document


def _loader(name: str) -> type[yaml.SafeLoader]:
    class Loader(yaml.SafeLoader):
        pass

    def construct(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Located:
        found = Located()
        found.place, found.places = _place(name, node), {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _place(name, key_node).fault(f"the key {key!r} must be a text: quote it")
            if key in found:
                raise _place(name, key_node).fault(f"the key {key} stands twice: keep one")
            found[key] = loader.construct_object(value_node, deep=True)
            found.places[key] = _place(name, key_node)
        return found

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct)
    return Loader


def _place(name: str, node: yaml.Node) -> Place:
    return Place(file=name, line=node.start_mark.line + 1)
