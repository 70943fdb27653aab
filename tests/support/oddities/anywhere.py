"""Oddities that no descriptor lists, of what all signals have: attributes, resources, scopes."""

import functools
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from support.oddities import rows, samples, wire
from support.oddities.changes import HUGE_BYTES, LONG_BYTES, NO_LETTERS, NOT_UTF8
from support.oddities.rows import Row
from support.oddities.samples import ODD, Marks
from support.oddities.schema import SIGNALS, Schema, Signal

MIB = 2**20
# Fields of OTLP's common messages, for what is written by hand.
KEY, VALUE = 1, 2
STRING, INT, DOUBLE, ARRAY, KVLIST = 1, 3, 4, 5, 6
VALUES = 1

RESERVED = (
    *("__name__", "__tenant_id__", "job", "instance", "le", "quantile", "exported_job"),
    *("service_name", "service.name", "level", "detected_level", "trace_id", "span_id", "name"),
    *("severity_text", "scope_name", "otel_scope_name", "admission.repaired", "dead_letter.reason"),
)
# Values of one attribute of a resource, each a message AnyValue; "missing" has none.
SERVICE_NAMES: dict[str, bytes | None] = {
    "missing": None,
    "null": b"",
    "empty": wire.block(STRING, b""),
    "blank": wire.block(STRING, b"   "),
    "5,000 characters": wire.block(STRING, b"s" * 5_000),
    "300 KB": wire.block(STRING, b"s" * HUGE_BYTES),
    "newline": wire.block(STRING, b'a\nb"c\\'),
    "NUL": wire.block(STRING, b"a\x00b"),
    "not UTF-8": wire.block(STRING, NOT_UTF8),
    "no letters": wire.block(STRING, NO_LETTERS),
    # What stands for a byte that is no UTF-8, and is valid itself.
    "U+FFFD": wire.block(STRING, "caf\ufffd".encode()),
    "slash": wire.block(STRING, b"a/b"),
    "braces": wire.block(STRING, b'{a="b"}'),
    "true": b"\x10\x01",
    "a number": wire.tag(INT, wire.VARINT) + wire.varint(7),
    "a list": wire.block(ARRAY, wire.block(VALUES, wire.block(STRING, b"a"))),
    "a map": wire.block(KVLIST, b""),
    "bytes": wire.block(7, b"\xff\x00"),
}
# Values of an attribute that is odd in itself.
VALUES_INSIDE: dict[str, bytes] = {
    "text, then a number": wire.block(STRING, b"a") + wire.tag(INT, wire.VARINT) + b"\x07",
    "a list of all types": wire.block(
        ARRAY,
        b"".join(
            wire.block(VALUES, one)
            for one in (
                *(b"", wire.block(STRING, b"a"), b"\x10\x01", b"\x18\x07"),
                *(b"\x21" + b"\xff" * 8, wire.block(ARRAY, b""), wire.block(KVLIST, b"")),
                wire.block(7, NOT_UTF8),
            )
        ),
    ),
    "a map with an empty key": wire.block(KVLIST, wire.block(VALUES, wire.block(VALUE, b""))),
    "a map with a key without letters": wire.block(
        KVLIST, wire.block(VALUES, wire.block(KEY, NO_LETTERS) + wire.block(VALUE, b""))
    ),
    "a map with a key that is no UTF-8": wire.block(
        KVLIST, wire.block(VALUES, wire.block(KEY, NOT_UTF8) + wire.block(VALUE, b""))
    ),
    "a map with a key twice": wire.block(
        KVLIST, wire.block(VALUES, wire.block(KEY, b"k") + wire.block(VALUE, b"\x10\x01")) * 2
    ),
    "a map of 10,000": wire.block(
        KVLIST,
        b"".join(
            wire.block(VALUES, wire.block(KEY, b"k%d" % number) + wire.block(VALUE, b"\x10\x01"))
            for number in range(10_000)
        ),
    ),
    "a list of 10,000": wire.block(ARRAY, wire.block(VALUES, wire.block(STRING, b"a")) * 10_000),
}
DEPTHS = (31, 33, 100, 10_000, 100_000)
DEEPEST = 1_000_000  # 9 MB


def common(schema: Schema) -> Iterator[Row]:
    for signal in SIGNALS.values():
        yield from _services(schema, signal)
        yield from _attributes(schema, signal)
        yield from _depths(schema, signal)
        yield from _sizes(schema, signal)
        yield from _encodings(schema, signal)


def of_item(
    schema: Schema,
    signal: Signal,
    name: str,
    change: Callable[[Any, Marks], bytes | None],
    *,
    group: str,
    kind: str = "",
    **more: Any,
) -> Row:
    """Return a row whose odd item is changed by hand.

    ``change`` changes the item, and may return bytes to append to it.
    """

    def build(marks: Marks) -> bytes:
        item = rows.odd_item(schema, signal, marks, kind=kind)
        added = change(item, marks) or b""
        return rows.among_good(schema, signal, marks, [item.SerializeToString() + added])

    return _row(signal, group, name, build, **more)


