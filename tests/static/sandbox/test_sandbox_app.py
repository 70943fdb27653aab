import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from glasshouse_sandbox.app import MAX_BODY_BYTES, create_app
from glasshouse_sandbox.settings import Settings, SettingsError

pytestmark = pytest.mark.static

CALL = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
WEBHOOK = {
    "version": "4",
    "status": "firing",
    "receiver": "sandbox",
    "groupKey": "{}:{}",
    "alerts": [{"status": "firing", "labels": {"alertname": "Test"}, "fingerprint": "ab"}],
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(Settings(block_seconds=0)))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        yield client


async def set_fault(client: httpx.AsyncClient, part: str, **fault: Any) -> httpx.Response:
    return await client.put(f"/faults/{part}", json=fault)


async def test_it_is_healthy(client: httpx.AsyncClient):
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_faults_are_set_shown_and_cleared(client: httpx.AsyncClient):
    await set_fault(client, "chain", mode="revert", rate=0.5)
    none = {"mode": "none", "rate": 1.0, "delay": 0.0}
    assert (await client.get("/faults")).json() == {
        "alerts": none,
        "chain": {"mode": "revert", "rate": 0.5, "delay": 0.0},
    }
    assert (await client.delete("/faults")).status_code == 204
    assert (await client.get("/faults")).json() == {"alerts": none, "chain": none}


@pytest.mark.parametrize(
    ("part", "body", "status", "word"),
    [
        ("nowhere", {"mode": "none"}, 404, "alerts, chain"),
        ("alerts", {"mode": "revert"}, 422, "mode of alerts must be one of"),
        ("chain", {"mode": "odd"}, 422, "body.mode"),
        ("chain", {"rate": 1.5}, 422, "body.rate"),
        ("chain", {"delay": 61}, 422, "body.delay"),
        ("chain", {"odd": 1}, 422, "body.odd"),
    ],
)
async def test_bad_fault_is_refused_in_one_line(
    client: httpx.AsyncClient, part: str, body: dict[str, Any], status: int, word: str
):
    response = await set_fault(client, part, **body)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert word in response.json()["detail"]
    assert "\n" not in response.json()["detail"]


async def test_part_that_is_down_answers_503(client: httpx.AsyncClient):
    for part, body in (("chain", CALL), ("alerts", WEBHOOK)):
        await set_fault(client, part, mode="down")
        assert (await client.post(f"/{part}", json=body)).status_code == 503
        assert (await client.get(f"/received/{part}")).json() == []


async def test_slow_part_answers_after_its_delay(client: httpx.AsyncClient):
    await set_fault(client, "chain", mode="slow", delay=0.05)
    started = time.monotonic()
    assert (await client.post("/chain", json=CALL)).json()["result"] == "0x7a69"
    assert time.monotonic() - started >= 0.04


async def test_what_arrived_is_listed_and_forgotten(client: httpx.AsyncClient):
    await client.post("/chain", json=CALL)
    assert (await client.get("/received/chain")).json() == [{"method": "eth_chainId", "params": []}]
    assert (await client.post("/alerts", json=WEBHOOK)).status_code == 204
    [group] = (await client.get("/received/alerts")).json()
    assert group["groupKey"] == "{}:{}"
    assert group["alerts"][0]["labels"] == {"alertname": "Test"}
    assert (await client.delete("/received")).status_code == 204
    assert (await client.get("/received/chain")).json() == []


async def test_payload_that_is_no_alert_is_refused(client: httpx.AsyncClient):
    response = await client.post("/alerts", json=WEBHOOK | {"version": "3"})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("body.version: ")
    assert (await client.get("/received/alerts")).json() == []


async def test_notification_has_no_answer(client: httpx.AsyncClient):
    body = json.dumps({key: value for key, value in CALL.items() if key != "id"})
    response = await client.post("/chain", content=body)
    assert (response.status_code, response.content) == (204, b"")


async def test_oversize_body_is_refused(client: httpx.AsyncClient):
    response = await client.post("/chain", content=b" " * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413


def test_settings_are_read():
    settings = Settings.load(
        {
            "SANDBOX_HOST": "::1",
            "SANDBOX_LISTEN_PORT": "9",
            "SANDBOX_SEED": "3",
            "SANDBOX_CHAIN_BLOCK_SECONDS": "0.5",
        }
    )
    assert settings == Settings(host="::1", port=9, seed=3, block_seconds=0.5)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SANDBOX_LISTEN_PORT", "http"),
        ("SANDBOX_LISTEN_PORT", "0"),
        ("SANDBOX_SEED", "-1"),
        ("SANDBOX_CHAIN_BLOCK_SECONDS", "nan"),
    ],
)
def test_bad_setting_is_named(variable: str, value: str):
    with pytest.raises(SettingsError, match=f"^{variable} is invalid: set it to a"):
        Settings.load({variable: value})
