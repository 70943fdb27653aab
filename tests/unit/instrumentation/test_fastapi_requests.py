"""FastAPI's requests leave the same, whoever records them: FastAPI's telemetry or ours."""

import asyncio
import dataclasses
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Annotated, Any

import fastapi
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.telemetry import _asgi as fastapi_asgi
from fastapi.telemetry import get_telemetry_data
from fastapi.telemetry._asgi import NativeTelemetry
from opentelemetry import _logs, baggage, metrics, propagate, trace
from opentelemetry import context as otel_context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.metrics._internal.exemplar import exemplar_reservoir
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from glasshouse import EdgeMiddleware, RequestContextMiddleware, context, light
from glasshouse.instrumentors import fastapi_known
from glasshouse.instrumentors.fastapi_requests import FastAPIRequests, Recorder
from glasshouse.instrumentors.request_context import RequestContextInstrumentor
from glasshouse.light import exemplars
from glasshouse.light.spans import LightSpan
from glasshouse.propagation import HostPropagator, Hosts
from support.server_records import GONE, REQUEST, Exchange, Recorded, http, surroundings

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HOST = ("host", "shop.example")


class Item(BaseModel):
    name: str
    count: int


class Broken(Exception):
    """Raised by handlers."""


def shop(recorded: Recorded, seen: list[Any], kind: type[FastAPI] = FastAPI, **options: Any) -> Any:
    telemetry = {**recorded.telemetry(), **options.pop("telemetry", {})}
    app = kind(telemetry=telemetry, **options)  # pyright: ignore[reportArgumentType]
    tracer = recorded.tracers.get_tracer("shop")

    def note() -> None:
        data = get_telemetry_data()
        seen.append({**surroundings(), "data": data is not None and data.request is not None})

    async def noted() -> None:
        note()

    @app.get("/items/{item}")
    async def read(item: str, _: Annotated[None, Depends(noted)]) -> dict[str, str]:
        note()
        with tracer.start_as_current_span("step"):
            return {"item": item}

    @app.get("/plain")
    def plain() -> str:
        note()
        trace.get_current_span().update_name("named by the handler")
        trace.get_current_span().set_attribute("http.route", "of the handler")
        return "plain"

    @app.post("/items")
    async def make(item: Item) -> Item:
        note()
        return item

    @app.get("/fail/{how}")
    async def fail(how: str) -> None:
        note()
        if how == "cancelled":
            raise asyncio.CancelledError
        raise {
            "broken": Broken("of the handler"),
            "handled": LookupError("handled"),
            "missing": HTTPException(404, "no such item"),
            "busy": HTTPException(503, "busy", headers={"Retry-After": "1"}),
        }[how]

    @app.exception_handler(LookupError)
    async def handle(_request: Any, _error: Exception) -> PlainTextResponse:
        note()
        return PlainTextResponse("handled", status_code=500)

    @app.get("/stream/{how}")
    async def stream(how: str) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                note()
                if how == "broken" and number == 1:
                    raise Broken("amid the body")
                yield b"%d" % number
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    @app.get("/background/{how}")
    async def background(how: str, tasks: BackgroundTasks) -> None:
        def task() -> None:
            note()
            if how == "broken":
                raise Broken("in the background")

        tasks.add_task(task)

    @app.get("/headers")
    async def headers() -> PlainTextResponse:
        return PlainTextResponse(
            "", headers={"X-Request-ID": "of-the-application", "X-Other": "kept"}
        )

    @app.websocket("/chat/{name}")
    async def chat(socket: WebSocket, name: str) -> None:
        note()
        await socket.accept()
        await socket.send_text(name)
        await socket.close()

    async def raw(scope: Any, receive: Any, send: Any) -> None:
        note()
        if scope["type"] != "http":
            return
        how = scope["path"].rpartition("/")[2]
        start = {"type": "http.response.start", "status": 200}
        body = {"type": "http.response.body", "body": b"raw"}
        for message in {
            "silent": [],
            "begun": [start],
            "unended": [start, {**body, "more_body": True}],
            "trailers": [
                {**start, "trailers": True},
                body,
                {"type": "http.response.trailers", "headers": []},
            ],
            "untrailed": [{**start, "trailers": True}, body],
            "path": [start, {"type": "http.response.pathsend", "path": "/tmp/file"}],  # noqa: S108
            "hint": [{"type": "http.response.debug", "info": {}}, start, body],
            "twice": [start, body, body],
            "late": [start, body],
            "gone": [],
        }[how]:
            await send(message)
        if how == "late":
            raise Broken("after the response")
        if how == "gone":
            while (await receive())["type"] != "http.disconnect":
                pass

    app.mount("/raw", raw)
    router = APIRouter(prefix="/v2")

    @router.get("/orders/{order}")
    async def order(order: int) -> int:
        note()
        return order

    app.include_router(router)
    inner = FastAPI(telemetry=telemetry)  # pyright: ignore[reportArgumentType]

    @inner.get("/part/{part}")
    async def part(part: str) -> str:
        note()
        return part

    deep = Starlette(routes=[Route("/leaf/{leaf}", lambda _request: PlainTextResponse("leaf"))])
    inner.mount("/deep", deep)
    app.mount("/inner", inner)
    app.mount("/plain-inner", deep)
    return app


