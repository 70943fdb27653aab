import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from glasshouse_fakes.app import MAX_BODY_BYTES, create_app
from glasshouse_fakes.settings import Settings, SettingsError

SERVICES = ("alerts", "chain", "push", "sentry", "sms", "smtp")
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


async def set_fault(client: httpx.AsyncClient, service: str, **fault: Any) -> httpx.Response:
    return await client.put(f"/faults/{service}", json=fault)


async def test_it_is_healthy(client: httpx.AsyncClient):
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_faults_are_set_shown_and_cleared(client: httpx.AsyncClient):
    await set_fault(client, "chain", mode="revert", rate=0.5)
    none = {"mode": "none", "rate": 1.0, "delay": 0.0, "status": None}
    healthy = dict.fromkeys(SERVICES, none)
    assert (await client.get("/faults")).json() == healthy | {
        "chain": none | {"mode": "revert", "rate": 0.5}
    }
    assert (await client.delete("/faults")).status_code == 204
    assert (await client.get("/faults")).json() == healthy


@pytest.mark.parametrize(
    ("service", "body", "status", "word"),
    [
        ("nowhere", {"mode": "none"}, 404, ", ".join(SERVICES)),
        ("alerts", {"mode": "revert"}, 422, "mode of alerts must be one of"),
        ("chain", {"mode": "odd"}, 422, "body.mode"),
        ("chain", {"rate": 1.5}, 422, "body.rate"),
        ("chain", {"delay": 61}, 422, "body.delay"),
        ("chain", {"status": 200}, 422, "body.status"),
        ("smtp", {"mode": "revert"}, 422, "mode of smtp must be one of"),
        ("chain", {"odd": 1}, 422, "body.odd"),
    ],
)
async def test_bad_fault_is_refused_in_one_line(
    client: httpx.AsyncClient, service: str, body: dict[str, Any], status: int, word: str
):
    response = await set_fault(client, service, **body)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert word in response.json()["detail"]
    assert "\n" not in response.json()["detail"]


async def test_service_that_is_down_answers_503(client: httpx.AsyncClient):
    for service, body in (("chain", CALL), ("alerts", WEBHOOK)):
        await set_fault(client, service, mode="down")
        assert (await client.post(f"/{service}", json=body)).status_code == 503
        assert (await client.get(f"/received/{service}")).json() == []


async def test_slow_service_answers_after_its_delay(client: httpx.AsyncClient):
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


@pytest.mark.parametrize(("service", "body"), [("chain", CALL), ("alerts", WEBHOOK)])
async def test_failing_service_answers_with_the_status_it_was_given(
    client: httpx.AsyncClient, service: str, body: dict[str, Any]
):
    await set_fault(client, service, mode="error", status=502)
    assert (await client.post(f"/{service}", json=body)).status_code == 502
    assert (await client.get(f"/received/{service}")).json() == []


async def test_the_mail_server_s_certificate_can_be_had(client: httpx.AsyncClient):
    text = (await client.get("/smtp/certificate")).text
    assert text.startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in text


def test_settings_are_read(tmp_path: Path):
    (tmp_path / "password").write_text("s3\n")
    (tmp_path / "secret").write_text("s4\n")
    settings = Settings.load(
        {
            "SANDBOX_HOST": "::1",
            "SANDBOX_LISTEN_PORT": "9",
            "SANDBOX_SEED": "3",
            "SANDBOX_CHAIN_BLOCK_SECONDS": "0.5",
            "SANDBOX_SMTP_PORT": "26",
            "SANDBOX_SMTP_USERNAME": "shop",
            "SANDBOX_SMTP_PASSWORD_FILE": str(tmp_path / "password"),
            "SANDBOX_PROVIDER_SECRET_FILE": str(tmp_path / "secret"),
        }
    )
    assert settings == Settings(
        host="::1",
        port=9,
        seed=3,
        block_seconds=0.5,
        smtp_port=26,
        smtp_username="shop",
        smtp_password="s3",
        provider_secret="s4",
        provider_secret_file=tmp_path / "secret",
    )
    assert "s3" not in repr(settings)
    assert "s4" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SANDBOX_LISTEN_PORT", "http"),
        ("SANDBOX_LISTEN_PORT", "0"),
        ("SANDBOX_SEED", "-1"),
        ("SANDBOX_CHAIN_BLOCK_SECONDS", "nan"),
        ("SANDBOX_SMTP_PORT", "65536"),
    ],
)
def test_bad_setting_is_named(variable: str, value: str):
    with pytest.raises(SettingsError, match=f"^{variable} is invalid: set it to a"):
        Settings.load({variable: value})


def test_every_variable_is_in_the_readme():
    folder = Path(__file__).parents[3] / "dev" / "fakes"
    code = (folder / "src" / "glasshouse_fakes" / "settings.py").read_text(encoding="utf-8")
    table = (folder / "README.md").read_text(encoding="utf-8").partition("| variable |")[2]
    named = re.compile(r"SANDBOX_[A-Z_]+")
    assert set(named.findall(code)) == set(named.findall(table))


@pytest.mark.parametrize("variable", ["SANDBOX_SMTP_PASSWORD_FILE", "SANDBOX_PROVIDER_SECRET_FILE"])
@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_unreadable_secret_file_is_named(tmp_path: Path, variable: str, content: bytes | None):
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(SettingsError, match=f"^{variable} names a file"):
        Settings.load({variable: str(tmp_path / "secret")})


def test_name_without_password_is_refused():
    with pytest.raises(SettingsError, match="set both or none"):
        Settings.load({"SANDBOX_SMTP_USERNAME": "shop"})


def test_port_that_is_taken_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = subprocess.run(
            [sys.executable, "-m", "glasshouse_fakes"],
            env=os.environ | {"SANDBOX_SMTP_PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 2
    assert ran.stderr.startswith("glasshouse-fakes: smtp cannot listen: ")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8025", "[::1]:8025", "localhost:8025", "sandbox:8025", "SANDBOX", "10.1.2.3"],
)
async def test_a_host_that_nobody_can_register_is_served(client: httpx.AsyncClient, host: str):
    assert (await client.get("/faults", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8025",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "[::1",
    ],
)
async def test_a_page_that_rebinds_its_name_is_refused(client: httpx.AsyncClient, host: str):
    answer = await client.get("/received/smtp", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["detail"] == "Ask by address, by localhost, or by the container's name"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:3000"])
async def test_a_page_of_another_origin_changes_nothing(client: httpx.AsyncClient, origin: str):
    host = "127.0.0.1:8025"
    fault = json.dumps({"mode": "down"})
    headers = {"Host": host, "Origin": origin, "Content-Type": "text/plain"}
    answers = [
        await client.put("/faults/chain", content=fault, headers=headers),
        await client.post("/chain", content=json.dumps(CALL), headers=headers),
        await client.delete("/received", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert (await client.get("/faults")).json()["chain"]["mode"] == "none"
    own = {"Host": host, "Origin": f"http://{host}"}
    assert (await client.get("/faults", headers=own)).status_code == 200
