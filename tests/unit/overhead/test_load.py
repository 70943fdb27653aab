"""Requests are sent as often as they are to, each answer is checked, and the sink counts."""

import asyncio
import contextlib
import gzip
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from glasshouse_bench.overhead import load, measure, sink
from glasshouse_bench.overhead.process import Api
from glasshouse_cli.errors import StackError

KEY = "some-key"
IDS = [f"tx_{number:032x}" for number in range(10)]
SPANS = ExportTraceServiceRequest(
    resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[Span(name="a"), Span(name="b")])])]
)
LOGS = ExportLogsServiceRequest(
    resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord()])])]
)


def paths(load_name: str, count: int) -> list[str]:
    found = load.requests(load_name, count, KEY, IDS)
    assert {one.expected for one in found} == {202 if load_name == "post" else 200}
    return [one.sent.split(b" ")[1].decode() for one in found]


def test_the_loads_are_what_they_are_named_for() -> None:
    assert paths("post", 3) == ["/payments"] * 3
    assert paths("get", 3) == [f"/payments/{IDS[0]}"] * 3
    assert paths("new-id", 3) == [f"/payments/{one}" for one in IDS[-3:]]
    assert len(set(paths("trivial", 120))) == load.NAMES
    assert paths("log", 2) == ["/bench/log/n0", "/bench/log/n1"]


def test_each_load_has_a_request_for_each_connection() -> None:
    small = measure.Size(loads=load.LOADS, share=0.001)
    assert [small.requests(one) for one in load.LOADS] == [load.CONNECTIONS] * len(load.LOADS)
    assert measure.Size(loads=load.LOADS).requests(load.BY_NAME["get"]) == 500
    assert small.needs_payments
    assert not measure.Size(loads=[load.BY_NAME["log"]]).needs_payments


async def test_all_requests_are_sent_and_a_wrong_answer_ends_it() -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                asked.append(head.split(b" ")[1])
                status = b"404" if b"/bench/hello/n7 " in head else b"200"
                writer.write(b"HTTP/1.1 %s X\r\nContent-Length: 2\r\n\r\nok" % status)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        bodies = await load.send(port, load.requests("log", 100, KEY, []))
        assert bodies == [b"ok"] * 100
        assert sorted(asked) == sorted(f"/bench/log/n{one % 50}".encode() for one in range(100))
        with pytest.raises(StackError, match=r"answers 404, not 200: b'ok'"):
            await load.send(port, load.requests("trivial", 32, KEY, []))


class Served:
    """A server that notes whose request came, on which connection, and answers each."""

    def __init__(self, name: str, log: list[tuple[str, str, int]], *, patience: float = 60) -> None:
        self.name, self.log, self.connections = name, log, 0
        self._patience = patience

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        with (
            contextlib.closing(writer),
            contextlib.suppress(asyncio.IncompleteReadError, TimeoutError),
        ):
            while True:
                asked = reader.readuntil(b"\r\n\r\n")
                head = await asyncio.wait_for(asked, self._patience)
                self.log.append((self.name, head.split(b" ")[1].decode(), number))
                writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]


async def test_connections_stay_open_between_parts_until_the_server_ends_them() -> None:
    log: list[tuple[str, str, int]] = []
    served = Served("one", log, patience=0.2)
    wanted = load.requests("trivial", 40, KEY, [])
    async with served.running() as port, load.Client(port) as client:
        assert await client.send(wanted) == [b"ok"] * 40
        assert await client.send(wanted[:20]) == [b"ok"] * 20
        assert served.connections == load.CONNECTIONS

        async def ended() -> bool:
            await asyncio.sleep(0.05)
            return all(reader.at_eof() for reader, _ in client._open)

        async with asyncio.timeout(30):
            while not await ended():
                pass
        assert await client.send(wanted) == [b"ok"] * 40
        assert served.connections == 2 * load.CONNECTIONS
    assert len(log) == 100


async def test_two_processes_take_turns_and_each_begins_as_often() -> None:
    log: list[tuple[str, str, int]] = []
    size = measure.Size(loads=[load.BY_NAME["trivial"]], share=0.4, settle_s=0)
    async with (
        sink.running() as (taking, _),
        Served("ours", log).running() as ours,
        Served("base", log).running() as base,
    ):
        found = await measure.run(
            Api(os.getpid(), ours, 0), taking, size, Api(os.getpid(), base, 0)
        )
    counted = log[-800:]
    turns = [name for name, _ in itertools.groupby(name for name, *_ in counted)]
    # ours base · base ours · ours base …: of eight parts each begins four.
    assert turns == ["ours", *["base", "ours"] * 4]
    for name in ("ours", "base"):
        asked = Counter(path for whose, path, _ in counted if whose == name)
        assert asked == Counter(f"/bench/hello/n{number % 50}" for number in range(400))
    # Both are this process here: what one took lies in the other's, too.
    assert found["loads"]["trivial"]["requests"] == 400
    assert found["loads"]["trivial"]["us"] > 0
    assert found["loads"]["trivial"]["base_us"] == pytest.approx(
        found["loads"]["trivial"]["us"], rel=0.5
    )


def test_requests_are_shared_out_in_order_and_evenly() -> None:
    wanted = load.requests("trivial", 50, KEY, [])
    parts = measure.shared(wanted, 8)
    assert [one for part in parts for one in part] == list(wanted)
    assert {len(part) for part in parts} == {6, 7}


async def post(port: int, path: str, headers: str, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_sink_counts_what_comes_and_keeps_nothing() -> None:
    spans, logs = SPANS.SerializeToString(), LOGS.SerializeToString()
    packed = gzip.compress(spans)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(spans), spans)
    async with sink.running() as (taking, port):
        length = "Content-Length: {}"
        assert b" 200 OK" in await post(port, "/v1/logs", length.format(len(logs)), logs)
        zipped = f"Content-Encoding: gzip\r\n{length.format(len(packed))}"
        assert b" 200 OK" in await post(port, "/v1/traces", zipped, packed)
        assert b" 200 OK" in await post(port, "/v1/traces", "Transfer-Encoding: chunked", chunked)
        assert taking.taken() == {
            "bytes": len(logs) + len(packed) + len(spans),
            "spans": 4,
            "log_records": 1,
        }
        assert taking.taken() == {}
        # Of another protocol the bytes alone can be counted.
        assert b"\r\n\r\n" in await post(port, "/v0.4/traces", length.format(3), b"abc")
        await post(port, "/v1/traces", length.format(3), b"abc")
        assert taking.taken() == {"bytes": 6}