def attributes_of(signal: Signal, item: Any) -> Any:
    """Return the attributes by which an item is known; of a metric, its first point's."""
    if signal.name != "metrics":
        return item.attributes
    return getattr(item, item.WhichOneof("data")).data_points[0].attributes


def with_attribute(schema: Schema, signal: Signal, marks: Marks, key: bytes, value: bytes) -> bytes:
    """Return an odd item with one more attribute, whose key and value may be any bytes.

    The value is a message AnyValue.
    """
    item = rows.odd_item(schema, signal, marks)
    holder = item if signal.name != "metrics" else item.gauge.data_points[0]
    field = holder.DESCRIPTOR.fields_by_name["attributes"]
    entry = wire.encode(field, wire.block(KEY, key) + wire.block(VALUE, value))
    if holder is item:
        return item.SerializeToString() + entry
    point = holder.SerializeToString() + entry
    item.gauge.ClearField("data_points")
    points = item.gauge.DESCRIPTOR.fields_by_name["data_points"]
    gauge = item.DESCRIPTOR.fields_by_name["gauge"]
    item.ClearField("data")
    return item.SerializeToString() + wire.encode(gauge, wire.encode(points, point))


def _row(
    signal: Signal, group: str, name: str, build: Callable[[Marks], bytes], **more: Any
) -> Row:
    return Row(
        name=f"{signal.name}/{group}/{name}", signal=signal.name, group=group, build=build, **more
    )


def _services(schema: Schema, signal: Signal) -> Iterator[Row]:
    group = "service.name"

    def named(value: bytes | None) -> Callable[[Marks], bytes]:
        def build(marks: Marks) -> bytes:
            root = rows.odd_resource(schema, signal, marks)
            resource = root.resource
            del resource.attributes[0]
            field = resource.DESCRIPTOR.fields_by_name["attributes"]
            raw = resource.SerializeToString()
            if value is not None:
                entry = wire.block(KEY, b"service.name") + wire.block(VALUE, value)
                raw += wire.encode(field, entry)
            root.ClearField("resource")
            outer = root.DESCRIPTOR.fields_by_name["resource"]
            odd = wire.encode(outer, raw) + root.SerializeToString()
            return rows.beside_good(schema, signal, marks, [odd])

        return build

    for name, value in SERVICE_NAMES.items():
        yield _row(signal, group, name, named(value))

    def twice(marks: Marks) -> bytes:
        root = rows.odd_resource(schema, signal, marks)
        samples.add_text(root.resource.attributes, "service.name", "another")
        return rows.beside_good(schema, signal, marks, [root.SerializeToString()])

    def no_resource(marks: Marks) -> bytes:
        root = rows.odd_resource(schema, signal, marks)
        root.ClearField("resource")
        return rows.beside_good(schema, signal, marks, [root.SerializeToString()])

    def many(marks: Marks) -> bytes:
        chance = random.Random(marks.row)  # noqa: S311 (names, no secrets)
        odd: list[bytes] = []
        for number in MANY_SERVICES:
            root = rows.odd_resource(schema, signal, marks)
            length = chance.randint(1, 40)
            text = "".join(chr(chance.choice(_ALPHABET)) for _ in range(length))
            root.resource.attributes[0].value.string_value = text
            del samples.items(root, signal)[:]
            samples.items(root, signal).append(samples.item(schema, signal, marks, number))
            odd.append(root.SerializeToString())
        return rows.beside_good(schema, signal, marks, odd)

    yield _row(signal, group, "twice", twice)
    yield _row(signal, group, "no resource", no_resource)
    yield _row(signal, group, "100 random ones", many, odd=MANY_SERVICES)


MANY_SERVICES = tuple(f"{ODD}.{number}" for number in range(100))
_ALPHABET = [*range(0x20, 0x7F), *range(0xC0, 0x100), *range(0x410, 0x450), 0x65E5, 0x672C, 0x1F600]


def _attributes(schema: Schema, signal: Signal) -> Iterator[Row]:
    group = "attributes"

    def one(key: bytes, value: bytes) -> Callable[[Marks], bytes]:
        return lambda marks: rows.among_good(
            schema, signal, marks, [with_attribute(schema, signal, marks, key, value)]
        )

    for key in RESERVED:
        value = wire.block(STRING, b"text")
        yield _row(signal, group, f"key {key}", one(key.encode(), value))
    for name, value in VALUES_INSIDE.items():
        yield _row(signal, group, name, one(b"odd", value))

    def adding(entries: Iterable[tuple[str, str]]) -> Callable[[Any, Marks], None]:
        found = list(entries)

        def change(item: Any, _: Marks) -> None:
            for key, value in found:
                samples.add_text(attributes_of(signal, item), key, value)

        return change

    made = {
        "keys that become one name": [("a.b", "1"), ("a_b", "2"), ("a-b", "3"), ("a b", "4")],
        "a key twice, two values": [("k", "1"), ("k", "2")],
        "100 random keys": _random_keys(),
        "2,000 keys that become equal masks": [(card, "v") for card in _cards(2_000)],
        "keys of 5,000 characters": [("k" * 5_000 + str(number), "v") for number in range(3)],
        "64 attributes of 2 KB": [(f"key.{number}", "word " * 400) for number in range(64)],
    }
    for name, entries in made.items():
        yield of_item(schema, signal, name, adding(entries), group=group)


