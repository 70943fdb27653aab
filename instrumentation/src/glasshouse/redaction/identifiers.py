"""Validators of national ids, by each issuer's published check."""

from typing import Final

from glasshouse.redaction.ascii import ALNUM, DIGITS, all_same, are_digits, is_date, only_digits
from glasshouse.redaction.cards import luhn

_NIF_LETTERS: Final = b"TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_CHECKS: Final = b"0123456789ABCDEFHJKLMNPRSTUVWXY"
# The dihedral group D5 and its permutations (Verhoeff, 1969).
_MULTIPLY: Final = (
    b"0123456789 1234067895 2340178956 3401289567 4012395678 "
    b"5987604321 6598710432 7659821043 8765932104 9876543210"
).split()
_PERMUTE: Final = (
    b"0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258"
).split()


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


def is_nif(hit: bytes) -> bool:
    text = hit.replace(b"-", b"").upper()
    first = text[:1]
    head = bytes([first[0] - 88 + 48]) + text[1:-1] if first in (b"X", b"Y", b"Z") else text[:-1]
    if not head or any(c not in DIGITS for c in head):
        return False
    return _NIF_LETTERS[int(head) % 23] == text[-1]


def is_hetu(hit: bytes) -> bool:
    if len(hit) != len("010101-001A") or not are_digits(hit[:6] + hit[7:10]):
        return False
    day, month = int(hit[:2]), int(hit[2:4])
    number = int(hit[:6] + hit[7:10])
    return 1 <= day <= 31 and 1 <= month <= 12 and _HETU_CHECKS[number % 31] == hit[10]


def is_nric(hit: bytes) -> bool:
    if len(hit) != len("S1234567D") or not are_digits(hit[1:8]):
        return False
    total = sum((hit[i + 1] - 48) * weight for i, weight in enumerate((2, 7, 6, 5, 4, 3, 2)))
    letters, offset = {
        b"F": (b"XWUTRQPNMLK", 0),
        b"G": (b"XWUTRQPNMLK", 4),
        b"T": (b"JZIHGFEDCBA", 4),
        b"M": (b"XWUTRQPNJLK", 3),
    }.get(hit[:1], (b"JZIHGFEDCBA", 0))
    return letters[(total + offset) % 11] == hit[8]


def is_aadhaar(hit: bytes) -> bool:
    digits = only_digits(hit)
    check = 0
    for i, c in enumerate(reversed(digits)):
        check = _MULTIPLY[check][_PERMUTE[i % 8][c - 48] - 48] - 48
    return len(digits) == 12 and check == 0


def is_rrn(hit: bytes) -> bool:
    if len(hit) < len("900101") or not are_digits(hit[2:6]):
        return False
    return 1 <= int(hit[2:4]) <= 12 and 1 <= int(hit[4:6]) <= 31


def is_cpf(hit: bytes) -> bool:
    d = [c - 48 for c in only_digits(hit)]
    if len(d) != 11 or len(set(d)) == 1:
        return False
    return all(sum(d[i] * (n + 1 - i) for i in range(n)) * 10 % 11 % 10 == d[n] for n in (9, 10))


def is_tckn(hit: bytes) -> bool:
    if len(hit) != 11 or not are_digits(hit):
        return False
    d = [c - 48 for c in hit]
    odd, even = sum(d[0:9:2]), sum(d[1:8:2])
    return (odd * 7 - even) % 10 == d[9] and sum(d[:10]) % 10 == d[10]


def is_nhs(hit: bytes) -> bool:
    d = [c - 48 for c in only_digits(hit)]
    if len(d) != 10:
        return False
    total = sum(d[i] * (10 - i) for i in range(9))
    return (11 - total % 11) % 11 == d[9]


def is_luhn9(hit: bytes) -> bool:
    d = only_digits(hit)
    return len(d) == 9 and luhn(d) and not all_same(d)


def is_aba(hit: bytes) -> bool:
    d = [c - 48 for c in only_digits(hit)]
    total = sum(value * (3, 7, 1)[i % 3] for i, value in enumerate(d))
    return len(d) == 9 and total > 0 and total % 10 == 0


def is_id_like(hit: bytes) -> bool:
    """For ids that count only beside their word."""
    count = sum(c in ALNUM for c in hit)
    digits = only_digits(hit)
    return 6 <= count <= 20 and len(digits) >= 5 and not all_same(digits) and not is_date(hit)
