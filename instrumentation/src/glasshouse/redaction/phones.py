"""Validators of telephone numbers (ITU-T E.164, NANP)."""

import re
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


# What begins an extension: the letters of x and ext, #, ; and the comma of `…, ext 1`.
_EXTENSION: Final = re.compile(rb"[A-Za-z#;,]")
# Written for those who dial within the country; no part of the number.
_TRUNK: Final = b"(0)"


def number_of(hit: bytes) -> bytes:
    """Return a number without its extension, and without a (0) within it."""
    return hit[: _number_end(hit, 0, len(hit))].replace(_TRUNK, b"")


def _number_end(text: bytes, start: int, end: int) -> int:
    extension = _EXTENSION.search(text, start, end)
    stop = extension.start() if extension else end
    while extension and stop > start and text[stop - 1] not in DIGITS:
        stop -= 1
    return stop


def e164(text: bytes, start: int, end: int) -> int | None:
    """Return the end of an international number, or ``None``."""
    stop = _number_end(text, start, end)
    if stop == end and end < len(text) and text[end] in DIGITS:
        while end > start and text[end - 1] in DIGITS:
            end -= 1
        while end > start and text[end - 1] not in DIGITS:
            end -= 1
        stop = end
    digits = only_digits(number_of(text[start:stop]))
    prefix = 2 if digits.startswith(b"00") else 0
    digits = digits[prefix:]
    if digits[:1] == b"1":
        if len(digits) < 11 or not _is_nanp(digits[1:11]):
            return None
        return end if len(digits) == 11 else _after_digits(text, start, prefix + 11)
    code = _code_length(digits)
    return end if code and 4 <= len(digits) - code <= 12 and 7 <= len(digits) <= 15 else None


def _code_length(digits: bytes) -> int:
    if digits[:1] == b"7":
        return 1
    if digits[:2] in _TWO:
        return 2
    return 3 if digits[:2] in _THREE else 0


def _after_digits(text: bytes, start: int, count: int) -> int:
    """Return the place behind so many digits."""
    while count:
        count -= text[start] in DIGITS
        start += 1
    return start


def _is_nanp(digits: bytes) -> bool:
    return digits[0] >= 50 and digits[3] >= 50 and digits[4:6] != b"11"


def is_nanp(hit: bytes) -> bool:
    digits, _ = collect(hit, 0, len(hit))
    if len(digits) == 11 and digits[:1] == b"1":
        digits = digits[1:]
    return len(digits) == 10 and _is_nanp(digits)


def is_trunk(hit: bytes) -> bool:
    number = number_of(hit)
    if not 9 <= len(only_digits(number)) <= 13:
        return False
    return not (_starts_with_date(number) or _is_ssn(number) or _is_day(number))


def is_phone_digits(hit: bytes) -> bool:
    number = number_of(hit)
    digits = only_digits(number)
    if not 7 <= len(digits) <= 15 or all_same(digits):
        return False
    return len(number) < 10 or not is_date(number[:10])


def _is_day(hit: bytes) -> bool:
    """Recognise a hit that begins with a day as in 01/02, and goes on in another way."""
    return len(hit) > 5 and hit[2:3] == b"/" and hit[5] not in DIGITS and hit[5:6] != b"/"


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
