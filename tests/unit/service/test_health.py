"""Health checks and the endpoints that report them, without containers."""

import asyncio
import base64
import logging
import re
from collections.abc import AsyncIterator, Mapping
from importlib.metadata import version
from typing import Any

import httpx
import pytest
from opentelemetry.metrics import CallbackOptions

from backend.operations import health
from backend.operations.health import CheckFailedError, HealthChecks, SmtpProbe
from backend.platform.database import Pool

from .conftest import Provided

TOKEN = "0123456789abcdef"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
SECRET = "hunter2-in-a-message"
INTERNAL = ["/readyz", "/metrics", "/jobs/status"]


class Dependency:
    """Something that can be unavailable, and counts how often it was asked."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0

    async def check(self) -> Mapping[str, Any]:
        self.asked += 1
        if self.error:
            raise self.error
        return {"heartbeatAgeSeconds": 1.5}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def dependency(provided: Provided) -> Dependency:
    dependency = Dependency()
    provided.replace(health=HealthChecks({"postgres": dependency.check}))
    return dependency


@pytest.mark.parametrize("path", INTERNAL)
@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, 'Bearer realm="internal"'),
        ("Basic " + TOKEN, 'Bearer realm="internal"'),
        ("Bearer wrong", 'Bearer realm="internal", error="invalid_token"'),
        (f"Bearer {TOKEN}x", 'Bearer realm="internal", error="invalid_token"'),
        (f"Bearer {TOKEN[:-1]}", 'Bearer realm="internal", error="invalid_token"'),
        ("Bearer tökén".encode("latin-1"), 'Bearer realm="internal", error="invalid_token"'),
    ],
)
async def test_internal_endpoint_refuses_all_but_the_right_token(
    stranger: httpx.AsyncClient, path: str, authorization: str | bytes | None, challenge: str
):
    headers = {} if authorization is None else {"Authorization": authorization}
    response = await stranger.get(path, headers=headers)  # pyright: ignore[reportArgumentType]  # bytes are sent as they are
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == challenge
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["requestId"] == response.headers["X-Request-ID"]
    assert TOKEN not in response.text


def basic(name: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}", "Accept": "text/html,*/*;q=0.8"}


async def test_a_browser_is_asked_for_the_token_and_gets_the_page(
    stranger: httpx.AsyncClient, provided: Provided, pool: Pool
):
    provided.replace(pool=pool)
    asked = await stranger.get("/jobs/status", headers={"Accept": "text/html"})
    assert asked.status_code == 401
    login, bearer = asked.headers["WWW-Authenticate"].split(", Bearer")
    assert login == 'Basic realm="the internal token is the password", charset="UTF-8"'
    assert bearer == ' realm="internal"'
    for name in ("", "anybody", "zoë"):
        answer = await stranger.get("/jobs/status", headers=basic(name, TOKEN))
        assert (answer.status_code, "<h1>Jobs and workers</h1>" in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/jobs/status", basic("", TOKEN + "x")),
        ("/jobs/status", basic(TOKEN, "")),
        ("/jobs/status", basic("", "")),
        ("/jobs/status", {"Authorization": "Basic !" + TOKEN}),
        ("/jobs/status", {"Authorization": "Basic /w=="}),  # no UTF-8
        # What no browser shows asks no browser.
        ("/metrics", basic("", TOKEN)),
        ("/readyz", basic("", TOKEN)),
    ],
)
async def test_a_browsers_login_opens_nothing_else(
    stranger: httpx.AsyncClient, path: str, headers: dict[str, str]
):
    response = await stranger.get(path, headers=headers)
    assert response.status_code == 401
    assert ("Basic" in response.headers["WWW-Authenticate"]) is (
        "Accept" in headers and path == "/jobs/status"
    )


async def test_metrics_say_how_to_switch_them_on(client: httpx.AsyncClient):
    response = await client.get("/metrics", headers=RIGHT)
    assert response.status_code == 404
    assert "OTEL_METRICS_EXPORTER=otlp,glasshouse_prometheus" in response.json()["detail"]


async def test_open_health_is_short(client: httpx.AsyncClient, dependency: Dependency):
    response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ok", "checks": {"postgres": "ok"}},
    )


@pytest.mark.parametrize(
    ("headers", "detailed"), [({}, False), ({"Authorization": "Bearer no"}, False), (RIGHT, True)]
)
async def test_failing_check_gives_503_and_details_only_with_the_token(
    client: httpx.AsyncClient, dependency: Dependency, headers: dict[str, str], detailed: bool
):
    dependency.error = ConnectionRefusedError(SECRET)
    response = await client.get("/healthz", headers=headers)
    assert response.status_code == 503
    body = response.json()
    assert body["status"] == "unavailable"
    assert body.pop("version", None) == (version("glasshouse-backend") if detailed else None)
    if detailed:
        assert body["checks"]["postgres"].pop("durationSeconds") >= 0
        expected: Any = {"status": "failed", "error": "ConnectionRefusedError"}
    else:
        expected = "failed"
    assert body["checks"] == {"postgres": expected}
    assert SECRET not in response.text


@pytest.mark.parametrize("failing", ["postgres", "redis", "smtp", "worker"])
async def test_one_failing_check_of_several_is_enough(
    provided: Provided, client: httpx.AsyncClient, failing: str
):
    dependencies = {name: Dependency() for name in ("postgres", "redis", "smtp", "worker")}
    dependencies[failing].error = ConnectionError()
    checks = HealthChecks({name: one.check for name, one in dependencies.items()})
    provided.replace(health=checks)
    response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (
        503,
        {
            "status": "unavailable",
            "checks": dict.fromkeys(dependencies, "ok") | {failing: "failed"},
        },
    )


async def test_livez_says_nothing_of_dependencies(
    client: httpx.AsyncClient, dependency: Dependency
):
    dependency.error = ConnectionError()
    response = await client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_a_check_that_hangs_fails_in_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)

    async def hang() -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def answer() -> Mapping[str, Any]:
        return {}

    results = await asyncio.wait_for(
        HealthChecks({"slow": hang, "quick": answer}).current(), timeout=30
    )
    assert (results["slow"].ok, results["slow"].details["error"]) == (False, "TimeoutError")
    assert results["quick"].ok


async def test_many_callers_ask_the_dependency_once_a_second():
    clock, dependency = Clock(), Dependency()
    checks = HealthChecks({"postgres": dependency.check}, clock)
    await asyncio.gather(*(checks.current() for _ in range(20)))
    assert dependency.asked == 1
    clock.now += health.FRESH_S
    await checks.current()
    assert dependency.asked == 2


async def test_changes_are_logged_once_and_the_gauge_follows(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clock, dependency = Clock(), Dependency()
    checks = HealthChecks({"redis": dependency.check}, clock)
    seen: list[int | float] = []
    for error in (None, None, ConnectionError(SECRET), ConnectionError(SECRET), None):
        dependency.error = error
        await checks.current()
        clock.now += health.FRESH_S
        [observed] = checks.observe(CallbackOptions())
        assert observed.attributes == {"check": "redis"}
        seen.append(observed.value)
    assert seen == [1, 1, 0, 0, 1]
    logged = [(record.levelname, vars(record)["status"]) for record in caplog.records]
    assert logged == [("WARNING", "failed"), ("INFO", "ok")]
    assert SECRET not in caplog.text


class MailServer:
    """A server that says ``greeting`` to whoever connects."""

    def __init__(self, greeting: bytes) -> None:
        self.greeting = greeting
        self.received = b""
        self.left = asyncio.Event()
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        self.received += await reader.read()
        writer.close()
        self.left.set()


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    server = MailServer(b"220 mail.example ESMTP\r\n")
    async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


async def test_mail_server_that_greets_is_healthy(mail: MailServer):
    probe = SmtpProbe("127.0.0.1", mail.port)
    assert await probe.check() == {"probed": False}
    await probe.refresh()
    assert (await probe.check())["probeAgeSeconds"] >= 0
    await asyncio.wait_for(mail.left.wait(), timeout=30)
    assert mail.received == b"QUIT\r\n"


@pytest.mark.parametrize(
    "greeting", [b"554 go away\r\n", b"421 later\r\n", b"", b"x" * 5000, b"HTTP/1.1 200 OK\r\n"]
)
async def test_other_greeting_fails(mail: MailServer, greeting: bytes):
    mail.greeting = greeting
    probe = SmtpProbe("127.0.0.1", mail.port)
    await probe.refresh()
    with pytest.raises(CheckFailedError):
        await probe.check()


async def test_mail_server_that_is_unavailable_or_not_asked_any_more_fails(mail: MailServer):
    clock = Clock()
    gone = SmtpProbe("127.0.0.1", 1)
    await gone.refresh()
    with pytest.raises(CheckFailedError, match="ConnectionRefusedError"):
        await gone.check()
    probe = SmtpProbe("127.0.0.1", mail.port, clock)
    await probe.refresh()
    clock.now += 3 * health.SMTP_INTERVAL_S + health.SMTP_TIMEOUT_S
    assert await probe.check()
    clock.now += 0.1
    with pytest.raises(CheckFailedError, match="not probed any more"):
        await probe.check()


async def test_mail_server_is_asked_again_sooner_while_it_is_unavailable(mail: MailServer):
    clock = Clock()
    probe = SmtpProbe("127.0.0.1", mail.port, clock)
    mail.greeting = b"421 later\r\n"
    for _ in range(2):
        await probe.refresh_if_due()
    mail.greeting = b"220 ready\r\n"
    await probe.refresh_if_due()
    assert await probe.check()
    mail.greeting = b"421 later\r\n"
    await probe.refresh_if_due()
    assert await probe.check()  # not due yet
    clock.now += health.SMTP_INTERVAL_S
    await probe.refresh_if_due()
    with pytest.raises(CheckFailedError):
        await probe.check()


async def test_health_checks_are_described_with_their_security(client: httpx.AsyncClient):
    document = (await client.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["internalToken"]["scheme"] == "bearer"
    for path in INTERNAL:
        operation = document["paths"][path]["get"]
        assert operation["security"] == [{"internalToken": []}]
        assert "application/problem+json" in operation["responses"]["401"]["content"]
    assert re.search("503", str(document["paths"]["/healthz"]["get"]["responses"].keys()))
