"""Values of attributes and bodies as messages `AnyValue` of OTLP.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from glasshouse.encoding.wire import double, sized, varint
from glasshouse.redaction.repair import LARGEST_INTEGER, SMALLEST_INTEGER

TRUE: Final = b"\x10\x01"
FALSE: Final = b"\x10\x00"
_UNSIGNED: Final = 1 << 64


def any_value(value: Any) -> bytes:
    """Return a value as opentelemetry-exporter-otlp-proto-common encodes it.

    Raises:
        TypeError: OTLP has nothing for its type.
        ValueError: it does not fit, such as half a surrogate pair or an integer beyond 64 bits.
    """
    if value is None:
        return b""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    # Not by the value's own methods: those of a class that derives may say something else.
    if isinstance(value, str):
        return b"\x0a" + sized(str.encode(value))
    if isinstance(value, int):
        return b"\x18" + _integer(int.__index__(value))
    if isinstance(value, float):
        return b"\x21" + double(value)
    if isinstance(value, bytes):
        return b"\x3a" + sized(b"".join((value,)))
    if isinstance(value, Sequence):
        items = cast(Sequence[Any], value)
        return b"\x2a" + sized(b"".join([b"\x0a" + sized(any_value(item)) for item in items]))
    if isinstance(value, Mapping):
        members = cast(Mapping[Any, Any], value)
        parts = [b"\x0a" + sized(pair(str(name), item)) for name, item in members.items()]
        return b"\x32" + sized(b"".join(parts))
    message = f"no value of OTLP: {type(value).__qualname__}"
    raise TypeError(message)


def key(name: str) -> bytes:
    """Return the beginning of a `KeyValue`; a length and an `AnyValue` follow."""
    return b"\x0a" + sized(str.encode(name)) + b"\x12"


def pair(name: str, value: Any) -> bytes:
    """Return a `KeyValue`.

    Raises:
        TypeError, ValueError: as `any_value`.
    """
    return key(name) + sized(any_value(value))


def _integer(value: int) -> bytes:
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        message = "an integer beyond 64 bits"
        raise ValueError(message)
    return varint(value if value >= 0 else value + _UNSIGNED)