class Sub(FastAPI):
    """An application's own class."""


class Answering(FastAPI):
    """One with a ``__call__`` of its own."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {"of-the-class": {}}
        await super().__call__(scope, receive, send)


def _with_middleware(recorded: Recorded, seen: list[Any]) -> Any:
    app = shop(recorded, seen)

    @app.middleware("http")
    async def stamp(request: Any, call_next: Any) -> Any:
        seen.append(surroundings())
        if request.url.path == "/items/refused":
            return PlainTextResponse("refused", status_code=403)
        if request.url.path == "/items/broken":
            raise Broken("in a middleware")
        response = await call_next(request)
        response.headers["X-Stamp"] = "1"
        return response

    return app


def _with_ids_within(recorded: Recorded, seen: list[Any]) -> Any:
    app = shop(recorded, seen)
    app.add_middleware(RequestContextMiddleware)
    return app


def _under_a_root_path(recorded: Recorded, seen: list[Any]) -> Any:
    app = shop(recorded, seen)
    app.root_path = "/api/"
    return app


def _leaving_some_out(recorded: Recorded, seen: list[Any]) -> Any:
    """Return an application that records every second request, and fails to decide on one."""
    numbers = itertools.count()

    def exclude(scope: Any) -> bool:
        seen.append({**surroundings(), "mounted": scope.get("root_path"), "keys": sorted(scope)})
        if scope["path"] == "/raw/hint":
            raise Broken("while it decides")
        # An application that is mounted here asks, too, but for what this one has left out.
        return next(numbers) % 2 == 0

    return shop(recorded, seen, telemetry={"exclude": exclude})


def _leaving_some_out_within(recorded: Recorded, seen: list[Any]) -> Any:
    """Return one that is served within a request that is recorded, in its context."""
    outer, inner = shop(recorded, seen), _leaving_some_out(recorded, seen)

    @outer.middleware("http")
    async def serve_anew(request: Any, _next: Any) -> Any:
        scope = dict(request.scope)
        for one in ("fastapi.telemetry", "glasshouse.request_context"):
            scope.pop(one, None)
        await inner(scope, request.receive, request._send)
        return PlainTextResponse("after")

    return outer


def _around(recorded: Recorded, seen: list[Any]) -> Any:
    """Return an application within somebody's span, and with something in the context."""
    app = shop(recorded, seen)
    tracer = recorded.tracers.get_tracer("around")

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        with tracer.start_as_current_span("outer"):
            await app(scope, receive, send)
            seen.append(surroundings())

    return outer


def _at_the_edge(recorded: Recorded, seen: list[Any]) -> Any:
    def trusts(scope: Any) -> bool:
        return (b"x-trusted", b"1") in scope["headers"]

    return EdgeMiddleware(shop(recorded, seen), trusts)


