import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from glasshouse_fakes.app import create_app
from glasshouse_fakes.services.provider import SIGNATURE_WINDOW_S, FakeProvider
from glasshouse_fakes.settings import Settings

SECRET = "provider-secret"
NOW = 1_800_000_000
MESSAGE = {"to": "+491701234567", "text": "Your payment is confirmed"}

channels = pytest.mark.parametrize("channel", ["sms", "push"])


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings()
    services = [FakeProvider(name, 0, SECRET, clock=lambda: NOW) for name in ("sms", "push")]
    transport = httpx.ASGITransport(create_app(settings, services))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        yield client


def signature(body: bytes, *, moment: int = NOW, secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={digest.hexdigest()}"


async def send(
    client: httpx.AsyncClient,
    channel: str = "sms",
    message: Any = MESSAGE,
    *,
    key: str | None = None,
    signed: str | None = None,
) -> httpx.Response:
    body = json.dumps(message).encode()
    headers = {"X-Signature": signature(body) if signed is None else signed}
    if key is not None:
        headers["Idempotency-Key"] = key
    return await client.post(f"/{channel}", content=body, headers=headers)


async def received(client: httpx.AsyncClient, channel: str = "sms") -> list[dict[str, Any]]:
    return (await client.get(f"/received/{channel}")).json()


@channels
async def test_message_is_accepted_with_an_id(client: httpx.AsyncClient, channel: str):
    answer = await send(client, channel, MESSAGE | {"title": "Paid"}, key="k-1")
    assert answer.status_code == 202
    identifier = answer.json()["messageId"]
    assert identifier.startswith(f"{channel}-")
    assert await received(client, channel) == [
        {"messageId": identifier, "idempotencyKey": "k-1", **MESSAGE, "title": "Paid"}
    ]


async def test_channels_keep_their_messages_apart(client: httpx.AsyncClient):
    await send(client, "push")
    assert await received(client, "sms") == []
    assert len(await received(client, "push")) == 1


async def test_same_key_is_the_same_message(client: httpx.AsyncClient):
    first = await send(client, key="k-1")
    again = await send(client, key="k-1")
    other = await send(client, key="k-2")
    assert again.json() == first.json()
    assert other.json()["messageId"] != first.json()["messageId"]
    assert len(await received(client)) == 2


async def test_key_of_another_message_is_refused(client: httpx.AsyncClient):
    await send(client, key="k-1")
    assert (await send(client, message=MESSAGE | {"text": "x"}, key="k-1")).status_code == 409
    assert len(await received(client)) == 1


async def test_without_a_key_every_request_is_a_message(client: httpx.AsyncClient):
    first, again = await send(client), await send(client)
    assert first.json() != again.json()


BODY = json.dumps(MESSAGE).encode()


@pytest.mark.parametrize(
    "signed",
    [
        "",
        "t=1",
        "v1=" + "0" * 64,
        f"t={NOW},v1=" + "0" * 64,
        signature(BODY, secret="another"),
        signature(BODY + b" "),
        signature(BODY, moment=NOW - SIGNATURE_WINDOW_S - 1),
        signature(BODY, moment=NOW + SIGNATURE_WINDOW_S + 1),
        # The moment is part of what is signed.
        signature(BODY, moment=NOW - 1).replace(f"t={NOW - 1}", f"t={NOW}"),
        signature(BODY).upper(),
    ],
)
async def test_wrong_signature_is_refused(client: httpx.AsyncClient, signed: str):
    answer = await send(client, signed=signed)
    assert (answer.status_code, answer.json()["status"]) == (401, 401)
    assert await received(client) == []


@pytest.mark.parametrize("age", [-SIGNATURE_WINDOW_S, SIGNATURE_WINDOW_S])
async def test_signature_holds_within_its_window(client: httpx.AsyncClient, age: int):
    assert (await send(client, signed=signature(BODY, moment=NOW + age))).status_code == 202


async def test_without_a_secret_no_signature_is_asked_for():
    app = create_app(Settings(), [FakeProvider("sms", 0)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        assert (await client.post("/sms", json=MESSAGE)).status_code == 202


@pytest.mark.parametrize(
    "message", [[], {}, {"to": "+1"}, {"to": "", "text": "x"}, {"to": 7, "text": "x"}]
)
async def test_message_that_is_none_is_refused(client: httpx.AsyncClient, message: Any):
    assert (await send(client, message=message)).status_code == 422
    assert await received(client) == []


@pytest.mark.parametrize(
    ("fault", "status", "kept"),
    [
        ({"mode": "down"}, 503, 0),
        ({"mode": "error"}, 500, 0),
        ({"mode": "error", "status": 429}, 429, 0),
        ({"mode": "lost_reply"}, 504, 1),
        ({"mode": "slow", "delay": 0.01}, 202, 1),
    ],
)
async def test_faults(client: httpx.AsyncClient, fault: dict[str, Any], status: int, kept: int):
    assert (await client.put("/faults/sms", json=fault)).status_code == 200
    assert (await send(client, key="k-1")).status_code == status
    assert len(await received(client)) == kept
    # The other channel is healthy, and this one is again when the fault is gone.
    assert (await send(client, "push")).status_code == 202
    await client.delete("/faults")
    assert (await send(client, key="k-1")).status_code == 202
    assert len(await received(client)) == 1
