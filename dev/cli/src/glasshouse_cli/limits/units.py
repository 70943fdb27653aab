"""Numbers as the programs' configurations write them.

Sizes become bytes, durations seconds. Each function raises ValueError for what its program would
not take either.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

Parse: TypeAlias = Callable[[object], float]

MIB = 1 << 20
_GO_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PROMETHEUS_SECONDS = {
    "y": 365 * 86400,
    "w": 7 * 86400,
    "d": 86400,
    "h": 3600,
    "m": 60,
    "s": 1,
    "ms": 1e-3,
}
_LOKI_SIZE = re.compile(r"([0-9]+)\s*([a-z]*)")
# github.com/c2h5oh/datasize, which Loki reads sizes with: KB are 1024 bytes.
_LOKI_BYTES = {
    name: 1 << (10 * power)
    for power, names in enumerate(
        (
            ("", "b", "byte"),
            ("k", "kb", "kilo", "kilobyte", "kilobytes"),
            ("m", "mb", "mega", "megabyte", "megabytes"),
            ("g", "gb", "giga", "gigabyte", "gigabytes"),
            ("t", "tb", "tera", "terabyte", "terabytes"),
        )
    )
    for name in names
}


def number(value: object) -> float:
    """A number without a unit."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    return value


def mib(value: object) -> float:
    """A number of MiB."""
    return number(value) * MIB


def loki_size(value: object) -> float:
    """A size as 256KB or 1024; upper and lower case are the same."""
    match = _LOKI_SIZE.fullmatch(str(value).lower().strip())
    if match is None or match[2] not in _LOKI_BYTES or isinstance(value, bool):
        raise ValueError("no size, such as 256KB")
    return int(match[1]) * _LOKI_BYTES[match[2]]


def go_duration(value: object) -> float:
    """A duration as 1h30m or 1.5s; there are no days."""
    return _duration(value, r"[0-9]+(?:\.[0-9]*)?", _GO_SECONDS)


def prometheus_duration(value: object) -> float:
    """A duration as 2w or 1h30m, of whole numbers: how Prometheus and Loki write them."""
    return _duration(value, r"[0-9]+", _PROMETHEUS_SECONDS)


def _duration(value: object, digits: str, units: dict[str, float]) -> float:
    text = str(value)
    if text == "0":
        return 0.0
    one = re.compile(f"({digits})({'|'.join(sorted(units, key=len, reverse=True))})")
    parts = list(one.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ValueError("no duration, such as 90m")
    return sum(float(part[1]) * units[part[2]] for part in parts)
