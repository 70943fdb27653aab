import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import brotli
import httpx
import pytest

from glasshouse_fakes.app import create_app
from glasshouse_fakes.services.sentry import MAX_ENVELOPE_BYTES, EnvelopeError, parse, unpack
from glasshouse_fakes.settings import Settings

AUTH = {"X-Sentry-Auth": "Sentry sentry_key=abc123, sentry_version=7"}
HEADER = {"event_id": "9ec79c33ec9942ab8353589fcb2e04dc"}
EVENT = {"message": "confirmation failed", "contexts": {"trace": {"trace_id": "ab" * 16}}}


def lines(*parts: Any) -> bytes:
    return b"\n".join(
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts
    )


def envelope() -> bytes:
    payload = json.dumps(EVENT).encode()
    return lines(
        HEADER,
        {"type": "event", "length": len(payload)},
        payload,
        {"type": "attachment", "length": 5},
        b"a\nb\xff!",
        {"type": "session"},
        {"status": "ok"},
    )


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        yield client


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, envelope()),
        ("gzip", gzip.compress(envelope())),
        ("deflate", zlib.compress(envelope())),
        ("br", brotli.compress(envelope())),
    ],
)
async def test_envelope_is_kept_item_by_item(
    client: httpx.AsyncClient, encoding: str | None, body: bytes
):
    headers = AUTH | ({"Content-Encoding": encoding} if encoding else {})
    answer = await client.post("/api/1/envelope/", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"id": HEADER["event_id"]})
    assert (await client.get("/received/sentry")).json() == [
        {
            "project": "1",
            "key": "abc123",
            "header": HEADER,
            "items": [
                {"header": {"type": "event", "length": len(json.dumps(EVENT))}, "payload": EVENT},
                {"header": {"type": "attachment", "length": 5}, "payload": {"bytes": 5}},
                {"header": {"type": "session"}, "payload": {"status": "ok"}},
            ],
        }
    ]


async def test_key_may_stand_in_the_query(client: httpx.AsyncClient):
    answer = await client.post("/api/1/envelope/?sentry_key=abc123", content=envelope())
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, envelope(), 401),
        (AUTH, b"", 400),
        (AUTH | {"Content-Encoding": "gzip"}, envelope(), 400),
        (AUTH | {"Content-Encoding": "br"}, envelope(), 400),
        (AUTH | {"Content-Encoding": "zstd"}, envelope(), 400),
    ],
)
async def test_bad_request_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes, status: int
):
    answer = await client.post("/api/1/envelope/", content=body, headers=headers)
    assert answer.status_code == status
    assert (await client.get("/received/sentry")).json() == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"mode": "down"}, 503),
        ({"mode": "error"}, 500),
        ({"mode": "error", "status": 429}, 429),
    ],
)
async def test_faults(client: httpx.AsyncClient, fault: dict[str, Any], status: int):
    await client.put("/faults/sentry", json=fault)
    answer = await client.post("/api/1/envelope/", content=envelope(), headers=AUTH)
    assert answer.status_code == status
    assert (await client.get("/received/sentry")).json() == []


@pytest.mark.parametrize(
    "body",
    [
        b"7",
        b"\xff",
        lines(HEADER, 7),
        lines(HEADER, {"length": 2}, b"{}"),
        lines(HEADER, {"type": "event", "length": 3}, b"{}"),
        lines(HEADER, {"type": "event", "length": -1}, b"{}"),
        lines(HEADER, {"type": "event", "length": "2"}, b"{}"),
    ],
)
def test_broken_envelope_is_refused(body: bytes):
    with pytest.raises(EnvelopeError):
        parse(body)


def test_envelope_may_have_no_items():
    assert parse(b"{}\n") == ({}, [])


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("br", lambda body: brotli.compress(body, quality=1))],
)
def test_unpacking_is_bounded(encoding: str, pack: Callable[[bytes], bytes]):
    most = b"a" * MAX_ENVELOPE_BYTES
    assert unpack(pack(most), encoding) == most
    with pytest.raises(EnvelopeError, match="over"):
        unpack(pack(most + b"a"), encoding)
    with pytest.raises(EnvelopeError, match="over"):
        unpack(pack(most * 4), encoding)
    with pytest.raises(EnvelopeError, match="cut off"):
        unpack(pack(envelope())[:-1], encoding)
