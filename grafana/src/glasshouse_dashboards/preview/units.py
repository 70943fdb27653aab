"""Grafana's units, as far as the dashboards use them."""

import math
from collections.abc import Sequence
from typing import Final

_TIMES: Final = [
    (86400, "d"),
    (3600, "h"),
    (60, "min"),
    (1, "s"),
    (1e-3, "ms"),
    (1e-6, "µs"),
]
_PREFIXES: Final = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")]
_BINARY: Final = [(2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")]
_AFTER: Final = {"short": "", "none": "", "reqps": " req/s", "ops": " /s", "cps": " /s"}
KNOWN: Final = frozenset({*_AFTER, "s", "percentunit", "bytes", "Bps"})


def text(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value as Grafana shows it. Raises KeyError for a unit that is not known here."""
    if math.isnan(value):
        return "-"
    if unit == "percentunit":
        # Two places: 99.95 % and 100 % are not the same promise.
        text = f"{value * 100:.{2 if decimals is None else decimals}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"
    if decimals is not None and abs(value) < 1000:
        value = round(value, decimals)
    if unit == "s":
        return _scaled(value, _TIMES, " ")
    if unit in {"bytes", "Bps"}:
        return _scaled(value, _BINARY, " ") + ("/s" if unit == "Bps" else "")
    return _scaled(value, _PREFIXES, " ").rstrip() + _AFTER[unit]


def _scaled(value: float, steps: Sequence[tuple[float, str]], space: str) -> str:
    if value == 0:
        return f"0{space}{'s' if steps is _TIMES else steps[-1][1]}"
    for size, name in steps:
        if abs(value) >= size:
            return f"{_digits(value / size)}{space}{name}"
    size, name = steps[-1]
    return f"{_digits(value / size)}{space}{name}"


def _digits(value: float) -> str:
    """Three digits that count, without noughts at the end."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    places = 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(places, 4)}f}".rstrip("0").rstrip(".")
