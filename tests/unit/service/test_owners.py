"""What a caller makes is its own, and it writes to its own people: the API on a real database."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import procrastinate
import psycopg
import pytest

from backend.api.app import create_app
from backend.api.dependencies import create_gate, create_services, get_services
from backend.api.limits import LocalBuckets
from backend.operations.health import HealthChecks
from backend.platform.database import Pool
from backend.platform.encryption import Encryptor
from backend.platform.migrate import migrate, ours
from backend.platform.settings import ApiSettings, DatabaseSettings
from support.callers import AUTHORIZATION, OTHER_AUTHORIZATION

from .conftest import HOST

PHONE = "+4915112345678"
USER = "zoe.kessler@mail.example"
PAYMENT = {"userId": USER, "amount": "10.50", "currency": "EUR"}
RUN = {"userId": USER, "strategy": "rebalance"}
MESSAGE = {
    "userId": USER,
    "channel": "sms",
    "template": "welcome",
    "to": PHONE,
    "data": {"name": "Zoe"},
}
CONTACT = {"userId": USER, "channel": "sms", "to": PHONE}
WRITES = [
    ("/payments", {**PAYMENT, "notify": {"channel": "sms", "to": PHONE}}),
    ("/automation/runs", {**RUN, "notify": {"channel": "sms", "to": PHONE}}),
    ("/notifications", MESSAGE),
]
IDENTIFIERS = {
    "/payments": "transactionId",
    "/automation/runs": "runId",
    "/notifications": "notificationId",
}


@pytest.fixture
async def api(
    settings: ApiSettings, pool: Pool, jobs: procrastinate.App
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the key of one of two callers. Test contacts are those of one domain."""
    settings = settings.model_copy(update={"contacts_allowed": "email:*@allowed.example,push:ab*"})
    gate = create_gate(settings, LocalBuckets())
    services = create_services(settings, gate, pool, HealthChecks({}), jobs)
    app = create_app(settings)
    app.dependency_overrides[get_services] = lambda: services
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://{HOST}", headers=AUTHORIZATION
    ) as client:
        yield client


async def rows(pool: Pool, statement: str) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        return await (await connection.execute(statement.encode())).fetchall()


@pytest.mark.parametrize("path", IDENTIFIERS)
async def test_what_another_caller_made_is_not_there(api: httpx.AsyncClient, path: str):
    body = {"/payments": PAYMENT, "/automation/runs": RUN}.get(
        path, {**MESSAGE, "channel": "email", "to": "zoe@allowed.example"}
    )
    made = await api.post(path, json=body)
    assert made.status_code == 202
    location = made.headers["Location"]
    assert (await api.get(location)).status_code == 200
    foreign = await api.get(location, headers=OTHER_AUTHORIZATION)
    unknown = await api.get(location[:-32] + "0" * 32, headers=OTHER_AUTHORIZATION)
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    answers = [{**one.json(), "requestId": ""} for one in (foreign, unknown)]
    assert answers[0] == answers[1]
    assert foreign.headers.keys() == unknown.headers.keys()


async def test_one_key_is_a_payment_of_each_caller(api: httpx.AsyncClient, pool: Pool):
    key = {"Idempotency-Key": "key-1"}
    mine = await api.post("/payments", json=PAYMENT, headers=key)
    again = await api.post("/payments", json=PAYMENT, headers=key)
    other = {**PAYMENT, "amount": "11.00"}
    theirs = await api.post("/payments", json=other, headers={**key, **OTHER_AUTHORIZATION})
    assert [one.status_code for one in (mine, again, theirs)] == [202, 202, 202]
    ids = [one.json()["transactionId"] for one in (mine, again, theirs)]
    assert ids[0] == ids[1] != ids[2]
    assert len(await rows(pool, "SELECT id FROM payments")) == 2
    reused = await api.post("/payments", json=other, headers=key)
    assert reused.json()["type"] == "urn:glasshouse:problem:idempotency-key-reused"


async def test_two_callers_users_of_one_name_are_two(api: httpx.AsyncClient):
    sessions = [
        (await api.post("/automation/runs", json=RUN, headers=headers)).json()
        for headers in (AUTHORIZATION, AUTHORIZATION, OTHER_AUTHORIZATION)
    ]
    ids = [one["automationSessionId"] for one in sessions]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(("path", "body"), WRITES)
