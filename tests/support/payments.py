"""Making payments through the API."""

from typing import Any

import httpx

from support.stack import Stack
from support.waiting import until


def pay(http: httpx.Client, stack: Stack, currency: str, request_id: str) -> str:
    """Create a payment; return its id."""
    answer = http.post(
        f"{stack.api}/payments",
        json={"userId": f"user-{request_id}", "amount": "19.99", "currency": currency},
        headers={**stack.caller, "X-Request-ID": request_id},
    )
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    assert answer.headers["X-Request-ID"] == request_id
    body = answer.json()
    assert body["requestId"] == request_id
    assert body["state"] == "created"
    return body["transactionId"]


def wait_confirmed(http: httpx.Client, stack: Stack, transaction: str) -> dict[str, Any]:
    def probe() -> tuple[dict[str, Any] | None, object]:
        answer = http.get(f"{stack.api}/payments/{transaction}", headers=stack.caller)
        body = answer.json()
        return (body if body.get("state") == "confirmed" else None), body

    return until(probe, what=f"payment {transaction} is confirmed")
