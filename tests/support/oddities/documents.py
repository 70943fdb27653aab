"""OTLP's JSON, made from its protobuf."""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_REQUESTS: dict[str, Any] = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
_IDS = ("traceId", "spanId", "parentSpanId")


def parsed(signal: str, payload: bytes) -> Any:
    """Return the request in these bytes; None where they are none that Python can read."""
    request: Any = _REQUESTS[signal]()
    try:
        request.ParseFromString(payload)
    except (DecodeError, UnicodeDecodeError):
        return None
    return request


def as_json(signal: str, payload: bytes) -> bytes | None:
    """Return a request of protobuf as OTLP's JSON; None where that cannot express it."""
    request = parsed(signal, payload)
    if request is None:
        return None
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(_with_hex_ids(document, request)).encode()


def _with_hex_ids(document: Any, message: Any) -> Any:
    """Write the ids as OTLP does: in hex, where protobuf's own JSON has base 64."""
    for field, value in message.ListFields():
        name = field.json_name
        if name in _IDS:
            document[name] = value.hex()
        elif field.message_type is not None and field.is_repeated:
            for inner, one in zip(document[name], value, strict=True):
                _with_hex_ids(inner, one)
        elif field.message_type is not None:
            _with_hex_ids(document[name], value)
    return document
