"""Protocol Buffers' wire format: https://protobuf.dev/programming-guides/encoding/."""

import struct
from typing import Final

_TABLED: Final = 1024
_LARGEST_UNSIGNED: Final = 2**64 - 1
_LARGEST_COUNT: Final = 2**32 - 1

double: Final = struct.Struct("<d").pack
fixed32: Final = struct.Struct("<I").pack
fixed64: Final = struct.Struct("<Q").pack


def _varint(number: int) -> bytes:
    if not 0 <= number <= _LARGEST_UNSIGNED:
        message = f"{number} is not between 0 and 2^64 - 1"
        raise ValueError(message)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


# Lengths are small: most are looked up.
_VARINTS: Final = tuple(_varint(number) for number in range(_TABLED))


def varint(number: int) -> bytes:
    """Return a whole number of up to 64 bits.

    Raises:
        ValueError: it is negative or larger.
    """
    return _VARINTS[number] if 0 <= number < _TABLED else _varint(number)


def count(number: int) -> bytes:
    """Return a `uint32`.

    Raises:
        ValueError: it is negative or larger.
    """
    if number > _LARGEST_COUNT:
        message = f"{number} is more than 2^32 - 1"
        raise ValueError(message)
    return varint(number)


def sized(content: bytes) -> bytes:
    """Return a text, bytes or a message behind its length."""
    size = len(content)
    return (_VARINTS[size] if size < _TABLED else _varint(size)) + content
