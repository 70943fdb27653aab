"""The configuration files, and single settings in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from glasshouse_cli.errors import StackError
from glasshouse_cli.limits.units import Parse

COLLECTOR = "collector/config.yaml"
LOKI = "loki/loki.yaml"
TEMPO = "tempo/tempo.yaml"
PROMETHEUS = "prometheus/prometheus.yaml"
FILES = (COLLECTOR, LOKI, TEMPO, PROMETHEUS)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting as it stands in a file. value: None when it is not there.

    file: from the project's root. key: with dots, for people. default: what the program takes
    when it is not there, and None where that is not known here. zero_is_none: whether 0 means
    that there is no bound.
    """

    file: str
    key: str
    value: object
    parse: Parse
    default: object = None
    zero_is_none: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.key}"

    @property
    def text(self) -> str:
        """The value for people."""
        if self.value is None:
            return f"{self.default} (not set: its default)"
        return str(self.value)

    @property
    def from_outside(self) -> bool:
        """Whether the value is known only when the program starts."""
        return isinstance(self.value, str) and "${" in self.value

    @property
    def missing(self) -> bool:
        """Whether there is nothing to compare."""
        return self.value is None and self.default is None

    def number(self) -> float:
        """Bytes, seconds or a count; infinite without a bound. ValueError when it is none."""
        found = self.parse(self.default if self.value is None else self.value)
        return math.inf if self.zero_is_none and found == 0 else found


@dataclass(frozen=True, kw_only=True)
class Ref:
    """Where a setting stands: the way to it through the file, and how to read it.

    hidden: how many steps at the start are left out of the key that people see.
    """

    file: str
    path: tuple[str, ...]
    parse: Parse
    hidden: int = 0
    default: object = None
    zero_is_none: bool = False

    def find(self, documents: Documents) -> Setting:
        return Setting(
            file=self.file,
            key=".".join(self.path[self.hidden :]),
            value=step(documents[self.file], self.path),
            parse=self.parse,
            default=self.default,
            zero_is_none=self.zero_is_none,
        )


Documents = Mapping[str, dict[str, Any]]


def load(root: Path) -> Documents:
    """All four files. Raises StackError naming the one that cannot be read."""
    return {name: _load(root, name) for name in FILES}


def _load(root: Path, name: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load((root / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StackError(f"{name} is missing: restore it, `git checkout {name}`") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StackError(f"{name} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise StackError(f"{name} has no settings")
    return cast("dict[str, Any]", document)


def step(document: object, path: Sequence[str]) -> object:
    """What stands at the end of a way through nested maps, None when it breaks off."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = cast("dict[str, object]", document).get(key)
    return document


def named(document: Mapping[str, Any], section: str, kind: str) -> Iterator[str]:
    """The Collector's components of a type: "pii", "pii/second" of processors."""
    components = document.get(section)
    if isinstance(components, dict):
        for name in cast("dict[str, object]", components):
            if name.partition("/")[0] == kind:
                yield name
