"""The same records as three senders write them.

They differ in what the Collector has to visit: resources and scopes, where the text stands, how
many attributes there are, and whether a record belongs to a trace.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from glasshouse_bench import sized

Request = ExportLogsServiceRequest
# Loggers of one process that write in turn; the SDK makes a scope of each.
_LOGGERS = (
    *("backend.payments", "backend.jobs", "backend.api", "httpx"),
    *("uvicorn.access", "backend.notifications"),
)
_PODS = 4
_SCHEMA = "https://opentelemetry.io/schemas/1.44.0"


def _ours(request: Request) -> Request:
    return request


def _python_sdk(request: Request) -> Request:
    """As the SDK's log handler and OTLP exporter write them: the place in the code, by logger."""
    [resource] = request.resource_logs
    records = list(resource.scope_logs[0].log_records)
    made = Request()
    group = made.resource_logs.add()
    group.resource.CopyFrom(resource.resource)
    group.schema_url = _SCHEMA
    for number, name in enumerate(_LOGGERS):
        scope = group.scope_logs.add()
        scope.scope.name = name
        for record in records[number :: len(_LOGGERS)]:
            written = scope.log_records.add()
            written.CopyFrom(record)
            written.flags = 1
            has = {one.key for one in record.attributes}
            if "code.file.path" not in has:
                path = f"/srv/app/{name.replace('.', '/')}.py"
                written.attributes.append(_text("code.file.path", path))
    return made


def _fluent_bit(request: Request) -> Request:
    """As an agent writes lines of containers: all in the body, no resource, scope or trace."""
    [resource] = request.resource_logs
    made = Request()
    group = made.resource_logs.add()
    scope = group.scope_logs.add()
    for number, record in enumerate(resource.scope_logs[0].log_records):
        scope.log_records.append(_line(record, number % _PODS))
    return made


def _line(record: LogRecord, pod: int) -> LogRecord:
    labels = _map("labels", [_text("app", "backend"), _text("pod-template-hash", "7c9d8b6f5d")])
    where = [
        _text("pod_name", f"backend-api-7c9d8b6f5d-x{pod}k2p"),
        _text("namespace_name", "production"),
        _text("container_name", "api"),
        labels,
    ]
    line = LogRecord(time_unix_nano=record.time_unix_nano)
    fields = [
        KeyValue(key="log", value=record.body),
        _text("stream", "stdout"),
        _text("level", record.severity_text),
        *record.attributes,
        _map("kubernetes", where),
    ]
    line.body.kvlist_value.values.extend(fields)
    # An event that it passes on as a line is none that is counted.
    return line


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _map(key: str, items: Iterable[KeyValue]) -> KeyValue:
    held = KeyValue(key=key)
    held.value.kvlist_value.values.extend(items)
    return held


SENDERS: dict[str, Callable[[Request], Request]] = {
    "glasshouse": _ours,
    "python-sdk": _python_sdk,
    "fluent-bit": _fluent_bit,
}


class Shaped:
    """Makes requests of ``batch`` log records of one size, as one of ``SENDERS`` writes them.

    ``text`` and ``attributes`` change the size: bytes added to the body, attributes added.
    """

    signal = "logs"

    def __init__(
        self, sender: str, batch: int, *, size: str = "usual", text: int = 0, attributes: int = 0
    ) -> None:
        few, body = sized.SIZES[size]
        more = few if few is None else few + attributes
        shape = SENDERS[sender]
        bodies = [
            shape(Request.FromString(one)).SerializeToString()
            for one in sized.logs(batch, more, body + text)
        ]
        self._bodies = itertools.cycle(bodies)
        self._number = itertools.count(1)
        self.bytes_per_record = sum(map(len, bodies)) / len(bodies) / batch

    def request(self) -> bytes:
        """Return the next request; its events are new."""
        return sized.numbered(next(self._bodies), next(self._number))