def _depths(schema: Schema, signal: Signal) -> Iterator[Row]:
    shapes = {"lists": (ARRAY, VALUES), "maps": (KVLIST, VALUES, VALUE)}
    innermost = wire.block(STRING, b"bottom")

    def nested(levels: int, wrap: tuple[int, ...]) -> Callable[[Marks], bytes]:
        def build(marks: Marks) -> bytes:
            value = wire.nested(levels, wrap, innermost)
            odd = with_attribute(schema, signal, marks, b"deep", value)
            return rows.among_good(schema, signal, marks, [odd])

        return build

    for shape, wrap in shapes.items():
        for levels in DEPTHS:
            yield _row(signal, "depth", f"{levels:,} {shape}", nested(levels, wrap), also=False)
    if signal.name == "logs":  # takes seconds to make
        build = nested(DEEPEST, shapes["lists"])
        yield _row(signal, "depth", f"{DEEPEST:,} lists", build, also=False)

    def in_resource(marks: Marks) -> bytes:
        root = rows.odd_resource(schema, signal, marks)
        value = wire.nested(33, shapes["lists"], innermost)
        entry = wire.block(KEY, b"deep") + wire.block(VALUE, value)
        raw = root.resource.SerializeToString() + wire.block(1, entry)
        root.ClearField("resource")
        odd = wire.block(1, raw) + root.SerializeToString()
        return rows.beside_good(schema, signal, marks, [odd])

    yield _row(signal, "depth", "33 lists in the resource", in_resource, also=False)


def _sizes(schema: Schema, signal: Signal) -> Iterator[Row]:
    group = "size"

    def attribute(size: int) -> Callable[[Any, Marks], None]:
        def change(item: Any, _: Marks) -> None:
            samples.add_text(attributes_of(signal, item), "large", "word " * (size // 5))

        return change

    for name, size in {"70 KB": LONG_BYTES, "1 MB": MIB, "16 MB": 16 * MIB}.items():
        yield of_item(
            schema, signal, f"an attribute of {name}", attribute(size), group=group, also=False
        )
    numbers = (ODD, *(f"{ODD}.{number}" for number in range(1, 1_000)))

    def many(marks: Marks) -> bytes:
        odd = (samples.item(schema, signal, marks, number) for number in numbers)
        return rows.among_good(schema, signal, marks, (one.SerializeToString() for one in odd))

    def resources(marks: Marks) -> bytes:
        odd: list[bytes] = []
        for number in numbers:
            root = rows.odd_resource(schema, signal, marks)
            del samples.items(root, signal)[:]
            samples.items(root, signal).append(samples.item(schema, signal, marks, number))
            odd.append(root.SerializeToString())
        return rows.beside_good(schema, signal, marks, odd)

    yield _row(signal, group, "1,000 more items", many, odd=numbers)
    yield _row(signal, group, "1,000 resources", resources, odd=numbers)


def _encodings(schema: Schema, signal: Signal) -> Iterator[Row]:
    """Rows about the bytes themselves."""
    group = "bytes"
    appended = {
        "an unknown field": (wire.block(999, b"\xff" * 50), False),
        "an unknown field of the highest number": (wire.block(2**29 - 1, b""), False),
        "an unknown group": (wire.tag(999, 3) + wire.tag(999, 4), True),
        "field number 0": (b"\x00\x01", True),
        "a length beyond the end": (wire.tag(999, wire.BYTES) + wire.varint(2**31), True),
        "a length of 2^63": (wire.tag(999, wire.BYTES) + wire.varint(2**63), True),
        "an endless varint": (wire.tag(999, wire.VARINT) + b"\xff" * 11, True),
    }

    def adding(raw: bytes) -> Callable[[Any, Marks], bytes]:
        return lambda *_: raw

    for name, (raw, whole) in appended.items():
        yield of_item(schema, signal, name, adding(raw), group=group, whole=whole, also=False)


def _random_keys() -> Iterator[tuple[str, str]]:
    chance = random.Random("keys")  # noqa: S311 (names, no secrets)
    for _ in range(100):
        length = chance.randint(1, 30)
        key = "".join(chr(chance.choice(_ALPHABET)) for _ in range(length))
        yield key, "v"


@functools.cache
def _cards(count: int) -> tuple[str, ...]:
    """Return valid card numbers of a range for tests; all end alike, so that one mask fits all."""
    numbers = (f"411111{number:06d}1111" for number in range(1_000_000))
    return tuple(itertools.islice(filter(_is_valid, numbers), count))


def _is_valid(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
