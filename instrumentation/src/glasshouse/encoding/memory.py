"""Remembers what was encoded, within bounds, so that what repeats outlives what does not."""

from collections.abc import Hashable
from typing import Any


class Memory:
    """Two generations: what is asked for lives on, the rest goes when the younger is full.

    entries, size: the most of one generation; size is characters and bytes.
    young: the younger one, for fast access; `get` asks both. It is replaced, not emptied, so
    another thread may go on reading one that it holds.
    """

    def __init__(self, entries: int, size: int) -> None:
        self.young: dict[Hashable, bytes] = {}
        self._old: dict[Hashable, bytes] = {}
        self._entries = entries
        self._most = size
        self._size = 0

    def get(self, key: Any) -> bytes | None:
        """Return what is remembered under ``key``."""
        found = self.young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found, 2 * len(found))
        return found

    def put(self, key: Any, encoded: bytes, size: int) -> None:
        """Remember. size: how many characters and bytes the key and what is encoded have."""
        if len(self.young) >= self._entries or self._size + size > self._most:
            self._old, self.young, self._size = self.young, {}, 0
        self.young[key] = encoded
        self._size += size
