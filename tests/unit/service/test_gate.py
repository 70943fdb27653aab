"""Who may call, how often, for which host and by which port."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.api.app import create_app
from backend.api.dependencies import get_services
from backend.api.gate import AllowedHosts
from backend.platform.callers import Caller, Callers, CallersError, Scope, read
from backend.platform.settings import ApiSettings, SettingsError, load_settings
from support import callers
from support.callers import AUTHORIZATION, CALLER, KEY, OTHER, OTHER_AUTHORIZATION, OTHER_KEY

from .conftest import HOST, FakePayments, Provided, payment

GOOD = {"userId": "alice", "amount": "10.50", "currency": "EUR"}
INTERNAL_PORT = 8001
TOKEN = {"Authorization": "Bearer 0123456789abcdef"}
ENDPOINTS = [
    ("POST", "/payments", Scope.PAYMENTS_WRITE),
    ("GET", f"/payments/tx_{0:032x}", Scope.PAYMENTS_READ),
    ("POST", "/automation/runs", Scope.AUTOMATION_WRITE),
    ("GET", f"/automation/runs/run_{0:032x}", Scope.AUTOMATION_READ),
    ("POST", "/notifications", Scope.NOTIFICATIONS_WRITE),
    ("GET", f"/notifications/nt_{0:032x}", Scope.NOTIFICATIONS_READ),
    ("PUT", "/contacts", Scope.CONTACTS_WRITE),
]
BODIES: dict[str, dict[str, Any]] = {
    "/payments": GOOD,
    "/automation/runs": {"userId": "alice", "strategy": "rebalance"},
    "/notifications": {
        "userId": "alice",
        "channel": "sms",
        "template": "welcome",
        "to": "+4915112345678",
        "data": {"name": "Zoe"},
    },
    "/contacts": {"userId": "alice", "channel": "sms", "to": "+4915112345678"},
}


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["requestId"] == response.headers["X-Request-ID"]
    return document


# Callers and scopes


@pytest.mark.parametrize(("method", "path", "scope"), ENDPOINTS)
@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, 'Bearer realm="api"'),
        (f"Basic {KEY}", 'Bearer realm="api"'),
        ("Bearer ", 'Bearer realm="api"'),
        ("Bearer wrong", 'Bearer realm="api", error="invalid_token"'),
        (f"Bearer {KEY}x", 'Bearer realm="api", error="invalid_token"'),
        ("Bearer 0123456789abcdef", 'Bearer realm="api", error="invalid_token"'),
    ],
)
async def test_an_endpoint_is_for_known_callers(
    stranger: httpx.AsyncClient,
    method: str,
    path: str,
    scope: Scope,
    authorization: str | None,
    challenge: str,
):
    headers = {} if authorization is None else {"Authorization": authorization}
    # Before the body is read: it is not even JSON.
    response = await stranger.request(method, path, headers=headers, content=b"{")
    problem_of(response, 401)
    assert response.headers["WWW-Authenticate"] == challenge
    assert KEY not in response.text


@pytest.mark.parametrize("path", ["/nowhere", "/payments/", "//payments", "/openapi.jsonx"])
async def test_a_stranger_does_not_learn_which_paths_there_are(
    stranger: httpx.AsyncClient, client: httpx.AsyncClient, path: str
):
    problem_of(await stranger.get(path), 401)
    assert (await client.get(path)).status_code in (404, 405)


@pytest.mark.parametrize(("method", "path", "scope"), ENDPOINTS)
async def test_a_caller_does_what_its_scopes_allow(
    settings: ApiSettings, provided: Provided, method: str, path: str, scope: Scope
):
    others = [one for one in Scope if one is not scope]
    callers.write(
        settings.api_callers_file,
        callers.entry("all-but-one", KEY, scopes=others),
        callers.entry("only-one", OTHER_KEY, scopes=[scope]),
    )
    app = create_app(settings)
    provided.replace(gate=_gate_of(app))
    app.dependency_overrides[get_services] = lambda: provided.services
    async with _client(app) as client:
        body = BODIES.get(path)
        response = await client.request(method, path, headers=AUTHORIZATION, json=body)
        detail = problem_of(response, 403)["detail"]
        assert detail == f"This caller may not do this: it lacks the scope {scope}."
        assert response.headers["WWW-Authenticate"].endswith(
            f'error="insufficient_scope", scope="{scope}"'
        )
        # What is behind it is not there in this test, but it is reached.
        other = await client.request(method, path, headers=OTHER_AUTHORIZATION, json=body)
        assert other.status_code in (202, 204, 404, 503)


def _gate_of(app: FastAPI) -> Any:
    return vars(app)["_gate"]


def _client(app: FastAPI, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, **options)
    return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")


# Ownership


async def test_a_payment_of_somebody_else_is_not_there(
    client: httpx.AsyncClient, payments: FakePayments
):
    row = payments.add(payment(7))
    unknown = f"/payments/tx_{8:032x}"
    assert (await client.get(f"/payments/{row.id}")).status_code == 200
    foreign = await client.get(f"/payments/{row.id}", headers=OTHER_AUTHORIZATION)
    missing = await client.get(unknown, headers=OTHER_AUTHORIZATION)
    answers = [problem_of(one, 404) for one in (foreign, missing)]
    for one in answers:
        del one["requestId"]
    assert answers[0] == answers[1]
    nobodys = payments.add(payment(9, owner=""))
    problem_of(await client.get(f"/payments/{nobodys.id}"), 404)


async def test_idempotency_keys_are_each_caller_s_own(
    client: httpx.AsyncClient, payments: FakePayments
):
    headers = {"Idempotency-Key": "key-1"}
    first = await client.post("/payments", json=GOOD, headers=headers)
    other = await client.post(
        "/payments", json={**GOOD, "amount": "11.00"}, headers=headers | OTHER_AUTHORIZATION
    )
    assert (first.status_code, other.status_code) == (202, 202)
    assert first.json()["transactionId"] != other.json()["transactionId"]
    assert {row.owner for row in payments.rows.values()} == {CALLER, OTHER}


# Limits


@pytest.fixture
async def limited(settings: ApiSettings, provided: Provided) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API that knows two callers of two requests at once, hardly any later."""
    slow = {"rate": 0.01, "burst": 2}
    callers.write(
        settings.api_callers_file,
        callers.entry(CALLER, KEY, **slow),
        callers.entry(OTHER, OTHER_KEY, **slow),
    )
    settings = settings.model_copy(update={"stranger_rate": 0.01, "stranger_burst": 2})
    app = create_app(settings)
    provided.replace(gate=_gate_of(app))
    app.dependency_overrides[get_services] = lambda: provided.services
    async with _client(app, client=("198.51.100.7", 1)) as client:
        yield client


