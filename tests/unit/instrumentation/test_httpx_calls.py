"""httpx's calls leave the same, with upstream's functions and with the shorter ones."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpcore
import httpx
import opentelemetry.instrumentation.httpx as module
import pytest
from opentelemetry.instrumentation import _semconv

from glasshouse.instrumentors import httpx_calls
from support.server_records import Recorded

upstream: Any = module
NAMES = sorted(httpx_calls._SHORTER)
URLS = [
    "http://shop.example",
    "http://shop.example:8080/items/pencil",
    "https://SHOP.example:443/a/../b//c;d?",
    "http://[2001:db8::1]:8080/",
    "http://ada:secret@shop.example/items?x=1",
    "http://shop.example/a@b?sig=x&Signature=y&a=&b",
    "http://shop.example/%40/%3F/é?q=ü#part",
    "https://xn--bcher-kva.example/ä",
    "http://shop.example?AWSAccessKeyId=k&x=@",
]
CAPTURED = ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE")  # fmt: skip


class Pool:
    """What a transport of httpx asks for an answer, in place of a connection."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def handle_request(self, request: Any) -> httpcore.Response:
        self.sent.append((request.method, bytes(request.url), request.headers))
        if request.url.target.endswith(b"/down"):
            raise httpcore.ConnectError("down")
        status = 503 if request.url.target.endswith(b"/busy") else 200
        return httpcore.Response(
            status,
            headers=[
                (b"X-Answer", b"ada@example.com"),
                (b"x-answer", b"two"),
                (b"set-cookie", b"c"),
            ],
            content=Stream(),
            extensions={"http_version": b"HTTP/2"},
        )

    async def handle_async_request(self, request: Any) -> httpcore.Response:
        return self.handle_request(request)

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


class Stream:
    def __iter__(self) -> Iterator[bytes]:
        yield b"answer"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"answer"

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


@pytest.fixture(autouse=True)
def upstreams(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put upstream's own functions back, before and after."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    conventions = _semconv._OpenTelemetrySemanticConventionStability
    monkeypatch.setattr(conventions, "_initialized", False)
    for name in NAMES:
        now = getattr(upstream, name)
        monkeypatch.setattr(upstream, name, getattr(now, "__wrapped__", now))
    yield
    monkeypatch.setattr(conventions, "_initialized", False)


def everything(**hooks: Any) -> list[Any]:
    """Return all that comes of a call to each URL."""
    recorded = Recorded()
    instrumentor = upstream.HTTPXClientInstrumentor()
    instrumentor.instrument(
        tracer_provider=recorded.tracers, meter_provider=recorded.meters, **hooks
    )
    found: list[Any] = []
    pool = Pool()
    plain, later = httpx.HTTPTransport(), httpx.AsyncHTTPTransport()
    plain._pool = later._pool = pool  # pyright: ignore[reportAttributeAccessIssue]
    headers = [("X-Asked", "bob@example.com"), ("Authorization", "Bearer x"), ("x-asked", "two")]

    async def ask(client: Any, method: str, url: str) -> None:
        try:
            answer = client.request(method, url, headers=headers)
            found.append((await answer if asyncio.iscoroutine(answer) else answer).text)
        except httpx.TransportError as error:
            found.append(repr(error))

    async def all_of_them() -> None:
        recorded.take()
        # Nothing to close: their connections are of a stub.
        one, two = httpx.Client(transport=plain), httpx.AsyncClient(transport=later)
        for url in [*URLS, "http://shop.example/busy", "http://shop.example/down"]:
            for method in ("GET", "purge"):
                await ask(one, method, url)
                await ask(two, method, url)

    try:
        asyncio.run(all_of_them())
    finally:
        instrumentor.uninstrument()
    return [found, pool.sent, recorded.take()]


@pytest.mark.parametrize("captured", ["", "x-.*,authorization"])
@pytest.mark.parametrize("opted", ["", "http", "http/dup"])
def test_what_leaves_is_the_same(
    monkeypatch: pytest.MonkeyPatch, opted: str, captured: str
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opted)
    for variable in CAPTURED:
        monkeypatch.setenv(variable, captured)
    expected = everything()
    httpx_calls.spare()
    assert all(hasattr(getattr(upstream, name), "__wrapped__") for name in NAMES)
    found = everything()
    assert found == expected
    spans = found[2]["spans"]
    assert len(spans) == 4 * (len(URLS) + 2)
    headers = {name for one in spans for name in one["attributes"] if ".header." in name}
    assert bool(headers) is bool(captured)
    [url] = {str(one["attributes"].get("url.full") or one["attributes"]["http.url"])
             for one in spans if "REDACTED:" in str(one["attributes"])}  # fmt: skip
    assert url == "http://REDACTED:REDACTED@shop.example/items?x=1"


def test_hooks_get_the_same() -> None:
    given: list[Any] = []

    def before(_span: Any, request: Any) -> None:
        given.append((request.method, request.url, request.headers.raw, request.extensions))

    def after(_span: Any, request: Any, response: Any) -> None:
        given.append((request.url, response.status_code, response.headers.raw))

    async def before_async(span: Any, request: Any) -> None:
        before(span, request)

    async def after_async(span: Any, request: Any, response: Any) -> None:
        after(span, request, response)

    hooks = {"request_hook": before, "response_hook": after,
             "async_request_hook": before_async, "async_response_hook": after_async}  # fmt: skip
    expected = everything(**hooks), given.copy()
    given.clear()
    httpx_calls.spare()
    assert (everything(**hooks), given) == expected
    assert given


def test_an_instrumentation_that_is_not_known_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "glasshouse")
    monkeypatch.setattr(httpx_calls, "KNOWN", frozenset({"another"}))
    httpx_calls.spare()
    assert not any(hasattr(getattr(upstream, name), "__wrapped__") for name in NAMES)
    [line] = [one.message for one in caplog.records if one.name == "glasshouse"]
    assert line == "httpx: upstream's instrumentation is not the known one and stays as it is"
