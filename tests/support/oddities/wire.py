"""Protobuf on the wire, written by hand: what no library lets one send.

https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterable

from google.protobuf.descriptor import FieldDescriptor as Field

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_BITS = 64
_LENGTH_DELIMITED = (Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_MESSAGE)
_ZIGZAG = (Field.TYPE_SINT32, Field.TYPE_SINT64)
_FIXED = {
    Field.TYPE_DOUBLE: (FIXED64, "<d"),
    Field.TYPE_FIXED64: (FIXED64, "<Q"),
    Field.TYPE_SFIXED64: (FIXED64, "<q"),
    Field.TYPE_FLOAT: (FIXED32, "<f"),
    Field.TYPE_FIXED32: (FIXED32, "<I"),
    Field.TYPE_SFIXED32: (FIXED32, "<i"),
}


def varint(number: int) -> bytes:
    """Return a number as a varint; a negative one as the 64 bits of its two's complement."""
    number &= (1 << _BITS) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def block(number: int, content: bytes) -> bytes:
    """Return a length-delimited field: text, bytes or a message."""
    return tag(number, BYTES) + varint(len(content)) + content


def wire_type(field: Field) -> int:
    """Return how one value of this field stands on the wire."""
    if field.type in _LENGTH_DELIMITED:
        return BYTES
    if field.type in _FIXED:
        return _FIXED[field.type][0]
    return VARINT


def encode(field: Field, value: bytes | float) -> bytes:
    """Return one value with its tag. Text and messages are given as bytes, which may be any."""
    return tag(field.number, wire_type(field)) + _payload(field, value)


def packed(field: Field, values: Iterable[float]) -> bytes:
    """Return the values of a repeated number, as one block."""
    return block(field.number, b"".join(_payload(field, value) for value in values))


def nested(levels: int, wrap: Iterable[int], innermost: bytes) -> bytes:
    """Return ``innermost`` inside so many levels, each of the fields ``wrap``, outermost first.

    Takes time in proportion to its length, so that 100,000 levels can be had.
    """
    numbers = list(wrap)
    size = len(innermost)
    heads: list[bytes] = []
    for _ in range(levels):
        for number in reversed(numbers):
            head = tag(number, BYTES) + varint(size)
            heads.append(head)
            size += len(head)
    return b"".join(reversed(heads)) + innermost


def _payload(field: Field, value: bytes | float) -> bytes:
    if isinstance(value, bytes):
        return varint(len(value)) + value
    if field.type in _FIXED:
        return struct.pack(_FIXED[field.type][1], value)
    number = int(value)
    if field.type in _ZIGZAG:
        number = (number << 1) ^ (number >> (_BITS - 1))
    return varint(number)
