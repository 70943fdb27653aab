"""What is remembered of texts: the same few are most of what a service says."""

import hashlib
import re
import secrets
import sys
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

# An id that says nothing, perhaps with a prefix: each is new, and checked faster than remembered.
_LONE_ID: Final = re.compile(r"(?:[a-z]{1,4}_)?[0-9a-f]{32}")
_LONE_IDS: Final = range(32, 38)
_DIGEST_BYTES: Final = 16
# Of an entry beside its text: the hash, and its place in the map.
_ENTRY_BYTES: Final = 160


def is_lone_id(text: str) -> bool:
    return len(text) in _LONE_IDS and _LONE_ID.fullmatch(text) is not None


class Remembered(Generic[Key, Value]):
    """A bounded map. When it is full, the half goes that was not asked for of late."""

    def __init__(self, most: int) -> None:
        self._half = max(1, most // 2)
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: Key) -> Value | None:
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: Key, value: Value) -> None:
        young = self._young
        if len(young) >= self._half:
            self._old = young
            self._young = young = {}
        young[key] = value

    def clear(self) -> None:
        self._young = {}
        self._old = {}


class Sized(Remembered[bytes, str]):
    """The same, bounded by the bytes of what it holds. What takes half of them is not kept."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes)
        self._bytes = 0

    def put(self, key: bytes, value: str) -> None:
        size = _ENTRY_BYTES + sys.getsizeof(value)
        if size > self._half:
            return
        if self._bytes + size > self._half:
            self._old, self._young, self._bytes = self._young, {}, 0
        self._young[key] = value
        self._bytes += size

    def clear(self) -> None:
        super().clear()
        self._bytes = 0


class Hits:
    """What became of texts in which something was found, or of long ones in any case.

    They are known by a keyed hash: no text stays in memory for it. Pseudonyms hold as long as the
    secret that they were made with.
    """

    def __init__(self, kept: Remembered[bytes, str], secret: Callable[[], bytes]) -> None:
        self._kept = kept
        self._secret = secret
        self._made_with = b""
        # Of this process alone: the hashes mean nothing anywhere else.
        self._hash_key = secrets.token_bytes(_DIGEST_BYTES)

    def mark(self, key: str, text: str) -> bytes:
        """Return what stands for a text under a key."""
        both = f"{len(key)} {key}{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(both, digest_size=_DIGEST_BYTES, key=self._hash_key).digest()

    def get(self, mark: bytes) -> str | None:
        found = self._kept.get(mark)
        if found is None or self._is_current():
            return found
        return None

    def put(self, mark: bytes, redacted: str, made_with: bytes) -> None:
        """Remember a text that was redacted with that secret, if it still is the current one."""
        self._is_current()
        if made_with == self._made_with:
            self._kept.put(mark, redacted)

    def _is_current(self) -> bool:
        """Return whether what is remembered may be used; otherwise forget it."""
        secret = self._secret()
        if secret == self._made_with:
            return True
        self._kept.clear()
        self._made_with = secret
        return False