async def test_a_caller_is_limited_and_no_other_with_it(limited: httpx.AsyncClient):
    path = f"/payments/tx_{0:032x}"
    answers = [await limited.get(path, headers=AUTHORIZATION) for _ in range(3)]
    assert [one.status_code for one in answers] == [404, 404, 429]
    document = problem_of(answers[-1], 429)
    assert document["type"] == "urn:glasshouse:problem:rate-limited"
    # A hundred seconds a token.
    assert 90 <= int(answers[-1].headers["Retry-After"]) <= 100
    assert (await limited.get(path, headers=OTHER_AUTHORIZATION)).status_code == 404
    assert (await limited.get("/livez")).status_code == 200


async def test_a_stranger_s_address_is_limited_and_no_caller_with_it(limited: httpx.AsyncClient):
    path = f"/payments/tx_{0:032x}"
    # Guessing keys and tokens, and what is open, are counted together.
    asked = [
        ("/payments", {"Authorization": "Bearer guess"}),
        ("/jobs/status", {"Authorization": "Bearer guess"}),
        ("/openapi.json", {}),
        ("/healthz", {"Authorization": "Bearer guess"}),
    ]
    statuses = [(await limited.get(path, headers=headers)).status_code for path, headers in asked]
    assert statuses == [401, 401, 429, 429]
    assert (await limited.get(path, headers=AUTHORIZATION)).status_code == 404
    # Whoever asks how we are without a key is a machine that may.
    assert (await limited.get("/livez")).status_code == 200


# Hosts


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("a.shop.example", True),
        ("shop.example", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example:localhost", False),
        ("localhost:80@evil.example", False),
        ("", False),
        (":8000", False),
        ("[::2]:8000", False),
    ],
)
def test_a_host_is_exact_or_below_one_that_is_named(host: str, allowed: bool):
    hosts = AllowedHosts(["localhost", " 127.0.0.1", "[::1]", "*.Shop.example", ""])
    assert hosts.allow(host) is allowed