BUILDS: dict[str, Callable[[Recorded, list[Any]], Any]] = {
    "plain": shop,
    "no operation spans": lambda *a: shop(*a, telemetry={"operation_spans": False}),
    "no metrics": lambda *a: shop(*a, telemetry={"metrics": False}),
    "no logs": lambda *a: shop(*a, telemetry={"logs": False}),
    "root path": _under_a_root_path,
    "no redirects": lambda *a: shop(*a, redirect_slashes=False),
    "debug": lambda *a: shop(*a, debug=True),
    "subclass": lambda *a: shop(*a, kind=Sub),
    "subclass that answers": lambda *a: shop(*a, kind=Answering),
    "middleware": _with_middleware,
    "ids within": _with_ids_within,
    "around": _around,
    "edge": _at_the_edge,
    "exclude": _leaving_some_out,
    "exclude at the edge": lambda *a: EdgeMiddleware(_leaving_some_out(*a), lambda _: True),
}
PARENT = ("traceparent", f"00-{TRACE}-{SPAN}-01")
UNSAMPLED = ("traceparent", f"00-{TRACE}-{SPAN}-00")
REQUESTS: dict[str, Exchange] = {
    "item": Exchange(http("/items/pencil")),
    "not found": Exchange(http("/nowhere/4")),
    "refused": Exchange(http("/items/refused")),
    "broken middleware": Exchange(http("/items/broken")),
    "wrong method": Exchange(http("/items/pencil", "DELETE")),
    "head": Exchange(http("/items/pencil", "HEAD")),
    "options": Exchange(http("/items", "OPTIONS")),
    "unknown method": Exchange(http("/items/pencil", "PURGE")),
    "lower method": Exchange(http("/items/pencil", "get")),
    "redirect": Exchange(http("/items/")),
    "plain": Exchange(http("/plain")),
    "router": Exchange(http("/v2/orders/7")),
    "validation": Exchange(http("/v2/orders/seven")),
    "body": Exchange(
        http("/items", "POST", headers=[HOST, ("content-type", "application/json")]),
        [{"type": "http.request", "body": b'{"name": "a", "count": 2}'}],
    ),
    "bad body": Exchange(
        http("/items", "POST", headers=[HOST, ("content-type", "application/json")]),
        [{"type": "http.request", "body": b"{"}],
    ),
    "gone amid its body": Exchange(http("/items", "POST"), [GONE]),
    **{
        f"fail {how}": Exchange(http(f"/fail/{how}"))
        for how in ("broken", "handled", "missing", "busy", "cancelled")
    },
    **{
        f"{path} {how}": Exchange(http(f"/{path}/{how}"), [REQUEST])
        for path in ("stream", "background")
        for how in ("fine", "broken")
    },
    "stream to nobody": Exchange(http("/stream/fine"), [REQUEST, GONE]),
    **{
        f"raw {how}": Exchange(http(f"/raw/{how}"))
        for how in (
            "silent", "begun", "unended", "trailers", "untrailed", "path", "hint", "twice", "late",
            "gone",
        )
    },
    "inner": Exchange(http("/inner/part/3")),
    "inner not found": Exchange(http("/inner/nowhere")),
    "leaf": Exchange(http("/inner/deep/leaf/9")),
    "starlette inner": Exchange(http("/plain-inner/leaf/9")),
    "headers": Exchange(http("/headers")),
    "documentation": Exchange(http("/openapi.json")),
    "under root path": Exchange(http("/api/items/pencil", root_path="/api")),
    "app root path": Exchange(http("/items/pencil", app_root_path="/outer/", root_path="")),
    "query": Exchange(
        http("/items/pencil", query_string=b"a=1&sig=x&X-Amz-Signature=y&b=&a=%C3%A9")
    ),
    "odd query": Exchange(http("/items/pencil", query_string=b"&&=\xff&;%zz")),
    "https": Exchange(http("/items/pencil", scheme="https")),
    "no scheme": Exchange(http("/items/pencil", scheme=None)),
    "http 1.0": Exchange(http("/items/pencil", http_version="1.0", headers=[])),
    "h2": Exchange(http("/items/pencil", http_version="2", scheme="https")),
    "no version": Exchange(http("/items/pencil", http_version=None)),
    "no server": Exchange(http("/items/pencil", headers=[], server=None)),
    "unix socket": Exchange(http("/items/pencil", headers=[], server=("/run/shop", None))),
    "no query": Exchange(http("/items/pencil", query_string=None)),
    "headers of a tuple": Exchange(
        {**http("/items/pencil"), "headers": ((b"host", b"shop.example"),)}
    ),
    **{
        f"host {host}": Exchange(http("/items/pencil", headers=[("host", host)]))
        for host in (
            "shop.example:8443", "[::1]", "[2001:db8::1]:8443", "[::1", "user@shop.example",
            "shop.example/path", "shop.example:port", "", "SHOP.example", "a?b", "h\xf6st",
        )
    },
    "two hosts": Exchange(http("/items/pencil", headers=[HOST, ("host", "other.example")])),
    "forwarded": Exchange(
        http(
            "/items/pencil",
            headers=[HOST, ("x-forwarded-for", "198.51.100.7"), ("x-forwarded-host", "a.example"),
                     ("x-forwarded-proto", "https"), ("forwarded", "for=198.51.100.7")],
        )
    ),
    "request id": Exchange(http("/items/pencil", headers=[HOST, ("x-request-id", "request-1")])),
    "both ids": Exchange(
        http("/items/pencil", headers=[("X-Correlation-ID", "correlation-1"), HOST,
                                       ("X-Request-ID", "request-1")])
    ),
    "two request ids": Exchange(
        http("/items/pencil", headers=[HOST, ("x-request-id", "request-1"),
                                       ("x-request-id", "request-2")])
    ),
    "bad ids": Exchange(
        http("/items/pencil", headers=[HOST, ("x-request-id", "4111111111111111"),
                                       ("x-correlation-id", "bob@example.com")])
    ),
    "correlation id": Exchange(
        http("/items/pencil", headers=[HOST, ("x-correlation-id", "correlation-1")])
    ),
    "not ascii ids": Exchange(
        http("/items/pencil", headers=[HOST, ("x-request-id", "r\xe9quest-1")])
    ),
    "parent": Exchange(http("/items/pencil", headers=[HOST, PARENT, ("tracestate", "v=1")])),
    "unsampled parent": Exchange(http("/items/pencil", headers=[HOST, UNSAMPLED])),
    "bad parent": Exchange(http("/items/pencil", headers=[HOST, ("traceparent", "00-x-y-01")])),
    "state alone": Exchange(http("/items/pencil", headers=[HOST, ("tracestate", "v=1")])),
    "baggage": Exchange(
        http("/items/pencil", headers=[HOST, ("baggage", "a=1"), ("baggage", "b=2")])
    ),
    "trusted parent": Exchange(
        http("/items/pencil", headers=[HOST, PARENT, ("baggage", "a=1"), ("x-trusted", "1")])
    ),
    "parent in capitals": Exchange(
        http("/items/pencil", headers=[HOST, ("Traceparent", PARENT[1])])
    ),
    "failing with parent": Exchange(http("/fail/broken", headers=[HOST, PARENT])),
}  # fmt: skip


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(HostPropagator(before, Hosts([])))
    RequestContextInstrumentor().instrument()
    yield
    RequestContextInstrumentor().uninstrument()
    propagate.set_global_textmap(before)


