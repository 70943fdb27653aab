"""Validators of telephone numbers (ITU-T E.164, NANP)."""

from typing import Final

from glasshouse.redaction.ascii import DIGITS, all_same, are_digits, is_date, only_digits
from glasshouse.redaction.cards import collect

# Assigned country calling codes: whole codes of two digits, and the first two digits of those
# of three.
_TWO: Final = frozenset(
    b"20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 "
    b"64 65 66 81 82 84 86 90 91 92 93 94 95 98".split()
)
_THREE: Final = frozenset(
    b"21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99".split()
)


def e164(text: bytes, start: int, end: int) -> int | None:
    """Return the end of an international number, or ``None``."""
    if end < len(text) and text[end] in DIGITS:
        while end > start and text[end - 1] in DIGITS:
            end -= 1
        while end > start and text[end - 1] not in DIGITS:
            end -= 1
        if end <= start:
            return None
    digits, ends = collect(text, start, end)
    if len(digits) < 2:
        return None
    if digits[:1] == b"1":
        return ends[10] if len(digits) >= 11 and _is_nanp(digits[1:11]) else None
    if digits[:1] == b"7":
        code = 1
    elif digits[:2] in _TWO:
        code = 2
    elif digits[:2] in _THREE:
        code = 3
    else:
        return None
    return end if 4 <= len(digits) - code <= 12 and 7 <= len(digits) <= 15 else None


def _is_nanp(digits: bytes) -> bool:
    return digits[0] >= 50 and digits[3] >= 50 and digits[4:6] != b"11"


def is_nanp(hit: bytes) -> bool:
    digits, _ = collect(hit, 0, len(hit))
    if len(digits) == 11 and digits[:1] == b"1":
        digits = digits[1:]
    return len(digits) == 10 and _is_nanp(digits)


def is_trunk(hit: bytes) -> bool:
    return 9 <= len(only_digits(hit)) <= 12 and not _starts_with_date(hit) and not _is_ssn(hit)


def is_phone_digits(hit: bytes) -> bool:
    digits = only_digits(hit)
    if not 7 <= len(digits) <= 15 or all_same(digits):
        return False
    return len(hit) < 10 or not is_date(hit[:10])


def _starts_with_date(hit: bytes) -> bool:
    return (
        len(hit) >= 10
        and are_digits(hit[:2] + hit[3:5] + hit[6:10])
        and hit[2] == hit[5]
        and hit[2] in b"-/ "
    )


def _is_ssn(hit: bytes) -> bool:
    return (
        len(hit) == 11
        and are_digits(hit[:3] + hit[4:6] + hit[7:])
        and hit[3] not in DIGITS
        and hit[6] not in DIGITS
    )
