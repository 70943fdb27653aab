"""Check digits by a description: the rows of `checks` in the policy.

What each field means is in `redaction/README.md`. A new kind of number is a new row, no code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from glasshouse.redaction.ascii import ALNUM, DIGITS, UPPER, all_same, are_digits
from glasshouse.redaction.cards import luhn

# The longest number that a check describes, in letters and digits.
LONGEST_CHECKED: Final = 32
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# The dihedral group D5 and its permutations (Verhoeff, 1969).
_MULTIPLY: Final = (
    b"0123456789 1234067895 2340178956 3401289567 4012395678 "
    b"5987604321 6598710432 7659821043 8765932104 9876543210"
).split()
_PERMUTE: Final = (
    b"0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258"
).split()

_FIELDS: Final = frozenset(
    {
        "name",
        "length",
        "groups",
        "separators",
        "begins",
        "date",
        "not_date",
        "not_years",
        "years",
        "months",
        "days",
        "letters",
    }
    | {"parts", "sums", "scheme", "scheme_from"}
)
_PART_FIELDS: Final = frozenset({"at", "digits", "first", "last"})
_SUM_FIELDS: Final = frozenset({"weights", "modulus", "check", "at", "remainders"})


def _is_verhoeff(chars: bytes) -> bool:
    check = 0
    for i, c in enumerate(reversed(chars)):
        check = _MULTIPLY[check][_PERMUTE[i % 8][c - 48] - 48] - 48
    return check == 0


def _is_mod_11_10(chars: bytes) -> bool:
    """Check ISO/IEC 7064, MOD 11,10."""
    product = 10
    for c in chars[:-1]:
        product = ((product + c - 48) % 10 or 10) * 2 % 11
    return (product + chars[-1] - 48) % 10 == 1


SCHEMES: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "luhn": luhn,
    "mod_11_10": _is_mod_11_10,
    "verhoeff": _is_verhoeff,
}


class CheckError(ValueError):
    """A row of `checks` means nothing."""


@dataclass(frozen=True, kw_only=True)
class WeightedSum:
    """Either the character ``at`` is that of ``check`` for the remainder, or that is allowed."""

    weights: tuple[int, ...]
    modulus: int
    check: bytes
    at: int
    remainders: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """So many digits from ``at`` are a number from ``first`` to ``last``."""

    at: int
    digits: int
    first: int
    last: int

    def holds(self, chars: bytes) -> bool:
        digits = chars[self.at : self.at + self.digits]
        return digits.isdigit() and self.first <= int(digits) <= self.last


@dataclass(frozen=True, kw_only=True)
class Check:
    """What the letters and digits of a number must satisfy."""

    name: str
    lengths: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]
    separators: bytes
    begins: tuple[bytes, ...]
    date: bytes
    not_date: bytes
    years: tuple[int, ...]
    not_years: tuple[int, ...]
    months: tuple[int, ...]
    days: tuple[int, ...]
    letters: Mapping[int, int]
    parts: tuple[Part, ...]
    sums: tuple[WeightedSum, ...]
    scheme: Callable[[bytes], bool] | None
    scheme_from: int

    def holds(self, hit: bytes) -> bool:
        chars = bytes(c for c in hit if c in ALNUM).upper()
        if len(chars) not in self.lengths or all_same(chars):
            return False
        return self._is_written(hit) and self._holds(chars)

    def _is_written(self, hit: bytes) -> bool:
        """Check the groups of letters and digits, and what stands between them."""
        groups, between = [0], True
        for c in hit:
            if c not in ALNUM:
                between = between and (not self.separators or c in self.separators)
                groups.append(0)
            else:
                groups[-1] += 1
        if not self.groups:
            return between
        return between and tuple(n for n in groups if n) in self.groups

    def _holds(self, chars: bytes) -> bool:
        if self.begins and not chars.startswith(self.begins):
            return False
        if self.date and not self._has_date(chars, self.date, self.years):
            return False
        if self.not_date and self._has_date(chars, self.not_date, self.not_years):
            return False
        if not all(part.holds(chars) for part in self.parts):
            return False
        if not all(self._sums_up(each, chars) for each in self.sums):
            return False
        if self.scheme is None:
            return True
        checked = chars[self.scheme_from :]
        return are_digits(checked) and self.scheme(checked)

    def _has_date(self, chars: bytes, form: bytes, years: tuple[int, ...]) -> bool:
        parts = {ord("y"): 0, ord("m"): 0, ord("d"): 0}
        for c, kind in zip(chars, form, strict=False):
            if kind in parts:
                if c not in DIGITS:
                    return False
                parts[kind] = parts[kind] * 10 + c - 48
        year, month, day = parts.values()
        if ord("d") not in form:
            day = 1
        if years:
            first, last = years
            within = first <= year <= last if first <= last else year >= first or year <= last
            if not within:
                return False
        return any(
            1 <= day - more <= _DAYS[month - plus - 1]
            for plus in self.months
            if 1 <= month - plus <= len(_DAYS)
            for more in self.days
        )

    def _sums_up(self, each: WeightedSum, chars: bytes) -> bool:
        total = 0
        for c, weight in zip(chars, each.weights, strict=False):
            if not weight:
                continue
            value = c - 48 if c in DIGITS else self.letters.get(c)
            if value is None:
                return False
            total += value * weight
        remainder = total % each.modulus
        if each.check:
            return each.at < len(chars) and each.check[remainder] == chars[each.at]
        return remainder in each.remainders


def read_check(entry: Mapping[str, Any]) -> Check:
    """Return the check that a row describes.

    Raises:
        CheckError: says what is wrong.
    """
    _only(entry, _FIELDS)
    lengths = tuple(_numbers(entry, "length"))
    if not lengths or not all(2 <= n <= LONGEST_CHECKED for n in lengths):
        raise CheckError(f"length: must be 2 to {LONGEST_CHECKED}")
    years, not_years = tuple(_numbers(entry, "years")), tuple(_numbers(entry, "not_years"))
    for field, both in (("years", years), ("not_years", not_years)):
        if len(both) not in (0, 2):
            raise CheckError(f"{field}: must be the first and the last")
    groups = tuple(
        tuple(_numbers({"groups": each}, "groups")) for each in entry.get("groups") or ()
    )
    if any(sum(each) not in lengths for each in groups):
        raise CheckError("groups: each must be as long as the number")
    scheme, scheme_from = entry.get("scheme", ""), entry.get("scheme_from", 0)
    if not 0 <= scheme_from < min(lengths):
        raise CheckError("scheme_from: must be a place in the number")
    if scheme and scheme not in SCHEMES:
        raise CheckError(f'unknown scheme "{scheme}": use {", ".join(SCHEMES)}')
    check = Check(
        name=entry["name"],
        lengths=lengths,
        begins=tuple(str(text).encode() for text in entry.get("begins") or ()),
        date=_date(entry, "date"),
        not_date=_date(entry, "not_date"),
        years=years,
        not_years=not_years,
        groups=groups,
        separators=str(entry.get("separators", "")).encode(),
        months=tuple(_numbers(entry, "months")) or (0,),
        days=tuple(_numbers(entry, "days")) or (0,),
        letters=_letters(entry.get("letters") or {}),
        parts=tuple(_part(item) for item in entry.get("parts") or ()),
        sums=tuple(_weighted_sum(item) for item in entry.get("sums") or ()),
        scheme=SCHEMES.get(scheme),
        scheme_from=scheme_from,
    )
    if not (check.date or check.parts or check.sums or check.scheme):
        raise CheckError("checks nothing: needs date, parts, sums or scheme")
    return check


def _only(entry: Mapping[str, Any], fields: frozenset[str]) -> None:
    for field in entry:
        if field not in fields:
            raise CheckError(f'unknown field "{field}"')


def _numbers(entry: Mapping[str, Any], field: str) -> Sequence[int]:
    value = entry.get(field, ())
    numbers: Sequence[Any] = [value] if isinstance(value, int) else value
    if not all(isinstance(n, int) for n in numbers):
        raise CheckError(f"{field}: must be a number or a list of numbers")
    return numbers


def _date(entry: Mapping[str, Any], field: str) -> bytes:
    form = str(entry.get(field, "")).encode()
    if form and (
        set(form) - set(b".ymd") or form.count(b"m") != 2 or form.count(b"d") not in (0, 2)
    ):
        raise CheckError(f"{field}: must be of y, mm, dd and dots, as in .yymmdd")
    return form


def _letters(entry: Mapping[Any, Any]) -> Mapping[int, int]:
    values: dict[int, int] = {}
    for letters, first in entry.items():
        if not isinstance(first, int):
            raise CheckError("letters: each run of letters needs the value of its first")
        for place, letter in enumerate(str(letters).encode()):
            if letter not in UPPER:
                raise CheckError(f'letters: "{letters}" is not of A to Z')
            values[letter] = first + place
    return values


def _part(entry: Mapping[str, Any]) -> Part:
    _only(entry, _PART_FIELDS)
    if len(entry) != len(_PART_FIELDS) or not all(
        isinstance(n, int) and n >= 0 for n in entry.values()
    ):
        raise CheckError("parts: needs at, digits, first and last")
    return Part(**entry)


def _weighted_sum(entry: Mapping[str, Any]) -> WeightedSum:
    _only(entry, _SUM_FIELDS)
    weights, remainders = tuple(_numbers(entry, "weights")), tuple(_numbers(entry, "remainders"))
    modulus, check = entry.get("modulus", 0), str(entry.get("check", "")).encode()
    if not weights or not isinstance(modulus, int) or modulus < 2:
        raise CheckError("sums: needs weights, and a modulus of 2 or more")
    if bool(check) == bool(remainders):
        raise CheckError("sums: needs either check or remainders")
    if check and len(check) != modulus:
        raise CheckError(f"sums: check needs a character for each of {modulus} remainders")
    at = entry.get("at", len(weights))
    if at < 0:
        raise CheckError("sums: at: must not be negative")
    return WeightedSum(
        weights=weights,
        modulus=modulus,
        check=check,
        at=at,
        remainders=remainders,
    )
