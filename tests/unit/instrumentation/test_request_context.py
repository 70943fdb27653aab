"""Ids of a request: taken when valid, made when not, returned always."""

import inspect
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from opentelemetry import propagate, trace
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from glasshouse import RequestContextMiddleware, correlation_id, request_id
from glasshouse.asgi import ASGIApp
from glasshouse.context import Ids, current_ids, is_valid_id, with_ids
from glasshouse.instrumentors.request_context import RequestContextInstrumentor
from glasshouse.processors import IdsSpanProcessor
from glasshouse.propagation import HostPropagator, Hosts
from support.ports import free
from support.waiting import until


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


async def converse(app: ASGIApp, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    """Open a websocket, say one word; return all messages that came back."""
    scope = {
        "type": "websocket",
        "path": "/chat",
        "raw_path": b"/chat",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"test"),
            *((k.lower().encode(), v.encode()) for k, v in headers.items()),
        ],
        "subprotocols": [],
    }
    incoming = iter(
        [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": "word"},
            {"type": "websocket.disconnect", "code": 1000},
        ]
    )
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(incoming)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    return sent


@pytest.fixture
def instrumented() -> Iterator[None]:
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(HostPropagator(before, Hosts([])))
    RequestContextInstrumentor().instrument()
    yield
    RequestContextInstrumentor().uninstrument()
    propagate.set_global_textmap(before)


def chatting(**settings: Any) -> FastAPI:
    app = FastAPI(**settings)

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept(headers=[(b"x-request-id", b"of-the-application")])
        await socket.receive_text()
        await socket.send_text(f"{request_id()} {correlation_id()}")
        await socket.close()

    return app


async def test_a_websocket_keeps_its_ids_and_returns_them_when_it_is_accepted(
    instrumented: None,
) -> None:
    accepted, said, _ = await converse(chatting(), {"X-Request-ID": "request-1"})
    assert accepted["type"] == "websocket.accept"
    assert accepted["headers"] == [
        (b"x-request-id", b"request-1"),
        (b"x-correlation-id", b"request-1"),
    ]
    assert said["text"] == "request-1 request-1"


async def test_a_refused_websocket_returns_ids_too(instrumented: None) -> None:
    async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 403})

    [answer] = await converse(RequestContextMiddleware(refuse), {"X-Request-ID": "request-1"})
    assert dict(answer["headers"])[b"x-request-id"] == b"request-1"


def test_the_stack_is_left_to_upstreams_instrumentation_of_fastapi(instrumented: None) -> None:
    """It takes the stack apart, and leaves one alone that begins with anything else."""
    assert isinstance(FastAPI().build_middleware_stack(), ServerErrorMiddleware)
    # uvicorn asks it, to know the version of ASGI.
    assert inspect.iscoroutinefunction(FastAPI().__call__)


@pytest.mark.parametrize("sent", [{}, {"X-Request-ID": "request-1"}])
async def test_fastapis_own_span_and_its_response_have_the_same_ids(
    instrumented: None, sent: dict[str, str]
) -> None:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(IdsSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = FastAPI(telemetry={"tracer_provider": provider})
    app.add_api_route("/", lambda: f"{request_id()} {correlation_id()}")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/", headers=sent)
    ids = answer.headers["X-Request-ID"]
    assert answer.headers.get_list("X-Request-ID") == [sent.get("X-Request-ID", ids)]
    assert is_valid_id(ids)
    assert answer.json() == f"{ids} {ids}"
    # FastAPI's own steps, and the server span at last.
    finished = spans.get_finished_spans()
    assert finished[-1].name == "GET /"
    assert {str((span.attributes or {}).get("request.id")) for span in finished} == {ids}


async def test_a_message_without_headers_is_answered_all_the_same() -> None:
    async def bare(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError

    await RequestContextMiddleware(bare)({"type": "http"}, receive, send)
    assert [name for name, _ in sent[0]["headers"]] == [b"x-request-id", b"x-correlation-id"]


async def test_the_applications_start_has_no_ids() -> None:
    seen: list[str | None] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(request_id())

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    await RequestContextMiddleware(app)({"type": "lifespan"}, nothing, nothing)
    assert seen == [None]


@pytest.mark.usefixtures("instrumented")
def test_a_request_has_nothing_of_the_one_before_on_its_connection() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = FastAPI(telemetry={"tracer_provider": provider, "metrics": False})

    @app.post("/")
    async def read(request: Request) -> int:
        return len(await request.body())

    port = free(["api"])["api"]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: (server.started or None, "starting"), what="the server is up")
        # Over what uvicorn buffers, so that it stops reading and goes on in the request's context.
        body = b"x" * (1 << 20)
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=240, trust_env=False
        ) as client:
            answers = [client.post("/", content=body) for _ in range(3)]
    finally:
        server.should_exit = True
        thread.join()
    assert [answer.json() for answer in answers] == [len(body)] * 3
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 3
    requests = [one for one in exporter.get_finished_spans() if one.kind is SpanKind.SERVER]
    assert [span.parent for span in requests] == [None] * 3


KNOWN = Ids("request-0001", "correlation-0001")
STAMPED = {"request.id": KNOWN.request, "correlation.id": KNOWN.correlation}


@pytest.mark.parametrize(
    ("held", "entered"),
    [
        (STAMPED, False),
        ({}, True),
        ({**STAMPED, "request.id": "request-0002"}, True),
        ({"request.id": KNOWN.request}, True),
        (None, False),
    ],
    ids=["stamped", "bare", "of another", "in part", "no span"],
)
async def test_below_a_layer_that_knows_the_ids_it_does_what_is_left(
    held: dict[str, str] | None, entered: bool
) -> None:
    inside: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inside.append((get_current(), current_ids()))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    span: Any = None
    around = with_ids(KNOWN, Context())
    if held is not None:
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("shop")
        span = tracer.start_span("GET", attributes=held)
        around = trace.set_span_in_context(span, around)
    token = attach(around)
    try:
        scope = {"type": "http", "headers": []}
        await RequestContextMiddleware(app)(scope, None, send)  # pyright: ignore[reportArgumentType]
        assert get_current() is around
    finally:
        detach(token)
    [(context, ids)] = inside
    assert (context is not around) == entered
    assert ids == KNOWN
    assert dict(sent[0]["headers"])[b"x-request-id"] == KNOWN.request.encode()
    if span is not None:
        assert dict(span.attributes) == STAMPED
