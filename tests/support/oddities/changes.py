"""Odd values for a field, by its type: the rows that nobody has to think of."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Field

from support.oddities import wire
from support.oddities.schema import inner

# A message with the field changed, as bytes that no library has to agree with.
Change = Callable[[Any, Field], bytes]

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
# Go's zero time, 0001-01-01, as its UnixNano() gives it: a negative number, read as a positive one.
GO_ZERO_NS = 11651379494838206464

LONG_BYTES = 70_000  # more than Loki's 64 KiB of structured metadata
HUGE_BYTES = 300_000  # more than Loki's 256 KiB of one line
MANY = 1_000
MANY_ATTRIBUTES = 130  # more than Loki's 128 of one record

NOT_UTF8 = b"caf\xe9 \xff\xfe \xed\xa0\x80"
NO_LETTERS = "сумма".encode()

_INTEGERS = {
    Field.TYPE_INT32: (-(2**31), 2**31 - 1),
    Field.TYPE_SINT32: (-(2**31), 2**31 - 1),
    Field.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    Field.TYPE_INT64: (-(2**63), 2**63 - 1),
    Field.TYPE_SINT64: (-(2**63), 2**63 - 1),
    Field.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    Field.TYPE_UINT32: (0, 2**32 - 1),
    Field.TYPE_FIXED32: (0, 2**32 - 1),
    Field.TYPE_UINT64: (0, 2**64 - 1),
    Field.TYPE_FIXED64: (0, 2**64 - 1),
}
# The largest number, and the smallest over 0.
_LARGEST = {
    Field.TYPE_DOUBLE: (1.7976931348623157e308, 5e-324),
    Field.TYPE_FLOAT: (3.4028234663852886e38, 1e-45),
}


@dataclass(frozen=True, kw_only=True)
class Odd:
    """One odd value. undecodable: no OTLP at all, so that the request may be refused whole."""

    label: str
    change: Change
    undecodable: bool = False


def odd_values(field: Field, *, brief: bool) -> Iterator[Odd]:
    """Yield odd values for a field; when ``brief``, the few that distinguish places."""
    values = list(_of_type(field))
    if brief:
        yield from (odd for odd in values if odd.label in _BRIEF)
        return
    yield from values
    # As another type than it has: what reads it cannot know where it ends.
    yield Odd(label="wrong type", change=_appended(_wrong_type(field)), undecodable=True)


_BRIEF = {
    *("missing", "empty", "one empty", "no letters", "not UTF-8", "70 KB", "all zero"),
    *("true", "negative", "max", "NaN", "time 0", "2^64-1", "unknown"),
}


def _of_type(field: Field) -> Iterator[Odd]:
    # One of a choice of fields is missing when none is chosen: listed once.
    choice = field.containing_oneof
    if choice is None or choice.fields[0] is field:
        yield Odd(label="missing", change=_missing)
    if field.type == Field.TYPE_MESSAGE:
        yield from _messages(field)
    elif field.type == Field.TYPE_STRING:
        yield from _texts()
        if field.is_repeated:
            yield Odd(label="1,000", change=_appended(wire.encode(field, b"text") * MANY))
    elif field.type == Field.TYPE_BYTES:
        yield from _bytes()
    elif field.type == Field.TYPE_BOOL:
        yield from _plain({"false": 0, "true": 1, "2": 2})
    elif field.type == Field.TYPE_ENUM:
        yield from _enums(field)
    elif field.is_repeated:
        yield from _lists(field)
    elif field.type in _LARGEST:
        yield from _floats(field)
    elif field.name.endswith("_unix_nano"):
        yield from _times()
    else:
        yield from _plain(_whole_numbers(field))


def _texts() -> Iterator[Odd]:
    yield from _plain(
        {
            "empty": b"",
            "blank": b" ",
            "no letters": NO_LETTERS,
            "punctuation": b"_.",
            "NUL": b"a\x00b",
            "newline": b'a\nb"c\\',
            "not UTF-8": NOT_UTF8,
            "70 KB": b"word " * (LONG_BYTES // 5),
            "300 KB": b"word " * (HUGE_BYTES // 5),
        }
    )


def _bytes() -> Iterator[Odd]:
    yield from _plain(
        {
            "empty": b"",
            "too short": b"\x01",
            "too long": b"\x01" * 64,
            "not UTF-8": NOT_UTF8,
            "70 KB": b"\xff" * LONG_BYTES,
            "300 KB": b"\xff" * HUGE_BYTES,
        }
    )

    def zero(message: Any, field: Field) -> bytes:
        length = len(getattr(message, field.name)) or 8
        return _appended(wire.encode(field, bytes(length)))(message, field)

    yield Odd(label="all zero", change=zero)


def _floats(field: Field) -> Iterator[Odd]:
    largest, smallest = _LARGEST[field.type]
    yield from _plain(
        {
            "zero": 0.0,
            "negative": -1.5,
            "max": largest,
            "min": -largest,
            "tiny": smallest,
            "NaN": math.nan,
            "infinite": math.inf,
            "minus infinite": -math.inf,
        }
    )


def _times() -> Iterator[Odd]:
    moments: dict[str, Callable[[], int]] = {
        "time 0": lambda: 0,
        "1970": lambda: SECOND_NS,
        "20 days old": lambda: time.time_ns() - 20 * DAY_NS,
        "8 days old": lambda: time.time_ns() - 8 * DAY_NS,
        "3 hours old": lambda: time.time_ns() - 3 * HOUR_NS,
        "2 hours ahead": lambda: time.time_ns() + 2 * HOUR_NS,
        "a year ahead": lambda: time.time_ns() + 365 * DAY_NS,
        "2^63-1": lambda: 2**63 - 1,
        "2^63": lambda: 2**63,
        "Go's zero": lambda: GO_ZERO_NS,
        "2^64-1": lambda: 2**64 - 1,
    }

    def at(moment: Callable[[], int]) -> Change:
        def change(message: Any, field: Field) -> bytes:
            return _appended(wire.encode(field, moment()))(message, field)

        return change

    for label, moment in moments.items():
        yield Odd(label=label, change=at(moment))


def _whole_numbers(field: Field) -> dict[str, float]:
    low, high = _INTEGERS[field.type]
    numbers: dict[str, float] = {"zero": 0, "max": high}
    if low < 0:
        numbers |= {"negative": -1, "min": low}
    return numbers


def _enums(field: Field) -> Iterator[Odd]:
    assert field.enum_type is not None
    known = {value.name.lower(): value.number for value in field.enum_type.values}
    beyond = max(known.values()) + 1
    yield from _plain({**known, "unknown": beyond, "max": 2**31 - 1, "negative": -1})


def _lists(field: Field) -> Iterator[Odd]:
    if field.type in _LARGEST:
        numbers = {"zero": 0.0, "max": _LARGEST[field.type][0], "NaN": math.nan}
    else:
        numbers = _whole_numbers(field)
    for label, number in numbers.items():
        yield Odd(label=label, change=_appended(wire.packed(field, [number])))
    many = wire.packed(field, range(MANY, 0, -1))
    yield Odd(label="1,000, falling", change=_appended(many))
    unpacked = b"".join(wire.encode(field, number) for number in (1, 2, 3))
    yield Odd(label="not packed", change=_appended(unpacked))


def _messages(field: Field) -> Iterator[Odd]:
    if not field.is_repeated:
        yield Odd(label="empty", change=_appended(wire.encode(field, b"")))
        yield Odd(label="twice", change=_repeated(1))
        return
    yield Odd(label="one empty", change=_added(wire.encode(field, b"")))
    yield Odd(label="twice the same", change=_repeated(1))
    if "key" in inner(field).fields_by_name:
        yield Odd(label=f"{MANY_ATTRIBUTES}", change=_keys(MANY_ATTRIBUTES))
        yield Odd(label="1,000", change=_keys(MANY))
    else:
        yield Odd(label="1,000", change=_repeated(MANY))


def _plain(values: dict[str, Any]) -> Iterator[Odd]:
    def to(value: bytes | float) -> Change:
        return lambda message, field: _appended(wire.encode(field, value))(message, field)

    for label, value in values.items():
        yield Odd(label=label, change=to(value))


def _missing(message: Any, field: Field) -> bytes:
    return _cleared(message, field).SerializeToString()


def _appended(raw: bytes) -> Change:
    """Replace the field's values by these."""
    return lambda message, field: _cleared(message, field).SerializeToString() + raw


