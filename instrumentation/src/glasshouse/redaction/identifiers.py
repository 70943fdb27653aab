"""Validators of national ids that `checks` does not describe."""

from glasshouse.redaction.ascii import ALNUM, DIGITS, all_same, is_date, only_digits


def is_ssn(hit: bytes) -> bool:
    digits = only_digits(hit)
    separators = bytes(c for c in hit if c not in DIGITS)
    if len(digits) != 9 or len(separators) == 1:
        return False
    if len(separators) == 2 and separators[0] != separators[1]:
        return False
    area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:])
    if area in (0, 666) or group == 0 or serial == 0:
        return False
    if area >= 900:  # an individual taxpayer number
        return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or group >= 94
    return True


def is_id_like(hit: bytes) -> bool:
    """For ids that count only beside their word."""
    count = sum(c in ALNUM for c in hit)
    digits = only_digits(hit)
    return 6 <= count <= 24 and len(digits) >= 5 and not all_same(digits) and not is_date(hit)
