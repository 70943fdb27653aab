"""Bad input: a problem document with the request's id, and nothing half-written."""

import concurrent.futures
import secrets
from typing import Any

import httpx
import pytest

from backend.platform import people
from backend.platform.encryption import Encryptor
from glasshouse.keyring import KeyFile
from support.stack import Stack
from support.words import fresh

USER = "user-of-bad-input"  # no other test pays as this one
GOOD: dict[str, Any] = {"userId": USER, "amount": "5.00", "currency": "EUR"}
CONCURRENT = 20


def rows(stack: Stack, request_id: str) -> tuple[int, int]:
    """Return how many payments the database holds of this module's user, and jobs of a request.

    Not all of them: the scheduler adds rows at any time. Both values are our own.
    """
    keys = KeyFile(stack.state / "secrets" / "data_key")
    [digest, *_] = people.digests(Encryptor(keys), USER)
    payments = f"SELECT count(*) FROM payments WHERE user_digest = '\\x{digest.hex()}'"  # noqa: S608
    jobs = f"SELECT count(*) FROM procrastinate_jobs WHERE args::text LIKE '%{request_id}%'"  # noqa: S608
    query = f"SELECT ({payments}), ({jobs})"
    command = ["psql", "-U", "backend", "-d", "backend", "-At", "-F", " ", "-c", query]
    answer, _, code = stack.compose.exec_in_container(command, "postgres")
    assert code == 0, answer
    counts = answer.split()
    return int(counts[0]), int(counts[1])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b"\xff\xfe", 422),
        (GOOD | {"currency": "XXX"}, 422),
        (GOOD | {"currency": "eur"}, 422),
        (GOOD | {"amount": "-5.00"}, 422),
        (GOOD | {"amount": "0"}, 422),
        (GOOD | {"amount": "5.001"}, 422),
        (GOOD | {"amount": "1e400"}, 422),
        (GOOD | {"amount": "NaN"}, 422),
        (GOOD | {"amount": None}, 422),
        (GOOD | {"currency": "JPY", "amount": "5.50"}, 422),
        (GOOD | {"userId": ""}, 422),
        (GOOD | {"userId": "x" * 65}, 422),
        (GOOD | {"extra": 1}, 422),
        ({"userId": USER}, 422),
        (GOOD | {"userId": "x" * 70_000}, 413),
    ],
    ids=str,
)
def test_a_bad_payment_is_a_problem_and_no_row(
    http: httpx.Client, stack: Stack, body: bytes | dict[str, Any], status: int
) -> None:
    request_id = fresh("bad-")
    payments, _ = rows(stack, request_id)
    headers = {
        **stack.caller,
        "Content-Type": "application/json",
        "X-Request-ID": request_id,
    }
    content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = http.post(f"{stack.api}/payments", headers=headers, **content)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["requestId"] == answer.headers["X-Request-ID"] == request_id
    assert rows(stack, request_id) == (payments, 0)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/payments/tx_" + "0" * 32, 404), ("/payments/nonsense", 422), ("/nothing", 404)],
)
def test_what_is_not_there_is_a_problem(
    http: httpx.Client, stack: Stack, path: str, status: int
) -> None:
    answer = http.get(f"{stack.api}{path}", headers=stack.caller)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["requestId"] == answer.headers["X-Request-ID"]


def test_one_key_makes_one_payment(http: httpx.Client, stack: Stack) -> None:
    request_id = fresh("one-")
    payments, _ = rows(stack, request_id)
    headers = {
        **stack.caller,
        "Idempotency-Key": secrets.token_hex(16),
        "X-Request-ID": request_id,
    }

    def post(_: int) -> httpx.Response:
        return http.post(f"{stack.api}/payments", json=GOOD, headers=headers)

    with concurrent.futures.ThreadPoolExecutor(CONCURRENT) as pool:
        answers = list(pool.map(post, range(CONCURRENT)))
    assert {answer.status_code for answer in answers} == {httpx.codes.ACCEPTED}
    assert len({answer.json()["transactionId"] for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert replayed.count("true") == CONCURRENT - 1
    # Both are found where there is one.
    assert rows(stack, request_id) == (payments + 1, 1)

    other = http.post(f"{stack.api}/payments", json=GOOD | {"amount": "6.00"}, headers=headers)
    assert other.status_code == 422
    assert rows(stack, request_id) == (payments + 1, 1)
