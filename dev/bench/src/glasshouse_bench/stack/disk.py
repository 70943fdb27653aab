"""Bytes on disk for a million records: what the volumes of the backends grow by under a known load.

The stack is stopped before they are read, so that the backends have written what they hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_bench.freshness import target as targets
from glasshouse_bench.freshness.target import Target
from glasshouse_bench.measured import Document
from glasshouse_bench.own_stack import OwnStack
from glasshouse_bench.traffic import Traffic
from glasshouse_cli import images, secrets
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run

BATCH = 1000
SPANS_OF_A_TRACE = 5
# Where the volumes of the backends are seen by a container that measures them.
VOLUMES = {"loki": "loki-data", "tempo": "tempo-data", "prometheus": "prometheus-data"}
_DEPTH = 2
_TIMEOUT_S = 120.0
_ARRIVES_WITHIN_S = 600.0
_TOOLS = "CLI_IMAGE"
# What each backend counts of what it took: the backend, and of which amount.
_COUNTS = {
    "loki_distributor_lines_received_total": ("loki", "logs"),
    "tempo_distributor_spans_received_total": ("tempo", "spans"),
}


@dataclass(frozen=True, kw_only=True)
class Amount:
    """What is sent: log records and spans."""

    logs: int
    spans: int


def measure(own: OwnStack, amount: Amount, note: Callable[[str], None]) -> Document:
    """Send that much to the running stack and return what its volumes grew by; it is stopped.

    Raises:
        StackError: the stack does not take or store it all.
    """
    note("writing out what was there before")
    own.command("down")
    before = _sizes(own)
    own.start()
    target = targets.of(own.checkout)
    began = time.time()
    with httpx.Client(
        base_url=target.otlp, headers=secrets.sender(own.checkout), timeout=60, trust_env=False
    ) as http:
        for signal, records, body in requests(amount):
            _send(http, signal, body)
            note(f"{signal}: {records:,} sent")
    note("waiting until all is stored")
    samples = _stored(target, amount, began)
    note("writing out what was sent")
    own.command("down")
    after = _sizes(own)
    grown = {
        backend: {
            folder: after[backend].get(folder, 0) - before[backend].get(folder, 0)
            for folder in sorted({*before[backend], *after[backend]})
        }
        for backend in VOLUMES
    }
    return {
        "logs": amount.logs,
        "spans": amount.spans,
        "samples": samples,
        "seconds": round(time.time() - began, 1),
        "grown_bytes": grown,
    }


def requests(amount: Amount) -> Iterator[tuple[str, int, bytes]]:
    """Yield what is sent: the signal, how many of it there are by then, and the request."""
    traffic = Traffic()
    for first in range(0, amount.logs, BATCH):
        count = min(BATCH, amount.logs - first)
        yield "logs", first + count, traffic.logs(count)
    for first in range(0, amount.spans, BATCH):
        count = min(BATCH, amount.spans - first)
        yield "traces", first + count, _in_traces(traffic.spans(count))


def _in_traces(encoded: bytes) -> bytes:
    """Return the same spans, some of them in each trace."""
    request = ExportTraceServiceRequest.FromString(encoded)
    spans = request.resource_spans[0].scope_spans[0].spans
    for number, span in enumerate(spans):
        root = spans[number - number % SPANS_OF_A_TRACE]
        span.trace_id = root.trace_id
        span.parent_span_id = b"" if span is root else root.span_id
    return request.SerializeToString()


def _send(http: httpx.Client, signal: str, body: bytes) -> None:
    end = time.monotonic() + _TIMEOUT_S
    while True:
        answer = http.post(
            f"/v1/{signal}", content=body, headers={"Content-Type": "application/x-protobuf"}
        )
        if answer.is_success:
            return
        # The Collector is asked for more than a service may send: it says when to come again.
        if answer.status_code not in (429, 503) or time.monotonic() > end:
            raise StackError(f"the Collector does not take {signal}: HTTP {answer.status_code}")
        time.sleep(float(answer.headers.get("Retry-After", "0.2")))


def arrived(ask: Callable[[str], float], amount: Amount, seconds: float) -> bool:
    """Return whether the backends have counted all of it.

    ask: answers a query of Prometheus. seconds: since when it is sent; they began before.

    Raises:
        StackError: one was started again, so that its counter says nothing.
    """
    for count, (backend, _) in _COUNTS.items():
        if ask(f"sum(resets({count}[{max(1, round(seconds))}s]))"):
            raise StackError(
                f"{backend} ended and was started again, and nobody knows what it has stored: see "
                "docker events for why, and give it more memory, or less to store"
            )
    return all(
        ask(f"sum({count})") >= getattr(amount, what) for count, (_, what) in _COUNTS.items()
    )


def _stored(target: Target, amount: Amount, began: float) -> int:
    """Wait until the backends have counted all of it; return Prometheus' samples meanwhile."""
    end = time.monotonic() + _ARRIVES_WITHIN_S
    with httpx.Client(headers=target.reader, timeout=30, trust_env=False) as http:

        def ask(query: str) -> float:
            return _value(http, target, query)

        while not arrived(ask, amount, time.time() - began):
            if time.monotonic() > end:
                counted = {count: ask(f"sum({count})") for count in _COUNTS}
                raise StackError(f"not all is stored after {_ARRIVES_WITHIN_S:.0f} s: {counted}")
            time.sleep(2)
        # Counted since Prometheus began, which was after the volumes were measured.
        return round(ask("sum(prometheus_tsdb_head_samples_appended_total)"))


def _value(http: httpx.Client, target: Target, query: str) -> float:
    answer = http.get(f"{target.prometheus}/api/v1/query", params={"query": query})
    series = answer.raise_for_status().json()["data"]["result"]
    return float(series[0]["value"][1]) if series else 0.0


def _sizes(own: OwnStack) -> dict[str, dict[str, int]]:
    """Return the bytes below each volume, by backend and folder."""
    image = images.resolve(["cli"], checkout=own.checkout)[_TOOLS]
    line = ["docker", "run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "du"]
    for backend, volume in VOLUMES.items():
        line += ["--volume", f"{own.name}_{volume}:/v/{backend}:ro"]
    line += [image, "--bytes", f"--max-depth={_DEPTH}", "/v"]
    done = run(line, timeout=_TIMEOUT_S)
    if not done.ok:
        raise StackError(f"the volumes cannot be measured: {done.last_line}")
    return sizes(done.out)


def sizes(text: str) -> dict[str, dict[str, int]]:
    """Return bytes by backend and folder, of `du`'s lines for paths such as /v/loki/wal."""
    found: dict[str, dict[str, int]] = {backend: {} for backend in VOLUMES}
    for size, path in (line.split("\t", 1) for line in text.splitlines()):
        _, _, backend, folder = f"{path}///".split("/")[:4]
        if folder:
            found[backend][folder] = int(size)
    return found
