"""An OTLP/HTTP receiver inside the test process, which keeps what it gets."""

import contextlib
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support import otlp, ports
from support.http_server import Handler, serving

MESSAGES = {
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "traces": ExportTraceServiceRequest,
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request: its headers have lower-case names, its body is decompressed.

    at: when it came, by the monotonic clock.
    """

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a request gets instead of an answer. Without a status, nothing at all.

    keeps: whether the request is kept all the same.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    keeps: bool = False


def no_fault(request: Request) -> Fault | None:
    return None


def _take(_: Request) -> int:
    return 200


@dataclass(kw_only=True)
class Sink(otlp.Stored):
    """What has arrived so far.

    url: where to send. fault: what befalls a request. status_of: the answer to one that is kept.
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list[Request])
    refused: list[Request] = field(default_factory=list[Request])
    fault: Callable[[Request], Fault | None] = no_fault
    status_of: Callable[[Request], int] = _take
    is_here: bool = False
    _server: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _hanging: threading.Event = field(default_factory=threading.Event)

    def stored(self, signal: str) -> list[dict[str, Any]]:
        """Return the requests of a signal in OTLP's JSON form; ids are in base64, not in hex."""
        return [
            self.decoded(request)
            for request in tuple(self.requests)
            if request.path.endswith(f"/v1/{signal}")
        ]

    def decoded(self, request: Request) -> dict[str, Any]:
        """Return a request in OTLP's JSON form."""
        signal = request.path.rpartition("/")[2]
        return MessageToDict(MESSAGES[signal].FromString(request.body))

    def bodies(self) -> list[str]:
        """Return the text of every log record."""
        return [record["body"].get("stringValue", "") for record in self.log_records()]

    def come(self) -> None:
        """Listen, on the same port as before."""
        sink = self

        class Receiver(Handler):
            def do_POST(self) -> None:
                sink.receive(self)

        if not self.url:
            # Kept, so that nobody else listens there while it is gone.
            self.url = f"http://127.0.0.1:{ports.free(['sink'])['sink']}"
        port = int(self.url.rpartition(":")[2])
        self.is_here = True
        self.url = self._server.enter_context(serving(Receiver, port))

    def go(self) -> None:
        """Refuse connections; drop those that are open."""
        self.is_here = False
        self._server.close()

    def end(self) -> None:
        """Let go of every request that was left without an answer."""
        self._hanging.set()
        self.go()

    def let_go(self) -> None:
        """Hang up on every request that was left without an answer so far."""
        hanging, self._hanging = self._hanging, threading.Event()
        hanging.set()

    def receive(self, handler: Handler) -> None:
        body = handler.body()
        if not self.is_here:
            handler.close_connection = True
            return
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(path=handler.path, headers=headers, body=body)
        fault = self.fault(request)
        (self.requests if fault is None or fault.keeps else self.refused).append(request)
        if fault is None:
            status = self.status_of(request)
            handler.answer(status=status, headers={"Content-Type": "application/x-protobuf"})
        elif fault.status is None:
            self._hanging.wait()
            handler.close_connection = True
        else:
            handler.answer(fault.body, status=fault.status, headers=fault.headers)


@contextlib.contextmanager
def running(answer: Callable[[Request], int] = _take, port: int = 0) -> Iterator[Sink]:
    """Receive protobuf over HTTP, compressed or not, until the end of the block.

    ``answer`` returns the status of the answer to a request that is kept in any case; it may block.
    """

    sink = Sink(url=f"http://127.0.0.1:{port}" if port else "", status_of=answer)
    sink.come()
    try:
        yield sink
    finally:
        sink.end()