def _added(raw: bytes) -> Change:
    """Leave the field's values, and add these."""
    return lambda message, _: message.SerializeToString() + raw


def _repeated(times: int) -> Change:
    """Say the field's last value again."""

    def change(message: Any, field: Field) -> bytes:
        value = getattr(message, field.name)
        if field.is_repeated:
            value = value[-1] if value else getattr(type(message)(), field.name).add()
        raw = value if isinstance(value, bytes) else value.SerializeToString()
        return message.SerializeToString() + wire.encode(field, raw) * times

    return change


def _keys(count: int) -> Change:
    def change(message: Any, field: Field) -> bytes:
        last = getattr(message, field.name)[-1:] or [getattr(type(message)(), field.name).add()]
        raw = message.SerializeToString()
        for number in range(count):
            last[0].key = f"extra.{number}"
            raw += wire.encode(field, last[0].SerializeToString())
        return raw

    return change


def _cleared(message: Any, field: Field) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    choice = field.containing_oneof
    copy.ClearField(choice.name if choice is not None else field.name)
    return copy


def _wrong_type(field: Field) -> bytes:
    if wire.wire_type(field) == wire.FIXED32:
        return wire.tag(field.number, wire.FIXED64) + b"\x07" * 8
    return wire.tag(field.number, wire.FIXED32) + b"\x07" * 4
