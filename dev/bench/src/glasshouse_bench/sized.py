"""Records of three sizes and spans, each request another one: what a queue and counting really get.

Every fiftieth log record is a business event with an id of its own; a Collector that has seen an
id does not count it again, so that requests sent over and over would cost it less.
"""

from __future__ import annotations

import itertools

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from glasshouse_bench.traffic import Traffic

# By name: attributes that are added to those of a usual record, or None for few; bytes added to
# the body.
SIZES: dict[str, tuple[int | None, int]] = {
    "small": (None, 0),
    "usual": (0, 0),
    "large": (16, 2048),
    "spans": (0, 0),
}
EVENT_EVERY = 50
_DIFFERENT = 8  # requests that differ in all
_SMALL_ATTRIBUTES = 2
_EVENT = "automation.run.completed"
_MARK = b"000000000000feed"
_WORDS = "the worker took the job again because the chain had not answered within its time "


class Sized:
    """Makes requests of ``batch`` records of one size."""

    def __init__(self, size: str, batch: int) -> None:
        self.signal = "traces" if size == "spans" else "logs"
        if size == "spans":
            traffic = Traffic()
            bodies = [traffic.spans(batch) for _ in range(_DIFFERENT)]
        else:
            bodies = logs(batch, *SIZES[size])
        self._bodies = itertools.cycle(bodies)
        self._number = itertools.count(1)

    def request(self) -> bytes:
        """Return the next request; its events are new."""
        return numbered(next(self._bodies), next(self._number))


def logs(batch: int, more: int | None, text: int) -> list[bytes]:
    """Return requests that differ in all, of logs of one size: as in ``SIZES``."""
    traffic = Traffic()
    return [_sized(traffic.logs(batch), more, text) for _ in range(_DIFFERENT)]


def numbered(request: bytes, number: int) -> bytes:
    """Return a request with its events made new ones, by a number that no other has."""
    return request.replace(_MARK, b"%016x" % number)


def _sized(encoded: bytes, more: int | None, text: int) -> bytes:
    request = ExportLogsServiceRequest.FromString(encoded)
    records = request.resource_logs[0].scope_logs[0].log_records
    padding = (_WORDS * (text // len(_WORDS) + 1))[:text]
    for number, record in enumerate(records):
        if more is None:
            del record.attributes[_SMALL_ATTRIBUTES:]
        for extra in range(more or 0):
            value = AnyValue(string_value=f"value {number} of attribute {extra}")
            record.attributes.append(KeyValue(key=f"app.detail_{extra}", value=value))
        record.body.string_value += padding
        if number % EVENT_EVERY == 0:
            record.event_name = _EVENT
            uid = f"{_MARK.decode()}-{number}"
            for key, value in {
                "log.record.uid": AnyValue(string_value=uid),
                "automation.strategy": AnyValue(string_value="dca"),
                "automation.duration": AnyValue(double_value=number % 7 + 0.5),
            }.items():
                record.attributes.append(KeyValue(key=key, value=value))
    return request.SerializeToString()
