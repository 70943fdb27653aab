"""Takes telemetry over HTTP and throws it away, counting what came."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections import Counter
from collections.abc import AsyncIterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    b"Connection: keep-alive\r\n\r\n{}"
)
# Of an OTLP answer, an empty message: JSON would be no protobuf.
_OTLP_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
)
_OTLP = ("/v1/traces", "/v1/logs", "/v1/metrics")


class Sink:
    """What one process sent: bytes by every protocol, records by OTLP."""

    def __init__(self) -> None:
        self._bytes = 0
        self._kept: list[tuple[str, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with (
            contextlib.closing(writer),
            contextlib.suppress(asyncio.IncompleteReadError, ConnectionError),
        ):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode("ascii", "replace")
                headers = _headers(head)
                body = await _body(reader, headers)
                self._bytes += len(body)
                if path in _OTLP:
                    # Counted later: now the one who sent it is being measured.
                    self._kept.append((path, _plain(body, headers)))
                writer.write(_OTLP_ANSWER if path in _OTLP else _ANSWER)
                await writer.drain()

    def taken(self) -> dict[str, int]:
        """Return how many bytes, spans, log records and metrics have come since the last call."""
        found = Counter({"bytes": self._bytes})
        self._bytes = 0
        for path, body in self._kept:
            with contextlib.suppress(DecodeError):
                found.update(_count(path, body))
        self._kept.clear()
        return {kind: count for kind, count in found.items() if count}


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[tuple[Sink, int]]:
    """Listen on loopback; yield the sink and its port."""
    sink = Sink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    try:
        yield sink, server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {
        name.strip().lower(): value.strip()
        for name, _, value in (one.partition(":") for one in lines)
    }


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length") or 0))
    parts: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


def _plain(body: bytes, headers: dict[str, str]) -> bytes:
    with contextlib.suppress(OSError, zlib.error):
        return gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
    return b""


def _count(path: str, body: bytes) -> dict[str, int]:
    if path == "/v1/traces":
        traces = ExportTraceServiceRequest.FromString(body)
        scopes = [scope for one in traces.resource_spans for scope in one.scope_spans]
        return {"spans": sum(len(scope.spans) for scope in scopes)}
    if path == "/v1/logs":
        logs = ExportLogsServiceRequest.FromString(body)
        scopes = [scope for one in logs.resource_logs for scope in one.scope_logs]
        return {"log_records": sum(len(scope.log_records) for scope in scopes)}
    metrics = ExportMetricsServiceRequest.FromString(body)
    scopes = [scope for one in metrics.resource_metrics for scope in one.scope_metrics]
    return {"metrics": sum(len(scope.metrics) for scope in scopes)}
