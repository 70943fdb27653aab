"""Requests over HTTP/1.1, a fixed number of them, on connections that each wait for the answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from glasshouse_cli.errors import StackError

CONNECTIONS = 16
# Of the trivial requests: a service has few routes and names that come again.
NAMES = 50
_BODY = json.dumps({"userId": "bench", "amount": "12.34", "currency": "EUR"}).encode()


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Load(NamedTuple):
    """One kind of request. ``needs_payments``: the reference service on Postgres answers it."""

    name: str
    title: str
    requests: int
    needs_payments: bool


LOADS = (
    Load("post", "POST /payments", 300, True),
    Load("get", "GET /payments/{id}, the same id", 500, True),
    Load("new-id", "GET /payments/{id}, a new id each", 300, True),
    Load("trivial", "trivial GET", 1000, False),
    Load("log", "trivial GET with one log line", 1000, False),
)
BY_NAME = {one.name: one for one in LOADS}


class Request(NamedTuple):
    """The bytes of one request, and the status that it is to get."""

    sent: bytes
    expected: int


def request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    """Return the bytes of a request with a caller's key."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def pay(key: str) -> Request:
    """Return a request that makes a payment."""
    return Request(request("POST", "/payments", key, _BODY), 202)


def requests(load: str, count: int, key: str, ids: Sequence[str]) -> list[Request]:
    """Return the requests of a load. ``ids`` are of payments: the last ``count`` are read anew."""
    if load == "post":
        return [pay(key)] * count
    if load == "get":
        return [_read(f"/payments/{ids[0]}", key)] * count
    if load == "new-id":
        return [_read(f"/payments/{one}", key) for one in ids[-count:]]
    path = {"trivial": "/bench/hello", "log": "/bench/log"}[load]
    return [_read(f"{path}/n{number % NAMES}", key) for number in range(count)]


def _read(path: str, key: str) -> Request:
    return Request(request("GET", path, key), 200)


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes
) -> tuple[int, bytes]:
    """Send one request; return status and body."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return status, await reader.readexactly(length)


async def once(port: int, sent: bytes) -> tuple[int, bytes]:
    """Send one request on a connection of its own; return status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await ask(reader, writer, sent)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class Client:
    """Connections to one port that stay open between the parts of a load.

    To open them anew for each part would be counted with both processes that are compared, and
    make their ratio look better than it is.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: list[_Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in self._open:
            await _close(one)
        self._open.clear()

    async def send(self, wanted: Sequence[Request]) -> list[bytes]:
        """Send all; return the bodies. Any other status than the expected one is a StackError."""
        waiting: Iterator[Request] = iter(wanted)
        bodies: list[bytes] = []

        async def one() -> None:
            reader, writer = await self._connection()
            try:
                for each in waiting:
                    status, body = await ask(reader, writer, each.sent)
                    if status != each.expected:
                        fault = f"the API answers {status}, not {each.expected}: {body[:200]!r}"
                        raise StackError(fault)
                    bodies.append(body)
            except BaseException:
                await _close((reader, writer))
                raise
            self._open.append((reader, writer))

        tasks = [asyncio.create_task(one()) for _ in range(min(CONNECTIONS, len(wanted)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return bodies

    async def _connection(self) -> _Connection:
        while self._open:
            reader, writer = self._open.pop(0)
            # A server ends what has been idle for some seconds.
            if not reader.at_eof():
                return reader, writer
            await _close((reader, writer))
        return await asyncio.open_connection("127.0.0.1", self._port)


async def _close(connection: _Connection) -> None:
    connection[1].close()
    with contextlib.suppress(ConnectionError):
        await connection[1].wait_closed()


async def send(port: int, wanted: Sequence[Request]) -> list[bytes]:
    """Send all on connections of their own; return the bodies. As `Client.send`."""
    async with Client(port) as client:
        return await client.send(wanted)
