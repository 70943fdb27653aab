"""Turns what an encoder of OTLP refuses into what it takes.

One value that cannot be encoded would cost the whole batch that it stands in: half a surrogate
pair in a text, an integer beyond 64 bits, a time that is no whole number. The limits are those of
`opentelemetry/proto`: texts are UTF-8, integers `int64`, times nanoseconds since 1970.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

LARGEST_INTEGER: Final = 2**63 - 1
SMALLEST_INTEGER: Final = -(2**63)
# Beyond it backends read a time before 1970.
LATEST: Final = 2**63 - 1
# `time.time()` where nanoseconds belong: as nanoseconds it would be a minute or two after 1970.
_SECONDS: Final = range(10**8, 10**11)
_A_SECOND: Final = 10**9


def text(value: Any) -> str:
    """Return a text that UTF-8 can carry: half a surrogate pair becomes its escape, ``\\udce9``."""
    written = value if isinstance(value, str) else str(value)
    if written.isascii():
        return written
    try:
        written.encode()
    except UnicodeEncodeError:
        return written.encode("utf-8", "backslashreplace").decode()
    return written


def attribute(value: Any) -> Any:
    """Return the value of an attribute or a body; the same object where nothing is to be done."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return value if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else str(value)
    if value is None or isinstance(value, float | bytes):
        return value
    if isinstance(value, Mapping):
        members = cast(Mapping[Any, Any], value)
        return {text(name): attribute(item) for name, item in members.items()}
    if isinstance(value, Sequence):
        items = cast(Sequence[Any], value)
        return type(items)(map(attribute, items)) if isinstance(items, list | tuple) else [*items]
    return text(value)


def number(value: Any) -> Any:
    """Return what a metric measured: an integer beyond 64 bits becomes the nearest double."""
    if isinstance(value, int) and not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def moment(value: Any) -> int | None:
    """Return nanoseconds since 1970, whole and in range; ``None`` for what is no time.

    Seconds, as `time.time` gives them, are taken for what they are.
    """
    if value is None or (type(value) is int and 0 <= value <= LATEST):
        return value
    try:
        if isinstance(value, float) and int(value) in _SECONDS:
            return int(value * _A_SECOND)
        return min(max(int(value), 0), LATEST)
    except (TypeError, ValueError, OverflowError):
        return None
