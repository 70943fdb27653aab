"""Requests are sent as often as they are to, each answer is checked, and the sink counts."""

import asyncio
import contextlib
import gzip

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from glasshouse_bench.overhead import load, measure, sink
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
