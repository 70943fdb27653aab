"""Validators of numbers with a check digit: cards, IBANs, and the digits of a hit."""

from typing import Final

from glasshouse.redaction.ascii import ALNUM, DIGITS, all_same

SHORTEST: Final = 12
LONGEST: Final = 19
_LONG_MAESTRO: Final = frozenset({5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763})

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
        if issued and not (_is_issued(number) and _is_grouped(text[start:stop])):
            continue
        if luhn(number) and not all_same(number):
            return stop
    return None


def _is_issued(digits: bytes) -> bool:
    """Check prefix and length, by the issuers' published ranges."""
    count = len(digits)
    two, three, four = int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[:1] == b"4":
        return count in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return count == 16
    if two in (34, 37):
        return count == 15
    if (
        four == 6011
        or 644 <= three <= 649
        or two in (65, 62)
        or 3528 <= four <= 3589
        or 2200 <= four <= 2204
    ):
        return 16 <= count <= LONGEST
    if 300 <= three <= 305 or four == 3095:
        return count in (14, 16)
    if two in (36, 38, 39):
        return 14 <= count <= LONGEST
    if four == 5019:
        return count == 16
    return four in _LONG_MAESTRO and SHORTEST <= count <= LONGEST


def _is_grouped(hit: bytes) -> bool:
    """Accept one group, 4-4-4-k, 4-4-4-4-3, 4-6-5 and 4-6-4, with equal separators."""
    groups, separators = [0], set[int]()
    for c in hit:
        if c in DIGITS:
            groups[-1] += 1
        else:
            separators.add(c)
            groups.append(0)
    if len(separators) > 1:
        return False
    if len(groups) == 4:
        return groups[:3] == [4, 4, 4] and groups[3] <= 4
    return len(groups) == 1 or groups in ([4, 6, 5], [4, 6, 4], [4, 4, 4, 4, 3])


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
    chars = bytes(text[i] for i in places)
    if len(chars) < length:
        return None
    remainder = 0
    for c in chars[4:].lower() + chars[:4].lower():
        remainder = (remainder * 10 + c - 48) if c in DIGITS else (remainder * 100 + c - 87)
        remainder %= 97
    return places[-1] + 1 if remainder == 1 else None
