"""Ids of a request: taken when valid, made when not, returned always."""

from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from glasshouse import RequestContextMiddleware, correlation_id, request_id
from glasshouse.context import is_valid_id


async def show(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request_id()} {correlation_id()}")


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


async def get(headers: Mapping[str, bytes | str]) -> httpx.Response:
    app = RequestContextMiddleware(RequestContextMiddleware(Starlette(routes=[Route("/", show)])))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(
            "/", headers=[(name.encode(), _bytes(value)) for name, value in headers.items()]
        )


async def test_valid_ids_are_kept_and_returned() -> None:
    answer = await get({"X-Request-ID": "request-1", "X-Correlation-ID": "correlation-1"})
    assert answer.text == "request-1 correlation-1"
    assert answer.headers["X-Request-ID"] == "request-1"
    assert answer.headers["X-Correlation-ID"] == "correlation-1"


async def test_without_a_correlation_id_the_request_id_serves() -> None:
    answer = await get({"X-Request-ID": "request-1"})
    assert answer.text == "request-1 request-1"


@pytest.mark.parametrize(
    "value", ["bob@example.com", "4111111111111111", "short", "x" * 65, "a b c d e f", "ид-запроса"]
)
async def test_anything_else_is_replaced_and_not_sent_back(value: str) -> None:
    answer = await get({"X-Request-ID": value.encode()})
    given = answer.headers["X-Request-ID"]
    assert given != value
    assert is_valid_id(given)
    assert len(given) == 32
    assert value not in answer.text


async def test_ids_end_with_the_request() -> None:
    await get({"X-Request-ID": "request-1"})
    assert request_id() is None
