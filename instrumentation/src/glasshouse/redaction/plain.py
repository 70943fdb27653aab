"""Makes plain values of whatever a caller hands over.

What cannot be read costs itself, and what never ends, such as a list that holds itself, is cut.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, cast

UNREADABLE: Final = "[unloggable]"
CUT: Final = "[cut]"
# Of one record: values in each other, and values in all.
MOST_LEVELS: Final = 16
MOST_VALUES: Final = 4096


class Reader:
    """Reads the values of one record."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def plain(self, value: Any, level: int = 0) -> Any:
        """Return a bool, number, text, bytes or ``None``, or lists and dicts of them."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        self._left -= 1
        if self._left < 0 or level > MOST_LEVELS:
            return CUT
        try:
            return self._read(value, level)
        # The caller's objects run here: they may raise anything.
        except Exception:  # noqa: BLE001 (see above)
            return UNREADABLE

    def _read(self, value: Any, level: int) -> Any:
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(cast(bytes, value))
        if isinstance(value, Mapping):
            members = cast(Mapping[Any, Any], value)
            return {self.name(name): self._item(item, level + 1) for name, item in members.items()}
        if isinstance(value, Sequence | Set):
            items = cast(Sequence[Any], value)
            return [self._item(item, level + 1) for item in items]
        return str(value)

    def _item(self, value: Any, level: int) -> Any:
        self._left -= 1
        return CUT if self._left < 0 else self.plain(value, level)

    def name(self, name: Any) -> str:
        """Return a name that an attribute may have."""
        try:
            return str(name) or "_"
        except Exception:  # noqa: BLE001 (as above)
            return UNREADABLE