async def test_only_a_registered_contact_is_written_to(
    api: httpx.AsyncClient,
    pool: Pool,
    caplog: pytest.LogCaptureFixture,
    path: str,
    body: dict[str, Any],
):
    caplog.set_level(logging.DEBUG)

    async def refused(**options: Any) -> None:
        answer = await api.post(path, json=body, **options)
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:glasshouse:problem:contact-unknown"
        assert PHONE not in answer.text

    tables = "SELECT id FROM payments UNION SELECT id FROM automation_runs UNION"
    tables += " SELECT id FROM notifications"
    await refused()
    assert await rows(pool, tables) == []
    # A contact of another user, on another channel, or of another caller is none of this one.
    for contact, headers in (
        ({**CONTACT, "userId": "somebody-else"}, AUTHORIZATION),
        ({**CONTACT, "channel": "push", "to": "device-token"}, AUTHORIZATION),
        ({**CONTACT, "to": "+4915112345679"}, AUTHORIZATION),
        (CONTACT, OTHER_AUTHORIZATION),
    ):
        assert (await api.put("/contacts", json=contact, headers=headers)).status_code == 204
        await refused()
    assert (await api.put("/contacts", json=CONTACT)).status_code == 204
    assert (await api.post(path, json=body)).status_code == 202
    await api.put("/contacts", json={**CONTACT, "to": None})
    await refused()
    assert PHONE not in caplog.text


async def test_a_contact_is_stored_without_what_it_is_in_clear_text(
    api: httpx.AsyncClient, pool: Pool
):
    await api.put("/contacts", json=CONTACT)
    # Twice is once.
    await api.put("/contacts", json=CONTACT)
    [row] = await rows(pool, "SELECT * FROM contacts")
    stored = str(row)
    assert row["owner"] == "shop"
    assert not any(text in stored for text in (USER, PHONE, PHONE[1:], "zoe"))


@pytest.mark.parametrize(
    ("channel", "to", "status"),
    [
        ("email", "zoe@allowed.example", 202),
        ("email", "ZOE@Allowed.Example", 202),
        ("push", "ab-device-token", 202),
        ("email", "zoe@notallowed.example", 403),
        ("email", "zoe@allowed.example.org", 403),
        ("email", "zoe@sub.allowed.example", 403),
        ("push", "cd-device-token", 403),
        ("sms", PHONE, 403),
        # No address at all is said before.
        ("email", "a@evil.org,zoe@allowed.example", 422),
    ],
)
async def test_an_allowed_pattern_needs_no_registration(
    api: httpx.AsyncClient, channel: str, to: str, status: int
):
    answer = await api.post("/notifications", json={**MESSAGE, "channel": channel, "to": to})
    assert answer.status_code == status


async def test_a_contact_of_another_channel_is_refused(api: httpx.AsyncClient):
    answer = await api.put("/contacts", json={**CONTACT, "channel": "email"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["rule"] == "address_invalid"


async def test_a_run_belongs_to_its_caller(api: httpx.AsyncClient, pool: Pool):
    await api.post("/automation/runs", json=RUN)
    statement = "SELECT session.owner FROM automation_runs JOIN automation_sessions AS session"
    [row] = await rows(pool, f"{statement} ON session.id = automation_runs.session_id")
    assert row["owner"] == "shop"


def test_what_was_there_before_there_were_callers_is_nobody_s(
    empty: DatabaseSettings, encryptor: Encryptor, monkeypatch: pytest.MonkeyPatch
):
    before = [one for one in ours() if one.name < "0006"]
    monkeypatch.setattr("backend.platform.migrate.ours", lambda: before)
    migrate(empty)
    with psycopg.connect(empty.conninfo()) as connection:
        connection.execute(
            "INSERT INTO payments (id, user_id, amount, currency, idempotency_key)"
            " VALUES ('tx_1', 'zoe', 5, 'EUR', 'k')"
        )
    monkeypatch.undo()
    assert "0006_owners.sql" in migrate(empty, encryptor=encryptor)
    with psycopg.connect(empty.conninfo()) as connection:
        assert connection.execute("SELECT owner FROM payments").fetchall() == [("",)]
