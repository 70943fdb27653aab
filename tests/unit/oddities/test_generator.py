"""The rows are made from OTLP's descriptor: each field has some, a new one by itself."""

import json
from collections import Counter
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as Field

from support.oddities import rows, samples, schema, table
from support.oddities.documents import parsed
from support.oddities.rows import JSON
from support.oddities.samples import GOOD, Marks
from support.oddities.schema import SIGNALS, Schema, Signal

LEAST_ROWS = 120
LOGS = "opentelemetry/proto/logs/v1/logs.proto"
every_signal = pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)


def fields_below(message: Descriptor) -> set[str]:
    """Return every field that can be reached, as "KeyValue.key", found in another way."""
    found: set[str] = set()
    left, seen = [message], {message.full_name}
    while left:
        message = left.pop()
        for field in message.fields:
            found.add(f"{message.name}.{field.name}")
            inner = field.message_type
            if inner is not None and inner.full_name not in seen:
                seen.add(inner.full_name)
                left.append(inner)
    return found


def version(new_field: str = "", kind: int = Field.TYPE_STRING) -> Schema:
    """Return a version of OTLP of its own; its log record may have one field more."""
    pool = descriptor_pool.DescriptorPool()
    done: set[str] = set()

    def add(file: Any) -> None:
        if file.name in done:
            return
        done.add(file.name)
        for needed in file.dependencies:
            add(needed)
        copy = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copy)
        if copy.name == LOGS and new_field:
            [record] = [one for one in copy.message_type if one.name == "LogRecord"]
            field = record.field.add(name=new_field, number=99, label=1)
            field.type = kind  # pyright: ignore[reportAttributeAccessIssue]
        pool.Add(copy)

    for module in schema.LOADED:
        add(module.DESCRIPTOR)
    return Schema(pool=pool)


@every_signal
def test_every_field_of_the_descriptor_has_rows(signal: Signal) -> None:
    installed = schema.current()
    made = Counter(row.group for row in rows.generated(installed) if row.signal == signal.name)
    assert fields_below(installed.root(signal)) == made.keys()
    assert min(made.values()) > 0


@pytest.mark.parametrize(
    "kind",
    [
        *(Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_BOOL, Field.TYPE_DOUBLE),
        *(Field.TYPE_FLOAT, Field.TYPE_INT32, Field.TYPE_UINT64, Field.TYPE_SINT64),
        *(Field.TYPE_SFIXED32, Field.TYPE_SFIXED64, Field.TYPE_UINT32),
    ],
)
def test_a_new_field_has_rows_by_itself(kind: int) -> None:
    newer = version("ghost", kind)
    known = {row.name for row in table.all_rows(version())}
    added = [row for row in table.all_rows(newer) if row.name not in known]
    assert len(added) > 2
    assert {row.group for row in added} == {"LogRecord.ghost"}
    field = newer.pool.FindMessageTypeByName("opentelemetry.proto.logs.v1.LogRecord")
    sent = {row.build(Marks(run="run", row="row", sent=1)) for row in added if row.over != JSON}
    assert len(sent) == len({row.name.partition(" (")[0] for row in added})
    assert field.fields_by_name["ghost"].number == 99


def test_names_are_unique_and_stay_the_same() -> None:
    names = [row.name for row in table.all_rows()]
    assert len(set(names)) == len(names) >= LEAST_ROWS
    assert [row.name for row in table.all_rows()] == names
    assert "logs/LogRecord.time_unix_nano/2^64-1" in names


@every_signal
def test_every_request_holds_nine_good_items(signal: Signal) -> None:
    installed = schema.current()
    checked = 0
    for row in rows.generated(installed):
        if row.signal != signal.name or row.whole:
            continue
        marks = Marks(run="run", row=row.name)
        request = parsed(signal.name, row.build(marks))
        if request is None:  # text that is no UTF-8, which Python's protobuf does not read
            continue
        found = {one.SerializeToString() for one in items_of(signal, request)}
        for number in range(GOOD):
            assert samples.good(installed, signal, marks, number).SerializeToString() in found
        assert len(found) > GOOD or not row.odd, row.name
        checked += 1
    assert checked > LEAST_ROWS


def items_of(signal: Signal, request: Any) -> list[Any]:
    [(_, resources)] = request.ListFields()
    scopes = [one for resource in resources for one in getattr(resource, signal.scopes)]
    return [item for scope in scopes for item in getattr(scope, signal.items)]


def test_rows_in_json_can_be_expressed_in_json() -> None:
    made = [row for row in table.all_rows() if row.over == JSON]
    assert len(made) > LEAST_ROWS
    for row in made:
        request = row.build(Marks(run="run", row=row.name))
        assert "resource" in json.loads(request)[_OUTER[row.signal]][0]


_OUTER = {"logs": "resourceLogs", "traces": "resourceSpans", "metrics": "resourceMetrics"}
