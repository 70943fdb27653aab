"""What takes the place of a hit: typed masks and keyed pseudonyms."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from glasshouse.keyring import pseudonym
from glasshouse.redaction.ascii import only_digits
from glasshouse.redaction.phones import number_of

UNCHECKED: Final = "[unchecked]"
# What the engine counts beside the names of rules.
UNCHECKED_RULE: Final = "unchecked"

_MASK: Final = re.compile(rb"\[([a-z][a-z0-9_]{0,31})(?::[0-9a-f.:*]{1,48})?\]")
# What takes the place of a text that was not checked, or did not settle.
# Of a user id: what `glasshouse.user_pseudonym` makes.
_OWN: Final = frozenset({b"unchecked", b"redacted", b"user"})
# Brackets, 32, a colon and 48.
_LONGEST: Final = 2 + 32 + 1 + 48


class Pseudonyms:
    """The pseudonyms under one key, or under the one that ``key`` returns at the time."""

    def __init__(self, key: bytes | Callable[[], bytes]) -> None:
        self._key = key

    @property
    def secret(self) -> bytes:
        return self._key if isinstance(self._key, bytes) else self._key()

    def of(self, text: bytes) -> bytes:
        return pseudonym(self.secret, text).encode()

    def of_user(self, text: bytes) -> bytes:
        return b"[user:" + self.of(text) + b"]"

    def of_email(self, text: bytes) -> bytes:
        """One name for an address, however its case; ``bytes.lower`` changes A to Z alone."""
        return self.of(text.lower())

    def of_phone(self, text: bytes) -> bytes:
        """One name for a number, however its digits are grouped, and whatever its extension."""
        return self.of(only_digits(number_of(text)).removeprefix(b"00"))


class Masks:
    """Recognises masks by the names that a policy gives them."""

    def __init__(self, names: Iterable[bytes]) -> None:
        self._names = _OWN | frozenset(names)

    def end(self, text: bytes, at: int) -> int:
        """Return the end of the mask that begins at ``at``, or -1."""
        found = _MASK.match(text, at)
        return found.end() if found and found[1] in self._names else -1

    def is_mask(self, text: bytes) -> bool:
        return bool(text) and self.end(text, 0) == len(text)

    def is_inside(self, text: bytes, start: int, end: int) -> bool:
        """Return whether ``text[start:end]`` lies wholly within a mask.

        A mask holds no ``[`` but its first, so only the last one at or before ``start`` can
        begin it.
        """
        opening = text.rfind(b"[", max(0, start - _LONGEST), start + 1)
        return opening >= 0 and self.end(text, opening) >= end