class Session:
    """One application and what it records, by FastAPI itself or by us."""

    def __init__(self, build: Any, *, ours: bool, sampler: Sampler | None = None) -> None:
        self._recorded = Recorded(sampler)
        self._seen: list[Any] = []
        self._app = build(self._recorded, self._seen)
        self._ours = ours
        # Paths of the requests that we recorded.
        self.served: list[str] = []
        self.run(Exchange(http("/nowhere")))

    def run(self, exchange: Exchange) -> dict[str, Any]:
        """Return all that comes of one exchange."""
        self._recorded.take()
        self._seen.clear()
        numbers = itertools.count(1)
        serve = Recorder.serve

        async def counting(recorder: Any, *args: Any) -> None:
            self.served.append(args[1]["path"])
            await serve(recorder, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(context, "new_id", lambda: f"fresh-id-{next(numbers)}")
            patch.setattr(Recorder, "serve", counting)
            if not self._ours:
                patch.setattr(FastAPIRequests, "recorder_of", lambda *_: None)
            came = exchange.run(self._app)
        return {**came, "seen": self._seen.copy(), **self._recorded.take()}


def assert_same(
    build: Any, exchanges: dict[str, Exchange], sampler: Sampler | None = None
) -> list[str]:
    """Fail unless FastAPI and we record the same; return the paths that we recorded."""
    theirs = Session(build, ours=False, sampler=sampler)
    ours = Session(build, ours=True, sampler=sampler)
    for name, exchange in exchanges.items():
        expected, found = theirs.run(exchange), ours.run(exchange)
        for part, value in expected.items():
            assert found[part] == value, f"{name}: {part}"
    assert theirs.served == []
    return ours.served


@pytest.mark.parametrize("build", BUILDS)
def test_what_leaves_is_the_same(build: str) -> None:
    served = assert_same(BUILDS[build], REQUESTS)
    assert len(served) == len(REQUESTS)


@pytest.mark.parametrize("build", BUILDS)
def test_what_light_spans_leave_is_the_same(build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Which measurements become exemplars is left to chance.
    monkeypatch.setattr(exemplar_reservoir, "randrange", lambda _low, limit: 17 % limit)
    monkeypatch.setattr(exemplars, "below", lambda limit: 17 % limit)
    kinds: set[type] = set()
    start = LightSpan.end

    def seen(span: LightSpan, end_time: int | None = None) -> None:
        kinds.add(type(span))
        start(span, end_time)

    monkeypatch.setattr(LightSpan, "end", seen)
    theirs = Session(BUILDS[build], ours=False)
    try:
        light.install()
        ours = Session(BUILDS[build], ours=True)
        # Twice: what was known of the first request serves the next one.
        for turn in (1, 2):
            for name, exchange in REQUESTS.items():
                light.uninstall()
                expected = theirs.run(exchange)
                light.install()
                found = ours.run(exchange)
                for part, value in expected.items():
                    assert found[part] == value, f"{name}, {turn}: {part}"
    finally:
        light.uninstall()
    assert kinds == {LightSpan}


def test_a_record_of_another_form_is_made_by_its_constructor() -> None:
    known: Any = fastapi_known.record_maker(fastapi_asgi)
    changed = dataclasses.make_dataclass(
        "Changed",
        [
            (name, Any, None)
            for name in ("span", "span_method", "tracer", "logger", "_mount_prefix")
        ],
    )
    given = object(), "GET", None, None, "/outer"
    other = fastapi_known.record_maker(SimpleNamespace(_RequestTelemetry=changed))(*given)
    asgi: Any = fastapi_asgi
    own = asgi._RequestTelemetry(span=given[0], span_method="GET", _mount_prefix="/outer")
    assert known(*given) == own
    assert vars(known(*given)).keys() <= vars(own).keys()
    assert type(other) is changed

    @dataclasses.dataclass(kw_only=True)
    class Set(asgi._RequestTelemetry):
        """One of the same fields that does more when it is made."""

        def __post_init__(self) -> None:
            self.route = "set"

    assert fastapi_known.record_maker(SimpleNamespace(_RequestTelemetry=Set))(*given).route == "set"
    assert (other.span, other.span_method, other._mount_prefix) == (given[0], "GET", "/outer")


FEW = {
    name: REQUESTS[name]
    for name in (
        "item", "not found", "plain", "fail broken", "inner", "raw silent", "baggage",
        "parent", "unsampled parent", "bad parent", "both ids", "bad ids",
    )
}  # fmt: skip


@pytest.mark.parametrize(
    "sampler",
    [ALWAYS_ON, ALWAYS_OFF, ParentBased(ALWAYS_OFF), ParentBased(ALWAYS_ON)],
    ids=["on", "off", "parent, else off", "parent, else on"],
)
@pytest.mark.parametrize("build", ["plain", "around", "edge"])
def test_a_sampler_decides_the_same(build: str, sampler: Sampler) -> None:
    assert len(assert_same(BUILDS[build], FEW, sampler)) == len(FEW)


class Vendor(TextMapPropagator):
    """Another way to hand a trace on, in a header that no list names."""

    def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Any:
        if getter.get(carrier, "x-vendor"):
            context = baggage.set_baggage("vendor", "met", context)
        return otel_context.set_value("vendor", "asked", context)

    def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
        raise NotImplementedError

    @property
    def fields(self) -> set[str]:
        return set()


@pytest.mark.parametrize("trust", [True, False])
@pytest.mark.parametrize(
    "inner",
    [
        CompositePropagator([]),
        CompositePropagator([W3CBaggagePropagator()]),
        CompositePropagator([TraceContextTextMapPropagator()]),
        CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator(), Vendor()]),
        Vendor(),
    ],
    ids=["none", "baggage", "trace context", "more", "another"],
)
def test_any_propagator_is_asked(inner: TextMapPropagator, trust: bool) -> None:
    vendor = Exchange(http("/items/pencil", headers=[HOST, ("x-vendor", "1")]))
    exchanges = {**FEW, "vendor": vendor}
    for propagator in (HostPropagator(inner, Hosts([]), trust=trust), inner):
        propagate.set_global_textmap(propagator)
        for build in ("plain", "around", "edge"):
            assert len(assert_same(BUILDS[build], exchanges)) == len(exchanges)