@pytest.mark.parametrize("path", ["/livez", "/payments", "/openapi.json", "/readyz", "/nowhere"])
async def test_a_request_for_another_host_is_refused(client: httpx.AsyncClient, path: str):
    response = await client.get(path, headers={"Host": "evil.example"})
    assert problem_of(response, 421)["type"] == "urn:glasshouse:problem:host-unknown"
    assert (await client.get(path)).status_code != 421


# The internal port


@pytest.fixture
async def inside(settings: ApiSettings, provided: Provided) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the internal port."""
    app = create_app(settings.model_copy(update={"internal_port": INTERNAL_PORT}))
    provided.replace(gate=_gate_of(app))
    app.dependency_overrides[get_services] = lambda: provided.services
    transport = httpx.ASGITransport(app)
    url = f"http://10.1.2.3:{INTERNAL_PORT}"
    async with httpx.AsyncClient(transport=transport, base_url=url) as client:
        yield client


async def test_the_internal_port_needs_no_token_and_has_nothing_else(inside: httpx.AsyncClient):
    assert (await inside.get("/livez")).status_code == 200
    assert (await inside.get("/healthz")).json()["version"]
    # Off in this test, but it is reached.
    assert problem_of(await inside.get("/metrics"), 404)["detail"].startswith("Off: ")
    for path in ("/payments", "/openapi.json", "/nowhere"):
        problem_of(await inside.get(path, headers=AUTHORIZATION), 404)


async def test_a_header_does_not_lead_to_the_internal_port(stranger: httpx.AsyncClient):
    for host in (f"{HOST}:{INTERNAL_PORT}", HOST):
        problem_of(await stranger.get("/metrics", headers={"Host": host}), 401)
    assert (await stranger.get("/healthz")).json().get("version") is None


# The file of callers


def test_the_file_is_read_again_when_it_has_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    now = 0.0
    path = callers.write(tmp_path / "callers", callers.entry("one", KEY))
    known = Callers(path, clock=lambda: now)
    callers.write(path, callers.entry("other", OTHER_KEY), callers.entry("more", "x" * 40))
    assert _name(known.find(KEY)) == "one"
    now = 1.0
    assert (_name(known.find(KEY)), _name(known.find(OTHER_KEY))) == (None, "other")
    path.write_text("nonsense")
    now = 2.0
    assert _name(known.find(OTHER_KEY)) == "other"
    [line] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert line.getMessage().startswith("API_CALLERS_FILE the file: Invalid JSON")


def _name(caller: Caller | None) -> str | None:
    return caller and caller.name


def test_two_keys_of_one_caller_are_accepted_while_they_are_changed(tmp_path: Path):
    both = [callers.digest(KEY), callers.digest(OTHER_KEY)]
    entry = callers.entry("one", KEY, keySha256=both)
    known = Callers(callers.write(tmp_path / "callers", entry))
    assert _name(known.find(KEY)) == _name(known.find(OTHER_KEY)) == "one"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file: Invalid JSON"),
        ("{}", "the file: Input should be a valid"),
        ([callers.entry("One", KEY)], "0.name: String should match pattern"),
        ([callers.entry("one", KEY, keySha256=[])], "0.keySha256: Tuple should have at least 1"),
        ([callers.entry("one", KEY, keySha256=[KEY])], "0.keySha256.0: String should match"),
        ([callers.entry("one", KEY, scopes=["all"])], "0.scopes.0: Input should be 'payments:wr"),
        ([callers.entry("one", KEY, rate=0)], "0.rate: Input should be greater than 0"),
        ([{**callers.entry("one", KEY), "key": KEY}], "0.key: Extra inputs are not permitted"),
        ([callers.entry("one", KEY), callers.entry("one", OTHER_KEY)], "two callers have one name"),
        ([callers.entry("one", KEY), callers.entry("two", KEY)], "one key is there twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line_without_its_keys(
    tmp_path: Path, content: Any, message: str
):
    path = tmp_path / "callers"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(CallersError) as refused:
        read(path)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert KEY not in str(refused.value)


def test_the_start_names_the_setting_of_the_callers(
    monkeypatch: pytest.MonkeyPatch, settings: ApiSettings
):
    for name in ("database_url", "internal_token_file", "data_key_file", "database_password"):
        value = getattr(settings, name)
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        monkeypatch.setenv(name.upper(), text)
    monkeypatch.setenv("API_CALLERS_FILE", "/nowhere")
    with pytest.raises(SettingsError) as refused:
        load_settings(ApiSettings)
    expected = "API_CALLERS_FILE is no file of callers (cannot be read): set it to the path of"
    assert str(refused.value).startswith(expected)
