"""Ids within a text: 32 hex digits, and UUIDs. A part of one is no number of a person."""

import re
from typing import Final

from glasshouse.redaction import budget
from glasshouse.redaction.ascii import ALNUM

_WORDS_AS_A: Final = bytes(0x41 if c in ALNUM else 0x20 for c in range(256))
_HEX_DIGITS: Final = 32
_UUID_DIGITS: Final = 36
_GROUPS: Final = (8, 4, 4, 4, 12)
# How they look where each letter and digit is an A and all else is a blank.
_HEX_SHAPE: Final = b" " + b"A" * _HEX_DIGITS + b" "
_UUID_SHAPE: Final = b" " + b" ".join(b"A" * group for group in _GROUPS) + b" "
_HEX: Final = re.compile(rb"[0-9a-f]{32}|[0-9A-F]{32}")
_UUID: Final = re.compile(rb"-".join(rb"[0-9A-Fa-f]{%d}" % group for group in _GROUPS))
# No pattern of the policy matches it.
_BLANK: Final = b"\x01"


class Blanked:
    """`without_ids` of one text. It is found when it is first asked for."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._found: bytes | None = None

    def text(self) -> bytes:
        if self._found is None:
            self._found = without_ids(self._text)
        return self._found


def without_ids(text: bytes) -> bytes:
    """Return the text with U+0001 for each character of an id; the same object if there is none.

    An id of digits alone is none: it may be a number.
    """
    if len(text) < _HEX_DIGITS:
        return text
    words = b" " + text.translate(_WORDS_AS_A) + b" "
    budget.share_after(len(text))
    found = _found(text, words, _HEX_SHAPE, _HEX)
    budget.share_after(len(text))
    if text.find(b"-") >= 0:
        found += _found(text, words, _UUID_SHAPE, _UUID)
    if not found:
        return text
    blanked = bytearray(text)
    for start, end in found:
        budget.step()
        blanked[start:end] = _BLANK * (end - start)
    return bytes(blanked)


def _found(
    text: bytes, words: bytes, shape: bytes, form: re.Pattern[bytes]
) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    size = len(shape) - 2
    # The blank before the text makes a place in `words` that of the character behind it.
    at = words.find(shape)
    while at >= 0:
        budget.step()
        end = at + size
        if form.fullmatch(text, at, end) and not text[at:end].replace(b"-", b"").isdigit():
            found.append((at, end))
        at = words.find(shape, at + 1)
    return found
