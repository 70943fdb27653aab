import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from psycopg_pool import PoolTimeout

from backend.payments.money import MAX_AMOUNT
from backend.payments.store import State

from .conftest import MAX_BODY_BYTES, NOW, FakePayments, payment

GOOD = {"userId": "alice", "amount": "10.50", "currency": "EUR"}
CANARY = "canary-7f3a@mail.example"


async def post(client: httpx.AsyncClient, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(
        "/payments", content=content, headers={"Content-Type": "application/json", **named}
    )


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["requestId"] == response.headers["X-Request-ID"]
    assert {"type", "title"} <= document.keys()
    return document


def rules_of(response: httpx.Response) -> dict[str, str]:
    document = problem_of(response, 422)
    assert document["type"] == "urn:glasshouse:problem:invalid-request"
    return {error["location"]: error["rule"] for error in document["errors"]}


async def test_payment_is_accepted(client: httpx.AsyncClient, payments: FakePayments):
    response = await post(client, GOOD, X_Request_ID="request-0001")
    assert response.status_code == 202
    identifier = f"tx_{1:032x}"
    assert response.json() == {
        "transactionId": identifier,
        "state": "created",
        "requestId": "request-0001",
    }
    assert response.headers["Location"] == f"/payments/{identifier}"
    assert "Idempotent-Replayed" not in response.headers
    assert payments.rows[identifier].amount_text == "10.50"


@pytest.mark.parametrize(
    ("amount", "stored"),
    [
        ("10.5", "10.50"),
        ('"10.5"', "10.50"),
        ("0.10", "0.10"),
        ("999999.99", "999999.99"),
        ("1e3", "1000.00"),
        (str(MAX_AMOUNT), "1000000.00"),
    ],
)
async def test_amount_is_kept_exactly(
    client: httpx.AsyncClient, payments: FakePayments, amount: str, stored: str
):
    body = f'{{"userId": "alice", "currency": "EUR", "amount": {amount}}}'.encode()
    assert (await post(client, body)).status_code == 202
    [row] = payments.rows.values()
    assert row.amount_text == stored


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({"amount": -1}, {"body.amount": "amount_not_positive"}),
        ({"amount": "0.00"}, {"body.amount": "amount_not_positive"}),
        ({"amount": "10.555"}, {"body.amount": "amount_too_precise"}),
        ({"amount": "1", "currency": "JPY", "userId": ""}, {"body.userId": None}),
        ({"amount": "1.5", "currency": "JPY"}, {"body.amount": "amount_too_precise"}),
        ({"amount": 1000001}, {"body.amount": "amount_too_large"}),
        ({"amount": "1e3"}, {"body.amount": "amount_not_decimal"}),
        ({"amount": "-1"}, {"body.amount": "amount_not_decimal"}),
        ({"amount": "٣"}, {"body.amount": "amount_not_decimal"}),
        ({"amount": " 1"}, {"body.amount": "amount_not_decimal"}),
        ({"amount": True}, {"body.amount": "amount_not_decimal"}),
        ({"amount": None}, {"body.amount": "amount_not_decimal"}),
        ({"amount": CANARY}, {"body.amount": "amount_not_decimal"}),
        ({"currency": CANARY}, {"body.currency": "currency_unknown"}),
        ({"currency": "eur"}, {"body.currency": "currency_unknown"}),
        ({"userId": f"{CANARY} "}, {"body.userId": "string_pattern_mismatch"}),
        ({"userId": "a" * 65}, {"body.userId": "string_pattern_mismatch"}),
        ({"userId": "a\x00"}, {"body.userId": "string_pattern_mismatch"}),
        ({"userId": "a\n"}, {"body.userId": "string_pattern_mismatch"}),
        ({"userId": 7}, {"body.userId": "string_type"}),
        ({"user_id": "bob"}, {"body": "extra_forbidden"}),
        ({CANARY: 1}, {"body": "extra_forbidden"}),
    ],
)
async def test_bad_field_is_located_and_never_repeated(
    client: httpx.AsyncClient,
    payments: FakePayments,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, Any],
    rules: dict[str, str | None],
):
    caplog.set_level(logging.DEBUG)
    response = await post(client, GOOD | change)
    found = rules_of(response)
    assert found.keys() == rules.keys()
    assert all(rule in (None, found[location]) for location, rule in rules.items())
    assert CANARY not in response.text
    assert CANARY not in caplog.text
    assert payments.rows == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{" + CANARY.encode(), 422),
        (b'{"userId": "alice", "amount": NaN, "currency": "EUR"}', 422),
        (b'{"userId": "alice", "amount": Infinity, "currency": "EUR"}', 422),
        (b"[]", 422),
        (b"null", 422),
        (b"", 422),
        (b"\xff\xfe{", 400),
        (b'{"userId": "alice", "amount": 1e9999999999999999999, "currency": "EUR"}', 400),
        (b"[" * MAX_BODY_BYTES, 400),
    ],
)
async def test_body_that_is_no_payment_is_refused(
    client: httpx.AsyncClient,
    payments: FakePayments,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    status: int,
):
    caplog.set_level(logging.DEBUG)
    response = await post(client, body)
    problem_of(response, status)
    assert CANARY not in response.text
    assert CANARY not in caplog.text
    assert payments.rows == {}


