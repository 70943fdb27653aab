"""The limits of a policy: numbers, each with the least and the most that make sense."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import yaml

_WHOLE: Final = re.compile(r"[0-9]{1,18}")
_RANGES: Final = {
    "max_bytes": (1, 1 << 30),
    "max_json_depth": (1, 256),
    "max_nested_json": (0, 16),
    "max_passes": (2, 16),
    "max_hits": (1, 1 << 30),
    "context_before": (0, 1024),
    "context_after": (0, 1024),
    "min_number_digits": (1, 18),
    "max_whole_float": (1, 2**53),
}
# Those that a policy of before does not have.
_DEFAULTS: Final = {"max_hits": 2000}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The meaning of each is in ``rules.yaml``, beside it."""

    max_bytes: int
    max_json_depth: int
    max_nested_json: int
    max_passes: int
    max_hits: int
    context_before: int
    context_after: int
    min_number_digits: int
    max_whole_float: int


class LimitError(ValueError):
    """A limit is unusable; ``line`` is where it stands, or 0."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"limits: {problem}")
        self.line = line


def read_limits(node: "yaml.Node | None") -> Limits:
    """Read the map ``limits``.

    Raises:
        LimitError: one is missing, unknown or makes no sense.
    """
    # Only a policy of one's own is read from its file.
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise LimitError(0 if node is None else _line(node), "is missing or no map")
    found = dict[str, int]()
    for key, value in node.value:
        name = str(key.value)
        if name not in _RANGES:
            raise LimitError(_line(key), f'unknown field "{name}"')
        if name in found:
            raise LimitError(_line(key), f"{name} is there twice")
        least, most = _RANGES[name]
        text = value.value if isinstance(value, yaml.ScalarNode) else ""
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise LimitError(
                _line(key), f'{name} is "{text}", must be a whole number from {least} to {most}'
            )
        found[name] = int(text)
    found = _DEFAULTS | found
    for name in _RANGES:
        if name not in found:
            raise LimitError(_line(node), f"{name} is missing")
    return Limits(**found)


def _line(node: "yaml.Node") -> int:
    return node.start_mark.line + 1
