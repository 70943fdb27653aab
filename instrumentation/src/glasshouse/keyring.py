"""Files of keys, so that a key can be changed while everything runs.

A file holds one key per line. The first is the current one, which new things are made with; the
others are previous ones, which old things are still recognised by. A key is known by its id, two
hex digits that say nothing about it: they stand in each pseudonym and in each sealed value.
"""

import hashlib
import hmac
import time
from functools import lru_cache
from pathlib import Path
from typing import Final

# How long a file is believed to be as it was read.
READ_AGAIN_AFTER_S: Final = 1.0
PSEUDONYM_LENGTH: Final = 16

_ID_LENGTH: Final = 2
_ID_MESSAGE: Final = b"glasshouse key id"


def keys_of(text: str) -> tuple[str, ...]:
    """Return the keys that the text of a file holds, the current one first.

    White space around a key and empty lines do not count.
    """
    return tuple(key for line in text.split("\n") if (key := line.strip()))


@lru_cache(maxsize=64)
def key_id(key: bytes) -> str:
    """Return the id of a key: the first 2 hex digits of HMAC-SHA256 over a fixed text."""
    return hmac.new(key, _ID_MESSAGE, hashlib.sha256).hexdigest()[:_ID_LENGTH]


def pseudonym(key: bytes, text: bytes) -> str:
    """Return the 16 hex digits that stand for ``text``: the key's id, and 14 of HMAC-SHA256."""
    # In one call, which takes half as long as an object's.
    digest = hmac.digest(key, text, "sha256").hex()
    return key_id(key) + digest[: PSEUDONYM_LENGTH - _ID_LENGTH]


def pseudonym_without_id(key: bytes, text: bytes) -> str:
    """Return what stood for ``text`` before pseudonyms had a key's id."""
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]


class KeyFile:
    """The keys of a file, read again when it has changed.

    A change is noticed within a second. What cannot be read, or holds no key, changes nothing: a
    file that is being written must not end what uses it.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            OSError: it cannot be read.
            UnicodeDecodeError: it is not UTF-8.
        """
        self.path = path
        self._stamp = self._stamped()
        self._keys = keys_of(path.read_text(encoding="utf-8"))
        self._read_at = time.monotonic()

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, the current one first; none, if the file held none from the start."""
        if time.monotonic() - self._read_at >= READ_AGAIN_AFTER_S:
            self.read_again()
        return self._keys

    def read_again(self) -> bool:
        """Read the file now, if it has changed. Return whether the keys are others than before."""
        self._read_at = time.monotonic()
        try:
            stamp = self._stamped()
            if stamp == self._stamp:
                return False
            keys = keys_of(self.path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return False
        self._stamp = stamp
        if not keys or keys == self._keys:
            return False
        self._keys = keys
        return True

    def _stamped(self) -> tuple[int, int, int]:
        found = self.path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
