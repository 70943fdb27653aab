"""Which console lines take too long to redact on a thread that runs an event loop."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final, cast

from glasshouse.formatters import Parts

# In microseconds, of one line: a part of what a loop may be stopped for.
_MOST: Final = 1_500.0
# What is longer always is.
_LONGEST: Final = 4_096
# Microseconds, rather too many: of a character, and of those that make the engine look closer.
_EACH: Final = 0.15
_OF: Final = (("@", 60.0), *((digit, 6.0) for digit in "0123456789"), *((c, 2.0) for c in '=:{["%'))
_NON_ASCII: Final = 4.0
_VALUE: Final = 5.0
_SIMPLE: Final = frozenset((str, int, float, bool, type(None), bytes))
_LISTS: Final = frozenset((list, tuple))
# What the redactor takes for something else than its text.
_NO_TEXTS: Final = (str, int, float, bytes, bytearray, memoryview, Mapping, Sequence, Set)
_DEEPEST: Final = 32
_MOST_VALUES: Final = 10_000


class _Foreign(Exception):
    """There is an object that only the calling thread may read."""


class _Freezer:
    """Copies what is made of Python's own values. `size` is the length of all its texts."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES
        self.size = 0

    def value(self, value: Any, level: int = 0) -> Any:
        if type(value) in _SIMPLE:
            self.size += len(value) if isinstance(value, (str, bytes)) else 0
            return value
        self._left -= 1
        if level > _DEEPEST or self._left < 0:
            raise _Foreign
        if type(value) in _LISTS:
            items = [self.value(item, level + 1) for item in cast("Iterable[Any]", value)]
            return items if isinstance(value, list) else tuple(items)
        if type(value) is dict:
            members = cast("dict[Any, Any]", value)
            if not all(type(name) in _SIMPLE for name in members):
                raise _Foreign
            return {name: self.value(item, level + 1) for name, item in members.items()}
        if isinstance(value, _NO_TEXTS):
            raise _Foreign
        # As the redactor would take it.
        text: Any = str(value)
        if type(text) is not str:
            raise _Foreign
        self.size += len(text)
        return text


def frozen(parts: Parts) -> tuple[Parts, int] | None:
    """Return the same in values that nobody else can change, and how many characters they have.

    None where that cannot be: sets, whose order may change, and containers of another class.
    """
    freezer = _Freezer()
    try:
        fields = freezer.value(parts.fields)
        size = freezer.size + len(parts.message) + len(parts.exception or "")
        return parts._replace(fields=fields), size
    except Exception:  # noqa: BLE001 (another thread may be changing one)
        return None


def is_costly(parts: Parts) -> bool:
    """Return whether redacting these parts may take long."""
    cost = _cost(parts.message) + _cost(parts.exception or "")
    for key, value in parts.fields.items():
        if cost > _MOST:
            return True
        cost += _cost(key) + _cost(value)
    return cost > _MOST


def _cost(value: Any, level: int = 0) -> float:
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, bytes):
        return _of_text(value.decode("latin-1"))
    if isinstance(value, dict):
        members = cast("dict[Any, Any]", value)
        value = [*members, *members.values()]
    if not isinstance(value, (list, tuple)) or level > _DEEPEST:
        return _VALUE
    cost = _VALUE
    for item in cast("Iterable[Any]", value):
        cost += _cost(item, level + 1)
        if cost > _MOST:
            break
    return cost


def _of_text(text: str) -> float:
    if len(text) > _LONGEST:
        return _MOST + 1
    cost = _VALUE + len(text) * (_EACH if text.isascii() else _NON_ASCII)
    for character, microseconds in _OF:
        if found := text.count(character):
            cost += found * microseconds
    return cost
