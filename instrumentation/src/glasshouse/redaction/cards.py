"""Validators of numbers with a check digit: cards, IBANs, and the digits of a hit."""

import re
from typing import Final

from glasshouse.redaction import budget
from glasshouse.redaction.ascii import ALNUM, DIGITS, LOWER, UPPER, all_same, only_digits

BLANK: Final = 0x20
_MOST_GROUPS: Final = 5
_SEPARATOR: Final = re.compile(rb"[^0-9]+")
VISA_OF_OLD: Final = 13
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

# That of Norway.
SHORTEST_IBAN: Final = 15

# Lengths of the SWIFT IBAN registry, of countries outside it, and of overseas territories that use
# the form of France, Britain or Finland.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "AX DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE GG IE IM JE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "AO CV GW LY MZ PT ST",
        26: "DZ IR IS TR",
        27: "BI BL CF CG CM DJ FR GA GF GP GQ GR IT KM MC MF MG MQ MR NC PF PM RE SM TD TF WF YT",
        28: "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


# Of each digit, and of it twice with the digits of that added up.
_VALUES: Final = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def luhn(digits: bytes) -> bool:
    """Check ISO/IEC 7812-1."""
    single, double = digits[::-2], digits[-2::-2]
    return (sum(single.translate(_VALUES)) + sum(double.translate(_DOUBLED))) % 10 == 0


def collect(text: bytes, start: int, end: int) -> tuple[bytes, list[int]]:
    """Return the first 19 digits of a hit, and the position after each."""
    ends = [i + 1 for i in range(start, end) if text[i] in DIGITS][:LONGEST]
    return only_digits(text[start:end])[:LONGEST], ends


def card(text: bytes, start: int, end: int) -> int | None:
    """Return the end of the longest card number that begins the hit, or ``None``."""
    return _longest(text, start, end, issued=True)


def luhn_number(text: bytes, start: int, end: int) -> int | None:
    """As `card`, of any issuer and grouping."""
    return _longest(text, start, end, issued=False)


def _longest(text: bytes, start: int, end: int, *, issued: bool) -> int | None:
    digits, ends = collect(text, start, end)
    if len(digits) >= SHORTEST:
        budget.ask(budget.FEW)
    for count in range(len(digits), SHORTEST - 1, -1):
        stop = ends[count - 1]
        if stop < len(text) and text[stop] in ALNUM:
            continue
        number = digits[:count]
        if issued:
            if stop - start == count and not _may_be_one_run(number, text, start):
                continue
            if not (_is_grouped(text[start:stop]) and _is_issued(number)):
                continue
        if luhn(number) and not all_same(number):
            return stop
    return None


def _may_be_one_run(number: bytes, text: bytes, start: int) -> bool:
    """Sort out what is more often an id: by its length, and where it stands in no sentence."""
    count = len(number)
    in_sentence = start > 1 and text[start - 1] == BLANK and text[start - 2] not in b"=:"
    if count in (17, 18):
        return False
    if count == LONGEST:
        return in_sentence and number[:1] == b"4"
    if count == SHORTEST:
        return in_sentence
    return start == 0 or in_sentence or not (count == VISA_OF_OLD or _is_rare(number))


def _is_rare(number: bytes) -> bool:
    """Recognise the issuers of 16 digits that are known by more than four, and Maestro's of 12."""
    two, four, six = int(number[:2]), int(number[:4]), int(number[:6])
    if len(number) == SHORTEST:
        return 56 <= two <= 58
    if len(number) != 16 or 3528 <= four <= 3589:
        return False
    return two == 35 or any(low <= six <= high for low, high in _SIXTEEN)


def _is_issued(digits: bytes) -> bool:
    """Check prefix and length, by the issuers' published ranges."""
    count = len(digits)
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
    return _is_rare(digits)


def _is_grouped(hit: bytes) -> bool:
    """Accept 4-4-4-k, 4-4-4-4-3, 4-6-5, 4-6-4, 8-8 with blanks, and one; with equal separators."""
    separators = _SEPARATOR.findall(hit)
    if len(separators) >= _MOST_GROUPS or len(set(separators)) > 1:
        return False
    groups = _SEPARATOR.split(hit)
    sizes = [len(group) for group in groups]
    if len(sizes) == 4:
        return sizes[:3] == [4, 4, 4] and sizes[3] <= 4
    if sizes == [8, 8]:
        return hit[8:9] == b" "
    return len(sizes) == 1 or sizes in ([4, 6, 5], [4, 6, 4], [4, 4, 4, 4, 3])


def iban(text: bytes, start: int, end: int) -> int | None:
    """Return the end of an IBAN (ISO 13616: length of its country, mod 97), or ``None``."""
    if text[start : min(start + 4, end)].lower() == b"iban":
        start += 4
    if end - start < SHORTEST_IBAN:
        return None
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper().decode("latin-1"))
    if length is None:
        return None
    places = [i for i in range(start, end) if text[i] in ALNUM][:length]
    if any(i > start and text[i] in UPPER and text[i - 1] in LOWER for i in places):
        return None  # West and WEST, but not wEST
    chars = bytes(text[i] for i in places)
    if len(chars) < length:
        return None
    remainder = 0
    for c in chars[4:].lower() + chars[:4].lower():
        remainder = (remainder * 10 + c - 48) if c in DIGITS else (remainder * 100 + c - 87)
        remainder %= 97
    return places[-1] + 1 if remainder == 1 else None