def test_methods_that_a_service_knows_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "PURGE, GET")
    assert_same(shop, REQUESTS)
    [*_, span] = Session(shop, ours=True).run(REQUESTS["unknown method"])["spans"]
    assert span["attributes"]["http.request.method"] == "PURGE"


def test_a_websocket_is_left_to_fastapi() -> None:
    scope = {**http("/chat/ada", method="", http_version=None), "type": "websocket"}
    chat = Exchange(scope, [{"type": "websocket.connect"}])
    assert assert_same(shop, {"chat": chat, "nowhere": Exchange({**scope, "path": "/no"})}) == []


def _global_providers(recorded: Recorded, seen: list[Any], patch: pytest.MonkeyPatch) -> Any:
    patch.setattr(trace, "get_tracer_provider", lambda: recorded.tracers)
    patch.setattr(metrics, "get_meter_provider", lambda: recorded.meters)
    patch.setattr(_logs, "get_logger_provider", lambda: recorded.loggers)
    nobody = {"tracer_provider": None, "meter_provider": None, "logger_provider": None}
    return shop(recorded, seen, telemetry=nobody)


def test_the_providers_of_all_are_taken_where_an_application_names_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, seen = Recorded(), list[Any]()
    session = Session(lambda *_: _global_providers(app, seen, monkeypatch), ours=True)
    session.run(REQUESTS["item"])
    assert session.served
    assert [span["name"] for span in app.spans()][-1] == "GET /items/{item}"
    # Those of a test that comes later, say.
    later = Recorded()
    _global_providers(later, seen, monkeypatch)
    app.take()
    session.run(REQUESTS["item"])
    assert [span["name"] for span in later.spans()][-1] == "GET /items/{item}"
    assert {one["metric"][0] for one in later.points()} == {
        "http.server.active_requests",
        "http.server.request.duration",
    }
    assert [span["name"] for span in app.spans()] == ["step"]
    assert [one["metric"][0] for one in app.points()] == ["http.server.active_requests"]


