"""Grafana's units, as far as the dashboards use them: what its own code makes of a number.

A port of the formatters of @grafana/data, oddities included: an operator must read here what
Grafana shows. Tests hold it to what that package printed, `grafana/preview/values.json`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_Format = Callable[[float, int | None], str]
_SHORT: Final = ("", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept")
_COUNTS: Final = ("", "K", "M", "B", "T")
_SI: Final = ("f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y")
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
# Up to this many seconds, the seconds in one of the unit, and its name. Longer ones have a plural.
_SECONDS: Final = (
    (1e-6, 1e-9, "ns"),
    (1e-3, 1e-6, "µs"),
    (1, 1e-3, "ms"),
    (60, 1, "s"),
    (3600, 60, "min"),
    (86400, 3600, "hour"),
    (604800, 86400, "day"),
    (31536000, 604800, "week"),
    (math.inf, 31556900, "year"),
)
_PLURAL: Final = frozenset({"min", "hour", "day", "week", "year"})


def text(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value as Grafana shows it. Raises KeyError for a unit that is not known here."""
    if not math.isfinite(value):
        return "-" if math.isnan(value) else "∞" if value > 0 else "-∞"
    return _FORMATS[unit](float(value), decimals)


def _fixed(value: float, decimals: int | None) -> str:
    if decimals is None:
        decimals = _decimals_of(value)
    if value == 0:
        return f"{value:.{decimals}f}"
    factor = 10**decimals
    # Halves go up, as in JavaScript; Python's round() takes the even neighbour.
    rounded = math.floor(value * factor + 0.5) / factor or 0.0  # no -0
    if 0 < abs(rounded) < 1e-6:
        # JavaScript's notation, which Grafana does not fill up: 1e-7, where Python writes 1e-07.
        return repr(rounded).replace("e-0", "e-")
    shown = _plain(rounded)
    places = len(shown.partition(".")[2])
    if places >= decimals:
        return shown
    return (shown if places else f"{shown}.") + "0" * (decimals - places)


def _decimals_of(value: float) -> int:
    """Return how many decimals Grafana gives a value: three digits that count, or so."""
    if value % 1 == 0:
        return 0
    return max(0, 2 - math.floor(math.log10(abs(value))))


def _plain(value: float) -> str:
    shown = format(Decimal(repr(value)), "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _number(value: float, decimals: int | None) -> str:
    return _fixed(value, decimals)


def _locale(value: float, decimals: int | None) -> str:
    # As in English, where nothing says otherwise; Grafana asks the browser.
    places = Decimal(1).scaleb(-(3 if decimals is None else decimals))
    shown = f"{Decimal(repr(abs(value))).quantize(places, ROUND_HALF_UP):,f}"
    sign = "-" if value < 0 else ""
    return sign + (shown.rstrip("0").rstrip(".") if "." in shown else shown)


def _percent(factor: float) -> _Format:
    return lambda value, decimals: f"{_fixed(factor * value, decimals)}%"


def _scaled(base: float, names: Sequence[str], offset: int = 0) -> _Format:
    def format_value(value: float, decimals: int | None) -> str:
        power = math.floor(math.log10(abs(value)) / math.log10(base)) if value else 0
        name = names[min(max(offset + power, 0), len(names) - 1)]
        power = min(max(power, -offset), len(names) - offset - 1)
        return f"{_fixed(value / base**power, decimals)}{name}"

    return format_value


def _count(symbol: str) -> _Format:
    scale = _scaled(1000, _COUNTS)
    return lambda value, decimals: f"{scale(value, decimals)} {symbol}"


def _seconds(value: float, decimals: int | None) -> str:
    if value == 0:
        return "0 s"
    size, name = next((size, name) for limit, size, name in _SECONDS if abs(value) < limit)
    plural = "s" if name in _PLURAL and abs(value / size) > 1 else ""
    return f"{_fixed(value / size, decimals)} {name}{plural}"


def _prefixed(unit: str, *, binary: bool) -> _Format:
    if binary:
        return _scaled(1024, [f" {prefix}{unit}" for prefix in _BINARY])
    return _scaled(1000, [f" {prefix}{unit}" for prefix in _SI], _SI.index(""))


_FORMATS: Final[Mapping[str, _Format]] = {
    "none": _number,
    "locale": _locale,
    "short": _scaled(1000, _SHORT),
    "percent": _percent(1),
    "percentunit": _percent(100),
    "s": _seconds,
    "bytes": _prefixed("B", binary=True),
    "decbytes": _prefixed("B", binary=False),
    "binBps": _prefixed("B/s", binary=True),
    "Bps": _prefixed("B/s", binary=False),
    "ops": _count("ops/s"),
    "reqps": _count("req/s"),
    "cps": _count("c/s"),
}
KNOWN: Final = frozenset(_FORMATS)
