"""An OTLP/HTTP receiver inside the test process, which keeps what it gets."""

import contextlib
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support import otlp
from support.http_server import Handler, serving

_MESSAGES = {
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "traces": ExportTraceServiceRequest,
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request: its headers have lower-case names, its body is decompressed."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Sink(otlp.Stored):
    """What has arrived so far. url: where to send."""

    url: str = ""
    requests: list[Request] = field(default_factory=list[Request])

    def stored(self, signal: str) -> list[dict[str, Any]]:
        """Return the requests of a signal in OTLP's JSON form; ids are in base64, not in hex."""
        return [
            MessageToDict(_MESSAGES[signal].FromString(request.body))
            for request in tuple(self.requests)
            if request.path.endswith(f"/v1/{signal}")
        ]


def _take(_: Request) -> int:
    return 200


@contextlib.contextmanager
def running(answer: Callable[[Request], int] = _take, port: int = 0) -> Iterator[Sink]:
    """Receive protobuf over HTTP, compressed or not, until the end of the block.

    ``answer`` returns the status of the answer to a request that is already kept; it may block.
    """
    sink = Sink()

    class Receiver(Handler):
        def do_POST(self) -> None:
            body = self.body()
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(path=self.path, headers=headers, body=body)
            sink.requests.append(request)
            self.answer(status=answer(request), headers={"Content-Type": "application/x-protobuf"})

    with serving(Receiver, port) as sink.url:
        yield sink