LEFT = {
    "no tracing": ({"tracing": False}, "tracing off"),
    "of the future": ({"sampling": 0.5}, "sampling"),
    "not set up": ({"tracer_provider": trace.ProxyTracerProvider()}, ""),
    "off": ({"tracer_provider": trace.NoOpTracerProvider()}, ""),
}


@pytest.mark.parametrize("option", LEFT)
def test_an_option_that_is_not_carried_leaves_requests_to_fastapi(
    option: str, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry, reason = LEFT[option]
    caplog.set_level(logging.INFO)
    assert assert_same(lambda *a: shop(*a, telemetry=telemetry), FEW) == []
    lines = [one.message for one in caplog.records if one.name == "glasshouse"]
    assert (
        lines
        == [f"FastAPI: requests are recorded by FastAPI itself: telemetry has {reason}"][
            : bool(reason)
        ]
    )


class OpenTelemetryMiddleware:
    """Of upstream by its name: records each request."""

    __module__ = "opentelemetry.instrumentation.asgi"

    def __init__(self, app: Any, tracer: Any) -> None:
        self.app = app
        self.tracer = tracer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with self.tracer.start_as_current_span("of upstream", kind=SpanKind.SERVER):
            await self.app(scope, receive, send)


def test_upstreams_middleware_in_an_application_leaves_requests_to_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    def build(recorded: Recorded, seen: list[Any]) -> Any:
        app = shop(recorded, seen)
        tracer = recorded.tracers.get_tracer("upstream")
        app.add_middleware(OpenTelemetryMiddleware, tracer=tracer)
        return app

    assert assert_same(build, FEW) == []
    [line] = [one.message for one in caplog.records if one.name == "glasshouse"]
    assert line.endswith("opentelemetry-instrumentation-asgi is among its middleware")


def test_what_is_left_out_knows_nothing_of_a_request_around_it() -> None:
    served = assert_same(_leaving_some_out_within, FEW)
    assert len(served) == 2 * len(FEW)


def test_a_class_in_between_is_not_passed_over() -> None:
    class Between(Starlette):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scope["between"] = True
            await super().__call__(scope, receive, send)

    class Mixed(FastAPI, Between):
        """What comes after FastAPI is asked for the next."""

    assert assert_same(lambda *a: shop(*a, kind=Mixed), FEW) == []


def test_requests_of_one_time_do_not_mix() -> None:
    recorded = Recorded()
    app = FastAPI(telemetry={**recorded.telemetry(), "operation_spans": False})  # pyright: ignore[reportArgumentType]
    gates = {name: asyncio.Event() for name in ("one", "two")}
    seen: dict[str, Any] = {}

    @app.get("/{name}")
    async def wait(name: str) -> None:
        await gates[name].wait()
        seen[name] = surroundings()

    async def both() -> None:
        app.middleware_stack = app.build_middleware_stack()
        runs = [
            asyncio.create_task(
                Exchange(
                    http(f"/{name}", headers=[HOST, ("x-request-id", f"request-{name}")])
                ).send(app)
            )
            for name in gates
        ]
        await asyncio.sleep(0)
        # The first ends last.
        gates["two"].set()
        await runs[1]
        gates["one"].set()
        await runs[0]

    asyncio.run(both())
    spans = {one["attributes"]["url.path"]: one for one in recorded.spans()}
    for name in gates:
        assert spans[f"/{name}"]["attributes"]["request.id"] == f"request-{name}"
        assert seen[name]["ids"][0] == f"request-{name}"
        assert seen[name]["span"][1] == spans[f"/{name}"]["context"]
    assert {one["value"] for one in recorded.points() if "active" in one["metric"][0]} == {0}


def test_it_ends_with_the_instrumentation() -> None:
    session = Session(shop, ours=True)
    session.run(REQUESTS["item"])
    assert session.served
    session.served.clear()
    RequestContextInstrumentor().uninstrument()
    came = session.run(REQUESTS["item"])
    assert session.served == []
    assert came["spans"][-1]["name"] == "GET /items/{item}"
    assert came["sent"][0]["headers"] == [
        (b"content-length", b"17"), (b"content-type", b"application/json"),
    ]  # fmt: skip
    RequestContextInstrumentor().instrument()


def test_the_installed_fastapi_is_known() -> None:
    """Otherwise compare the two, and add its digest."""
    RequestContextInstrumentor().uninstrument()
    assert fastapi_known.telemetry_module() is not None
    RequestContextInstrumentor().instrument()


@pytest.mark.parametrize("digests", ["KNOWN_TELEMETRY", "KNOWN_CALL"])
def test_a_fastapi_that_is_not_known_records_itself(
    monkeypatch: pytest.MonkeyPatch, digests: str, caplog: pytest.LogCaptureFixture
) -> None:
    RequestContextInstrumentor().uninstrument()
    monkeypatch.setattr(fastapi_known, digests, frozenset({"another"}))
    caplog.set_level(logging.INFO)
    RequestContextInstrumentor().instrument()
    assert assert_same(shop, FEW) == []
    [line] = [one.message for one in caplog.records if one.name == "glasshouse"]
    assert line.startswith(f"FastAPI {fastapi.__version__}: requests are recorded by FastAPI")


def test_what_others_put_in_fastapis_place_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as an agent that records errors."""
    RequestContextInstrumentor().uninstrument()
    called: list[str] = []
    original = NativeTelemetry.__call__

    async def agent(self: Any, **given: Any) -> None:
        called.append(given["scope"]["path"])
        await original(self, **given)

    monkeypatch.setattr(NativeTelemetry, "__call__", agent)
    RequestContextInstrumentor().instrument()
    session = Session(shop, ours=True)
    session.run(REQUESTS["item"])
    assert session.served == []
    assert called[-1] == "/items/pencil"
