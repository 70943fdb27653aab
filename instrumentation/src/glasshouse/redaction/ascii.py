"""Characters as the policy means them: bytes of UTF-8, of which only ASCII ones are special."""

from collections.abc import Set
from typing import Final

from glasshouse.redaction import budget

DIGITS: Final = frozenset(b"0123456789")
LOWER: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz")
UPPER: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
ALNUM: Final = DIGITS | LOWER | UPPER
NOT_DIGITS: Final = bytes(set(range(256)) - DIGITS)


def only_digits(text: bytes) -> bytes:
    """Return the digits of ``text``, in their order."""
    return text.translate(None, NOT_DIGITS)


def are_digits(text: bytes) -> bool:
    return not text or text.isdigit()


def characters(text: bytes) -> Set[int]:
    """Return the bytes that are in a text."""
    if len(text) <= budget.STRETCH:
        return set(text)
    found = set[int]()
    for start, end in budget.stretches(len(text)):
        found.update(text[start:end])
    return found


def all_same(digits: bytes) -> bool:
    return digits == digits[:1] * len(digits)


def is_mixed_case(text: bytes) -> bool:
    """Return whether a digit, an upper-case and a lower-case letter are in it."""
    found = characters(text)
    return bool(found & DIGITS and found & UPPER and found & LOWER)


def is_date(text: bytes) -> bool:
    """Recognise 2026-11-25 and 25.11.2026, with any one separator between the groups."""
    if len(text) != 10:
        return False
    year_first = are_digits(text[:4] + text[5:7] + text[8:])
    if year_first and text[4] not in ALNUM and text[4] == text[7]:
        return True
    day_first = are_digits(text[:2] + text[3:5] + text[6:])
    return day_first and text[2] not in ALNUM and text[2] == text[5]
