"""The table: one row is nine good items and an odd one, in one request."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Field

from support.oddities import changes, samples, wire
from support.oddities.documents import as_json
from support.oddities.samples import GOOD, ODD, Marks
from support.oddities.schema import SIGNALS, Place, Schema, Signal

# A request's one field: messages by resource.
RESOURCES = 1
# One row in so many is sent over gRPC, too, and another one as JSON, where JSON can express it.
ALSO = 8

HTTP, GRPC, JSON = "http", "grpc", "json"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One oddity.

    build: makes the request. group: what the printed table counts it under. odd: the numbers
    of the odd items, of which something must become; a metric without points has none.
    copies: how many different ones of each there must be, where their marks are the same.
    whole: the request may be refused whole, with an answer that says so. over: how it is sent.
    also: some of such rows are sent in the other ways, too.
    """

    name: str
    signal: str
    group: str
    build: Callable[[Marks], bytes]
    odd: tuple[str, ...] = (ODD,)
    copies: int = 1
    whole: bool = False
    over: str = HTTP
    also: bool = True


def generated(schema: Schema) -> Iterator[Row]:
    """Yield the rows that the descriptor lists."""
    for signal in SIGNALS.values():
        for place in schema.places(signal):
            for odd in changes.odd_values(place.field, brief=place.again):
                if odd.label == "missing" and _is_missing(schema, place):
                    continue
                yield Row(
                    name=f"{signal.name}/{place.name}/{odd.label}",
                    signal=signal.name,
                    group=place.group,
                    build=_request(schema, place, odd),
                    odd=() if _empties(place, odd) else (ODD,),
                    whole=odd.undecodable,
                )


def others(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield some of the rows once more, over gRPC and as JSON; always the same ones."""
    for row in rows:
        if row.over != HTTP or not row.also:
            continue
        share = zlib.crc32(row.name.encode()) % ALSO
        if share == 0:
            yield replace(row, name=f"{row.name} (gRPC)", over=GRPC)
        # Text that is no UTF-8 cannot be expressed in JSON, nor can what is no OTLP.
        elif share == 1 and not row.whole and "UTF-8" not in row.name:
            yield replace(row, name=f"{row.name} (JSON)", over=JSON, build=_as_json(row))


def _as_json(row: Row) -> Callable[[Marks], bytes]:
    def build(marks: Marks) -> bytes:
        document = as_json(row.signal, row.build(marks))
        assert document is not None, f"{row.name} cannot be expressed in JSON"
        return document

    return build


def among_good(schema: Schema, signal: Signal, marks: Marks, odd: Iterable[bytes]) -> bytes:
    """Return a request of one resource: good items, with odd ones in their middle."""
    root = samples.resource(schema, signal, marks.service)
    scopes = root.DESCRIPTOR.fields_by_name[signal.scopes]
    scope = getattr(root, signal.scopes)[0]
    field = scope.DESCRIPTOR.fields_by_name[signal.items]
    raw = [
        samples.good(schema, signal, marks, number).SerializeToString() for number in range(GOOD)
    ]
    raw[GOOD // 2 : GOOD // 2] = odd
    inner = scope.SerializeToString() + b"".join(wire.encode(field, one) for one in raw)
    root.ClearField(signal.scopes)
    return wire.block(RESOURCES, root.SerializeToString() + wire.encode(scopes, inner))


def beside_good(schema: Schema, signal: Signal, marks: Marks, odd: Iterable[bytes]) -> bytes:
    """Return a request with a resource of good items, and odd resources of another service."""
    return among_good(schema, signal, marks, []) + b"".join(
        wire.block(RESOURCES, one) for one in odd
    )


def odd_item(schema: Schema, signal: Signal, marks: Marks, *, kind: str = "") -> Any:
    """Return the item that is to become odd."""
    return samples.item(schema, signal, marks, ODD, kind=kind)


def odd_resource(schema: Schema, signal: Signal, marks: Marks) -> Any:
    """Return another service with one item, which is to become odd outside its item."""
    root = samples.resource(schema, signal, marks.other_service)
    if "entity_refs" in root.resource.DESCRIPTOR.fields_by_name:
        root.resource.entity_refs.add(type="service", id_keys=["service.name"])
    samples.items(root, signal).append(odd_item(schema, signal, marks))
    return root


def rebuilt(message: Any, way: tuple[Field, ...], change: changes.Change) -> bytes:
    """Return the message, with the field at the end of the way changed.

    In a list the last element is the one that is changed.
    """
    field, *rest = way
    if not rest:
        return change(message, field)
    copy = type(message)()
    copy.CopyFrom(message)
    child = _child(copy, field)
    raw = rebuilt(child, tuple(rest), change)
    return copy.SerializeToString() + wire.encode(field, raw)


def _child(message: Any, field: Field) -> Any:
    """Take the message out of the field; one with something in it when there was none."""
    held = getattr(message, field.name)
    if field.is_repeated:
        there = len(held) > 0
        element = held[-1] if there else held.add()
    else:
        there = message.HasField(field.name)
        element = held
    child = type(element)()
    child.CopyFrom(element)
    if not there:
        samples.fill(child)
    if field.is_repeated:
        del held[-1]
    else:
        choice = field.containing_oneof
        message.ClearField(choice.name if choice is not None else field.name)
    return child


def _is_missing(schema: Schema, place: Place) -> bool:
    """Return whether the field is missing in a valid item, too: then that is nothing odd."""
    message = _unchanged(schema, place, Marks(run="run", row="row"))
    for field in place.way[:-1]:
        held = getattr(message, field.name)
        if field.is_repeated and not held:
            return True
        message = held[-1] if field.is_repeated else held
    field = place.field
    if field.containing_oneof is not None:
        return message.WhichOneof(field.containing_oneof.name) is None
    return field not in [known for known, _ in message.ListFields()]


def _unchanged(schema: Schema, place: Place, marks: Marks) -> Any:
    if place.of_item:
        return odd_item(schema, place.signal, marks, kind=place.way[0].name)
    return odd_resource(schema, place.signal, marks)


def _request(schema: Schema, place: Place, odd: changes.Odd) -> Callable[[Marks], bytes]:
    signal = place.signal

    def build(marks: Marks) -> bytes:
        message = _unchanged(schema, place, marks)
        changed = rebuilt(message, place.way, odd.change)
        put = among_good if place.of_item else beside_good
        return put(schema, signal, marks, [changed])

    return build


def _empties(place: Place, odd: changes.Odd) -> bool:
    """Return whether the change leaves nothing to store: no item, no points, no value."""
    field = place.field
    if place.group.endswith("DataPoint.flags"):
        return odd.label == "max"  # has the bit that says that there is no value
    leads = (place.signal.scopes, place.signal.items, "data_points")
    holds_points = field.message_type is not None and any(
        one.name == "data_points" for one in field.message_type.fields
    )
    return odd.label in ("missing", "empty") and (field.name in leads or holds_points)
