"""Validators of numbers with a check digit: cards, IBANs, and the digits of a hit."""

import re
from typing import Final

from glasshouse.redaction.ascii import ALNUM, DIGITS, LOWER, UPPER, all_same

BLANK: Final = 0x20
_SEPARATOR: Final = re.compile(rb"[^0-9]+")
SHORTEST: Final = 12
LONGEST: Final = 19
# Beside the ranges that `_is_issued` checks: the first six digits of issuers of 16, by scheme.
_SIXTEEN_TEXT: Final = """
# Elo, Hipercard, Verve, RuPay, Meeza, Cabal, Naranja, Shopping, InstaPayment, mada
504175 506699-506778 509000-509999 627780 636297 636368 606282 506099-506198
507865-507964 606985-607984 608001-608500 508500-508999
507803-507808 604201-604219 589657 589562 603488 637000-639999 588845-588851
# Troy, Humo, Uzcard, Belkart, ArCa
979200-979289 986000-986099 860000-860099 911200-911299 905100-905199
# the banks of Iran
502206 502229 502806 502908 502938 504172 505416 505785 505801 507677 585983 589210
589463 603761 603769-603770 603799 606256 606373 610433 636214 636949
# Maestro of 16
501600-501699 670000-679999
"""
_SIXTEEN: Final = tuple(
    (int(first), int(last or first))
    for line in _SIXTEEN_TEXT.splitlines()
    if not line.startswith("#")
    for first, _, last in (part.partition("-") for part in line.split())
)
_MAESTRO: Final = frozenset({5018, 5020, 5038, 5893, 6304, 6390, 6759, 6761, 6762, 6763})
# A number so long or so short counts in one run only within a sentence.
_IN_SENTENCES: Final = frozenset({12, 17, 18, 19})

# That of Norway.
SHORTEST_IBAN: Final = 15

# Lengths of the SWIFT IBAN registry and of the countries that use IBANs outside it.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "AO CV GW LY MZ PT ST",
        26: "DZ IR IS TR",
        27: "BI CF CG CM DJ FR GA GQ GR IT KM MC MG MR SM TD",
        28: "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def luhn(digits: bytes) -> bool:
    """Check ISO/IEC 7812-1."""
    total = 0
    for index, c in enumerate(reversed(digits)):
        d = c - 48
        if index % 2:
            d = d * 2 - 9 if d > 4 else d * 2
        total += d
    return total % 10 == 0


def collect(text: bytes, start: int, end: int) -> tuple[bytes, list[int]]:
    """Return the first 19 digits of a hit, and the position after each."""
    ends = [i + 1 for i in range(start, end) if text[i] in DIGITS][:LONGEST]
    return bytes(text[i - 1] for i in ends), ends


def card(text: bytes, start: int, end: int) -> int | None:
    """Return the end of the longest card number that begins the hit, or ``None``."""
    return _longest(text, start, end, issued=True)


def luhn_number(text: bytes, start: int, end: int) -> int | None:
    """As `card`, of any issuer and grouping."""
    return _longest(text, start, end, issued=False)


def _longest(text: bytes, start: int, end: int, *, issued: bool) -> int | None:
    digits, ends = collect(text, start, end)
    for count in range(len(digits), SHORTEST - 1, -1):
        stop = ends[count - 1]
        if stop < len(text) and text[stop] in ALNUM:
            continue
        number = digits[:count]
        alone = stop - start == count and not _in_sentence(text, start)
        if issued and not (_is_issued(number, alone=alone) and _is_grouped(text[start:stop])):
            continue
        if luhn(number) and not all_same(number):
            return stop
    return None


def _in_sentence(text: bytes, start: int) -> bool:
    """Return whether a number stands by itself: first in the text, or behind a blank."""
    if start < 2:
        return start == 0
    return text[start - 1] == BLANK and text[start - 2] not in b"=:"


def _is_issued(digits: bytes, *, alone: bool) -> bool:
    """Check prefix and length, by the issuers' published ranges.

    ``alone``: in one run and in no sentence, where many ids are as long.
    """
    count = len(digits)
    if alone and count in _IN_SENTENCES:
        return False
    two, three, four = int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[:1] == b"4":
        return count in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return count == 16
    if two in (34, 37) or four in (1800, 2131):
        return count == 15
    if (
        four == 6011
        or 644 <= three <= 649
        or two in (65, 62)
        or 3528 <= four <= 3589
        or 2200 <= four <= 2204
        or 8110 <= four <= 8171
    ):
        return 16 <= count <= LONGEST
    if 300 <= three <= 305 or four == 3095:
        return count in (14, 16)
    if two in (36, 38, 39):
        return 14 <= count <= LONGEST
    if four in _MAESTRO and SHORTEST <= count <= LONGEST:
        return True
    if four == 5019:
        return count == 16
    if alone or count != 16:
        return False
    six = int(digits[:6])
    return two == 35 or any(low <= six <= high for low, high in _SIXTEEN)


def _is_grouped(hit: bytes) -> bool:
    """Accept 4-4-4-k, 4-4-4-4-3, 4-6-5, 4-6-4, 8-8 with blanks, and one; with equal separators."""
    groups = _SEPARATOR.split(hit)
    if len(set(_SEPARATOR.findall(hit))) > 1:
        return False
    sizes = [len(group) for group in groups]
    if len(sizes) == 4:
        return sizes[:3] == [4, 4, 4] and sizes[3] <= 4
    if sizes == [8, 8]:
        return hit[8:9] == b" "
    return len(sizes) == 1 or sizes in ([4, 6, 5], [4, 6, 4], [4, 4, 4, 4, 3])


def iban(text: bytes, start: int, end: int) -> int | None:
    """Return the end of an IBAN (ISO 13616: length of its country, mod 97), or ``None``."""
    if end - start < SHORTEST_IBAN:
        return None
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper().decode("latin-1"))
    if length is None:
        return None
    places = [i for i in range(start, end) if text[i] in ALNUM][:length]
    chars = bytes(text[i] for i in places)
    found = set(chars)
    if len(chars) < length or (found & UPPER and found & LOWER):
        return None
    remainder = 0
    for c in chars[4:].lower() + chars[:4].lower():
        remainder = (remainder * 10 + c - 48) if c in DIGITS else (remainder * 100 + c - 87)
        remainder %= 97
    return places[-1] + 1 if remainder == 1 else None
