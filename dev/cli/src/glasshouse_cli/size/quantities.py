"""What an operator writes for a rate, a duration, a share, an amount of bytes, a number."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from glasshouse_cli.errors import StackError

# More than that is a slip of the keyboard, and would only make figures that mean nothing.
_MOST = 10**9
_HOUR_S = 3600
_UNITS_S = {"h": _HOUR_S, "d": 24 * _HOUR_S, "w": 7 * 24 * _HOUR_S, "y": 365 * 24 * _HOUR_S}
_LONGEST_S = 10 * _UNITS_S["y"]
_THOUSANDS = {"": 1, "k": 10**3, "m": 10**6}
_BYTES = {
    **{"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "pb": 10**15},
    **{"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "pib": 2**50},
}
_RATE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([kKmM]?)", re.ASCII)
_DURATION = re.compile(r"(\d{1,6})([hdwy])", re.ASCII)
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|h)", re.ASCII)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)(%?)", re.ASCII)
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s?([kmgtp]i?b)", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)


def rate(option: str, text: str) -> float:
    """Return records a second, of such as ``20000``, ``20k`` or ``1.5M``.

    Raises:
        StackError: it is none.
    """
    found = _RATE.fullmatch(text)
    if not found:
        raise StackError(f"{option} {text!r}: write records a second, such as 20000, 20k or 1.5M")
    value = float(found[1]) * _THOUSANDS[found[2].lower()]
    if value > _MOST:
        raise StackError(f"{option} {text!r}: at most {_MOST:,} a second")
    return value


def duration_s(option: str, text: str) -> float:
    """Return seconds, of such as ``36h``, ``14d``, ``2w`` or ``1y``.

    Raises:
        StackError: it is none, or zero, or over ten years.
    """
    found = _DURATION.fullmatch(text)
    if not found or not int(found[1]):
        raise StackError(f"{option} {text!r}: write a number and h, d, w or y, such as 14d")
    value = int(found[1]) * _UNITS_S[found[2]]
    if value > _LONGEST_S:
        raise StackError(f"{option} {text!r}: at most 10y")
    return float(value)


def interval_s(option: str, text: str) -> float:
    """Return seconds, of such as ``15s`` or ``1m``. Raises StackError when it is none, or zero."""
    found = _SECONDS.fullmatch(text)
    value = float(found[1]) * {"s": 1, "m": 60, "h": _HOUR_S}[found[2]] if found else 0.0
    if not value:
        raise StackError(f"{option} {text!r}: write a number and s, m or h, such as 60s")
    return value


def share(option: str, text: str) -> float:
    """Return a share above 0 and up to 1, of such as ``50%`` or ``0.5``. Raises StackError."""
    found = _SHARE.fullmatch(text)
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value <= 1:
        raise StackError(f"{option} {text!r}: write a share above 0, up to 1, such as 0.5 or 50%")
    return value


def size_bytes(option: str, text: str) -> float:
    """Return bytes, of such as ``32GiB`` or ``2TB``. Raises StackError when it is none, or zero."""
    found = _SIZE.fullmatch(text)
    value = float(found[1]) * _BYTES[found[2].lower()] if found else 0.0
    if not value:
        raise StackError(f"{option} {text!r}: write an amount with its unit, such as 32GiB or 2TB")
    return value


def count(option: str, text: str, least: int = 1) -> int:
    """Return a whole number from ``least`` to a thousand million. Raises StackError."""
    if not _COUNT.fullmatch(text) or not least <= int(text) <= _MOST:
        raise StackError(f"{option} {text!r}: write a whole number from {least} to {_MOST:,}")
    return int(text)


def cores(option: str, text: str) -> float:
    """Return cores, of such as ``2`` or ``0.5``. Raises StackError when it is none, or zero."""
    found = _RATE.fullmatch(text)
    if not found or found[2] or not 0 < float(found[1]) <= _MOST:
        raise StackError(f"{option} {text!r}: write a number of cores above 0, such as 8")
    return float(found[1])


def counts(option: str, text: str, names: Sequence[str]) -> Mapping[str, int]:
    """Return whole numbers by name, of such as ``kafka=3,loki=3``. Raises StackError."""
    found: dict[str, int] = {}
    for one in text.split(","):
        name, equals, number = one.strip().partition("=")
        if name not in names or not equals:
            raise StackError(
                f"{option} {text!r}: write {names[0]}=3 and so on, with commas; the names are "
                f"{', '.join(names)}"
            )
        if name in found:
            raise StackError(f"{option} {text!r}: {name} stands there twice")
        found[name] = count(option, number)
    return found


def up(value: float, digits: int = 0) -> float:
    """Return the next larger number with so many digits behind the point."""
    # A product such as 0.1 * 3 lies above what it means by its last bit.
    return math.ceil(round(value * 10**digits, 6)) / 10**digits