async def test_oversize_body_is_refused(client: httpx.AsyncClient, payments: FakePayments):
    response = await post(client, b" " * (MAX_BODY_BYTES + 1))
    assert problem_of(response, 413)["detail"] == "The body must have at most 2048 bytes."
    assert payments.rows == {}


async def test_oversize_body_without_announced_length_is_refused(
    client: httpx.AsyncClient, payments: FakePayments
):
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 1000

    response = await client.post(
        "/payments", content=chunks(), headers={"Content-Type": "application/json"}
    )
    assert problem_of(response, 413)["detail"] == "The body must have at most 2048 bytes."
    assert payments.rows == {}


async def test_body_of_the_largest_size_is_read(client: httpx.AsyncClient):
    body = json.dumps(GOOD).encode().ljust(MAX_BODY_BYTES)
    assert (await post(client, body)).status_code == 202


async def test_repeat_with_the_same_key_gives_the_same_payment(
    client: httpx.AsyncClient, payments: FakePayments
):
    first = await post(client, GOOD, Idempotency_Key="key-1")
    again = await post(client, GOOD | {"amount": 10.5}, Idempotency_Key="key-1")
    assert again.status_code == 202
    assert again.json()["transactionId"] == first.json()["transactionId"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(payments.rows) == 1


async def test_same_key_with_another_body_is_refused(
    client: httpx.AsyncClient, payments: FakePayments
):
    await post(client, GOOD, Idempotency_Key="key-1")
    response = await post(client, GOOD | {"amount": "11"}, Idempotency_Key="key-1")
    document = problem_of(response, 422)
    assert document["type"] == "urn:glasshouse:problem:idempotency-key-reused"
    assert len(payments.rows) == 1


@pytest.mark.parametrize("key", ["", "with blank", "a" * 256])
async def test_bad_idempotency_key_is_refused(client: httpx.AsyncClient, key: str):
    response = await post(client, GOOD, Idempotency_Key=key)
    assert rules_of(response) == {"header.idempotency-key": "string_pattern_mismatch"}


async def test_payment_is_read_back(client: httpx.AsyncClient, payments: FakePayments):
    row = payments.add(payment(7, state=State.FAILED, error_type="reverted", finished_at=NOW))
    response = await client.get(f"/payments/{row.id}")
    assert response.status_code == 200
    assert response.json() == {
        "transactionId": row.id,
        "state": "failed",
        "amount": "1.00",
        "currency": "EUR",
        "blockchainTxId": None,
        "errorType": "reverted",
        "createdAt": "2026-01-02T03:04:05Z",
        "submittedAt": None,
        "finishedAt": "2026-01-02T03:04:05Z",
    }


async def test_unknown_payment_is_not_found(client: httpx.AsyncClient):
    response = await client.get(f"/payments/tx_{9:032x}")
    assert problem_of(response, 404)["detail"] == "There is no payment with this id."


@pytest.mark.parametrize("identifier", ["7", f"tx_{CANARY}", "tx_" + "A" * 32, "tx_%00"])
async def test_malformed_id_is_refused(client: httpx.AsyncClient, identifier: str):
    response = await client.get(f"/payments/{identifier}")
    assert rules_of(response) == {"path.transactionId": "string_pattern_mismatch"}
    assert CANARY not in response.text


async def test_unknown_path_and_method_are_problems(client: httpx.AsyncClient):
    problem_of(await client.get("/nowhere"), 404)
    response = await client.delete("/payments")
    problem_of(response, 405)
    assert response.headers["Allow"] == "POST"


async def test_unhandled_error_is_logged_once_and_hidden(
    client: httpx.AsyncClient, payments: FakePayments, caplog: pytest.LogCaptureFixture
):
    payments.error = RuntimeError("inner workings")
    response = await post(client, GOOD)
    problem_of(response, 500)
    assert "inner workings" not in response.text
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info
    assert record.exc_info[1] is payments.error


async def test_database_that_is_unavailable_asks_for_a_retry(
    client: httpx.AsyncClient, payments: FakePayments
):
    payments.error = PoolTimeout("no connection")
    response = await post(client, GOOD)
    assert problem_of(response, 503)["detail"] == "Nothing was written. Try again."
    assert response.headers["Retry-After"] == "5"


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/payments/7"])
async def test_every_response_has_ids_and_security_headers(client: httpx.AsyncClient, path: str):
    response = await client.get(path, headers={"X-Request-ID": "not valid!"})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("data", "location"),
    [
        ({"jane.doe@audit.example": "x"}, "body.data"),
        ({CANARY: {"a": 1}}, "body.data"),
        ({"name": [CANARY]}, "body.data"),
        ({"name": "a\nb"}, "body.data"),
        ({"4111111111111111": "x"}, "body.data"),
    ],
)
async def test_a_key_of_the_sender_s_own_is_not_repeated(
    client: httpx.AsyncClient, data: dict[str, Any], location: str
):
    body = {"userId": "a", "channel": "email", "template": "welcome", "to": "a@b.example"}
    response = await client.post("/notifications", json={**body, "data": data})
    assert {location} == rules_of(response).keys()
    for text in ("jane", CANARY, "4111", "[key]"):
        assert text not in response.text


async def test_a_declared_field_is_named_however_deep(client: httpx.AsyncClient):
    body = GOOD | {"notify": {"channel": CANARY, "to": ""}}
    assert rules_of(await post(client, body)).keys() == {"body.notify.channel", "body.notify.to"}
