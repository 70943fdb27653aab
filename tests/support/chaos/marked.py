"""The load's own records in a request, which may hold others that no library for Python reads.

A record of an odd sender may be nested too deep for it, and there may be many times as many: only
what names an id is decoded.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.chaos.load import ID
from support.oddities import wire

MESSAGES = {"logs": LogRecord, "traces": Span, "metrics": Metric}
# Events of the distro are known by this: their attributes are named for their domain.
TRANSACTION = "payment.transaction_id"
IDS = (ID, TRANSACTION)
# By resource, by scope, and the record: the same fields in each signal.
WAY = (1, 2, 2)


def records(signal: str, body: bytes) -> list[dict[str, Any]]:
    """Return the records with an id in a request of "logs", "traces" or "metrics", as OTLP's JSON.

    Of metrics, the points of gauges.
    """
    found = [MessageToDict(MESSAGES[signal].FromString(one)) for one in _along(body, WAY)]
    if signal == "metrics":
        found = [point for one in found for point in one.get("gauge", {}).get("dataPoints", [])]
    return found


def _along(data: bytes, way: tuple[int, ...]) -> Iterator[bytes]:
    """Yield the messages at the end of a way of fields, those that name an id."""
    if not any(key.encode() in data for key in IDS):
        return
    if not way:
        yield data
        return
    for one in fields(data, way[0]):
        yield from _along(one, way[1:])


def fields(data: bytes, number: int) -> Iterator[bytes]:
    """Yield the messages in a field of this number."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case wire.VARINT:
                _, at = _varint(data, at)
            case wire.FIXED64:
                at += 8
            case wire.FIXED32:
                at += 4
            case wire.BYTES:
                size, at = _varint(data, at)
                if tag >> 3 == number:
                    yield data[at : at + size]
                at += size
            case kind:
                raise ValueError(f"at byte {at}: no field begins with wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that stands there, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
