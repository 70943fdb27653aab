"""Load with known ids: every signal, by OTLP over HTTP and gRPC, tried again as an SDK does."""

import base64
import contextlib
import copy
import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import grpc
import httpx
from google.protobuf.json_format import ParseDict

from support import otlp
from support.chaos.ledger import Ledger
from support.otlp_sink import MESSAGES

SIGNALS = ("logs", "events", "traces", "metrics")
CURRENCY = "XTS"  # the code that ISO 4217 keeps for tests
ID = "chaos_id"
# Points of one moment stand in series of their own: Prometheus has one value a millisecond.
LANE, LANES = "lane", 10
# As the specification of OTLP has it: these are tried again, all else is not.
RETRIED = frozenset({429, 502, 503, 504})
RETRIED_CODES = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0
_METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of one try.

    name: of the error. again: whether the sender is to try again. wait_s: not before.
    """

    name: str = ""
    again: bool = False
    wait_s: float | None = None


ACCEPTED = Answer()
Post = Callable[[str, dict[str, Any]], Answer]


@dataclass(kw_only=True)
class Load:
    """Senders of one Collector.

    endpoint, grpc: where to send over HTTP and gRPC. over: which of the two the senders speak, in
    turns. rate: requests a second of each sender. batch: records in a request. service: what its
    records name as their sender. shift_s: how far the senders' clock is off. padding: how long each
    log record's text is at least, in characters.
    """

    endpoint: Callable[[], str]
    grpc: Callable[[], str] = str
    over: tuple[Literal["http", "grpc"], ...] = ("http",)
    ledger: Ledger
    run: str
    rate: float = 10
    batch: int = 5
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    service: str = otlp.BELIEVED
    shift_s: float = 0
    give_up_s: float = 600
    timeout_s: float = 10
    currency: str = CURRENCY
    signals: tuple[str, ...] = SIGNALS
    senders: int = 1
    padding: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _give_up: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    def start(self) -> None:
        for signal in self.signals:
            for sender in range(self.senders):
                thread = threading.Thread(target=self._send, args=(signal, sender), daemon=True)
                thread.start()
                self._threads.append(thread)

    def stop(self, within_s: float = 120) -> None:
        """Send nothing new; wait until what is under way is accepted."""
        self._stop.set()
        end = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        self._give_up.set()
        for thread in self._threads:
            thread.join(self.timeout_s + LONGEST_PAUSE_S + 1)

    def _send(self, signal: str, sender: int) -> None:
        at = time.monotonic()
        over = {"http": self._over_http, "grpc": self._over_grpc}
        with over[self.over[sender % len(self.over)]]() as post:
            number = 0
            while not self._stop.is_set():
                ids = [f"{self.run}-{signal[0]}{sender}-{number + n}" for n in range(self.batch)]
                number += self.batch
                self._deliver(post, signal, ids)
                at = max(at + 1 / self.rate, time.monotonic() - 1)
                self._stop.wait(max(0.0, at - time.monotonic()))

    @contextlib.contextmanager
    def _over_http(self) -> Iterator[Post]:
        with httpx.Client(timeout=self.timeout_s, trust_env=False, headers=self.headers) as client:

            def post(path: str, body: dict[str, Any]) -> Answer:
                try:
                    answer = client.post(f"{self.endpoint()}/v1/{path}", json=body)
                except httpx.TransportError as error:
                    return Answer(name=type(error).__name__, again=True)
                if answer.is_success:
                    return ACCEPTED
                wait = answer.headers.get("Retry-After")
                return Answer(
                    name=f"{answer.status_code}",
                    again=answer.status_code in RETRIED,
                    wait_s=float(wait) if wait else None,
                )

            yield post

    @contextlib.contextmanager
    def _over_grpc(self) -> Iterator[Post]:
        headers = tuple((name.lower(), text) for name, text in self.headers.items())
        # Each sender is a program of its own, with a connection of its own.
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self.grpc(), options=options) as channel:

            def post(path: str, body: dict[str, Any]) -> Answer:
                call = channel.unary_unary(_METHODS[path])
                try:
                    call(_protobuf(path, body), timeout=self.timeout_s, metadata=headers)
                except grpc.RpcError as error:
                    return Answer(name=error.code().name, again=error.code() in RETRIED_CODES)
                return ACCEPTED

            yield post

    def _deliver(self, post: Post, signal: str, ids: list[str]) -> None:
        path, body = self.request(signal, ids)
        self.ledger.send(signal, ids)
        pause, end = FIRST_PAUSE_S, time.monotonic() + self.give_up_s
        while not self._give_up.is_set():
            answer = post(path, body)
            if answer is ACCEPTED:
                self.ledger.accept(signal, ids)
                return
            self.ledger.refuse(answer.name)
            if not answer.again or time.monotonic() > end:
                return
            spread = random.uniform(0.5, 1)  # noqa: S311
            self._give_up.wait(min(answer.wait_s or pause * spread, LONGEST_PAUSE_S))
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def request(self, signal: str, ids: list[str]) -> tuple[str, dict[str, Any]]:
        """Return the path and the body of one request: a try again is the same bytes."""
        resource = {"attributes": otlp.attributes({"service.name": self.service})}
        match signal:
            case "logs":
                records = [self._shifted(self._log(id)) for id in ids]
                kind = ("logs", "scopeLogs", "logRecords")
            case "events":
                records = [self._shifted(self._event(id)) for id in ids]
                kind = ("logs", "scopeLogs", "logRecords")
            case "traces":
                records = [
                    self._shifted(otlp.span("chaos", {ID: id}, trace_id=self.trace_of(id)))
                    for id in ids
                ]
                kind = ("traces", "scopeSpans", "spans")
            case _:
                records = [self._shifted_points(self._gauge(id)) for id in ids]
                kind = ("metrics", "scopeMetrics", "metrics")
        path, inner, name = kind
        scopes = [{"scope": {"name": "chaos"}, name: records}]
        return path, {otlp.OUTER[path]: [{"resource": resource, inner: scopes}]}

    def _log(self, id: str) -> dict[str, Any]:
        return otlp.log(f"chaos {id}".ljust(self.padding, "."), {ID: id})

    def _gauge(self, id: str) -> dict[str, Any]:
        """Return one point. Its number is its value: a series for each id would be over a bound."""
        sender, _, number = id.rpartition("-")
        return otlp.gauge("chaos", int(number), {ID: sender, LANE: int(number) % LANES})

    def _shifted_points(self, metric: dict[str, Any]) -> dict[str, Any]:
        for point in metric["gauge"]["dataPoints"]:
            self._shifted(point)
        return metric

    def trace_of(self, id: str) -> str:
        """Return the trace of a span: the spans of one request have one of their own.

        Tempo 3.0 loses spans of a trace that is looked up by its id between two of its requests.
        """
        sender, _, number = id.rpartition("-")
        return hashlib.sha256(f"{sender} {int(number) // self.batch}".encode()).hexdigest()[:32]

    def _event(self, id: str) -> dict[str, Any]:
        cents = random.randint(1, 99_999)  # noqa: S311
        self.ledger.amount(id, cents)
        items: otlp.Attributes = {
            ID: id,
            "payment.transaction_id": id,
            "payment.currency": self.currency,
            "payment.amount": cents / 100,
        }
        return otlp.log("Payment created", items, event="payment.created")

    def _shifted(self, record: dict[str, Any]) -> dict[str, Any]:
        if self.shift_s:
            for key, value in record.items():
                if key.endswith("UnixNano"):
                    record[key] = str(int(value) + int(self.shift_s * 1e9))
        return record


def _protobuf(path: str, body: dict[str, Any]) -> bytes:
    """Return a request in protobuf: ids are hex in OTLP's JSON, and base64 in protobuf's."""
    body = copy.deepcopy(body)
    for resource in body.get("resourceSpans", []):
        for scope in resource["scopeSpans"]:
            for one in scope["spans"]:
                for name in ("traceId", "spanId"):
                    one[name] = base64.b64encode(bytes.fromhex(one[name])).decode()
    return ParseDict(body, MESSAGES[path]()).SerializeToString()


@contextlib.contextmanager
def running(load: Load, stop_within_s: float = 120) -> Iterator[Load]:
    """Send until the end of the block, then until all that was begun is accepted."""
    load.start()
    try:
        yield load
    finally:
        load.stop(stop_within_s)
