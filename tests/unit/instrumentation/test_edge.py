"""The edge of trust: a stranger decides neither whether nor in which trace he is recorded."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import baggage, propagate, trace
from opentelemetry import context as otel_context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from glasshouse import EdgeMiddleware, correlation_id, request_id
from glasshouse.asgi import ASGIApp, Scope
from glasshouse.edge import trust_from
from glasshouse.errors import ConfigurationError
from glasshouse.processors import IdsSpanProcessor
from glasshouse.propagation import HostPropagator, Hosts

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"baggage": "customer=zoe", "tracestate": "vendor=x", "X-Request-ID": "request-0001"}
SAMPLED, UNSAMPLED = "01", "00"


class Recorded:
    """What the applications of one test exported, and the provider they record by."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(IdsSpanProcessor())
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def server(self) -> ReadableSpan:
        [span] = [one for one in self.spans() if one.kind is SpanKind.SERVER]
        return span


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def trusting() -> Iterator[Callable[[bool], None]]:
    """Set the global propagator up as the configurator does."""
    before = propagate.get_global_textmap()

    def set_up(trust: bool) -> None:
        propagate.set_global_textmap(HostPropagator(before, Hosts([]), trust=trust))

    yield set_up
    propagate.set_global_textmap(before)


def native(recorded: Recorded, seen: dict[str, Any]) -> ASGIApp:
    """FastAPI, which records itself."""
    app = FastAPI(telemetry={"tracer_provider": recorded.provider, "metrics": False})

    @app.get("/")
    async def read() -> None:
        note(recorded, seen)

    return app


class ScopeGetter(Getter[Scope]):
    def get(self, carrier: Scope, key: str) -> list[str] | None:
        found = [value.decode() for name, value in carrier["headers"] if name.decode() == key]
        return found or None

    def keys(self, carrier: Scope) -> list[str]:
        return [name.decode() for name, _ in carrier["headers"]]


def contrib(recorded: Recorded, seen: dict[str, Any]) -> ASGIApp:
    """An ASGI application that is recorded as upstream's instrumentations do it."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        token = otel_context.attach(propagate.extract(scope, getter=ScopeGetter()))
        tracer = recorded.provider.get_tracer("test")
        with tracer.start_as_current_span("GET", kind=SpanKind.SERVER):
            note(recorded, seen)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        otel_context.detach(token)

    return app


def note(recorded: Recorded, seen: dict[str, Any]) -> None:
    seen |= {"baggage": dict(baggage.get_all()), "ids": (request_id(), correlation_id())}
    with recorded.provider.get_tracer("test").start_as_current_span("inner"):
        pass


async def ask(app: ASGIApp, flags: str, **more: str) -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-{flags}", **HEADERS, **more}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/", headers=headers)).status_code == 200


def links_of(span: ReadableSpan) -> list[tuple[str, str]]:
    return [
        (format_trace_id(one.context.trace_id), format_span_id(one.context.span_id))
        for one in span.links
    ]


def trace_of(span: ReadableSpan) -> str:
    assert span.context
    return format_trace_id(span.context.trace_id)


@pytest.mark.parametrize("make", [native, contrib])
@pytest.mark.parametrize("flags", [SAMPLED, UNSAMPLED])
async def test_a_stranger_gets_a_trace_of_its_own_with_a_link(
    recorded: Recorded, trusting: Callable[[bool], None], make: Any, flags: str
):
    trusting(True)
    seen: dict[str, Any] = {}
    await ask(EdgeMiddleware(make(recorded, seen), lambda _: False), flags)
    server = recorded.server()
    assert server.parent is None
    assert trace_of(server) != TRACE
    assert links_of(server) == [(TRACE, SPAN)]
    [inner] = [one for one in recorded.spans() if one.name == "inner"]
    assert (trace_of(inner), links_of(inner)) == (trace_of(server), [])
    assert seen["baggage"] == {}
    # The ids are a person's to choose: they decide nothing.
    assert seen["ids"][0] == "request-0001"


@pytest.mark.parametrize("make", [native, contrib])
async def test_a_trusted_caller_goes_on_with_its_trace(
    recorded: Recorded, trusting: Callable[[bool], None], make: Any
):
    # Whatever holds for others.
    trusting(False)
    seen: dict[str, Any] = {}
    app = EdgeMiddleware(make(recorded, seen), lambda _: True)
    await ask(app, SAMPLED)
    server = recorded.server()
    assert server.parent
    assert (trace_of(server), format_span_id(server.parent.span_id)) == (TRACE, SPAN)
    assert links_of(server) == []
    assert seen["baggage"] == {"customer": "zoe"}
    recorded.exporter.clear()
    await ask(app, UNSAMPLED)
    assert recorded.spans() == []


async def test_who_is_trusted_is_asked_for_each_request(
    recorded: Recorded, trusting: Callable[[bool], None]
):
    trusting(True)

    def trusts(scope: Scope) -> bool:
        return (b"x-key", b"right") in scope["headers"]

    app = EdgeMiddleware(native(recorded, {}), trusts)
    for key, expected in (("right", True), ("wrong", False), ("right", True)):
        recorded.exporter.clear()
        await ask(app, SAMPLED, **{"X-Key": key})
        assert (trace_of(recorded.server()) == TRACE) is expected


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{'0' * 32}-{SPAN}-01"])
async def test_without_a_context_there_is_no_link(
    recorded: Recorded, trusting: Callable[[bool], None], traceparent: str
):
    trusting(True)
    app = EdgeMiddleware(native(recorded, {}), lambda _: False)
    await ask(app, SAMPLED, traceparent=traceparent)
    server = recorded.server()
    assert (server.parent, links_of(server)) == (None, [])


async def test_nothing_that_was_there_before_reaches_the_request(
    recorded: Recorded, trusting: Callable[[bool], None]
):
    trusting(True)
    seen: dict[str, Any] = {}
    stale = baggage.set_baggage("stale", "yes")
    token = otel_context.attach(stale)
    try:
        with recorded.provider.get_tracer("test").start_as_current_span("stale"):
            await ask(EdgeMiddleware(native(recorded, seen), lambda _: False), SAMPLED)
    finally:
        otel_context.detach(token)
    assert recorded.server().parent is None
    assert seen["baggage"] == {}


# By the variable, for every framework


@pytest.mark.parametrize("make", [native, contrib])
@pytest.mark.parametrize("trust", [True, False])
async def test_the_variable_holds_where_nothing_else_is_said(
    recorded: Recorded, trusting: Callable[[bool], None], make: Any, trust: bool
):
    trusting(trust)
    await ask(make(recorded, {}), SAMPLED)
    server = recorded.server()
    assert (trace_of(server) == TRACE) is trust
    assert links_of(server) == ([] if trust else [(TRACE, SPAN)])


def test_a_wsgi_request_is_one_and_a_message_is_none(trusting: Callable[[bool], None]):
    trusting(False)
    parent = f"00-{TRACE}-{SPAN}-01"

    def taken(carrier: dict[str, str], **options: Any) -> str:
        context = propagate.extract(carrier, **options)
        return format_trace_id(trace.get_current_span(context).get_span_context().trace_id)

    request = {"host": "shop.example", "traceparent": parent}
    assert taken(request) == "0" * 32
    # HTTP/1.0 has no host; an environment is one of a server all the same.
    assert taken({"REQUEST_METHOD": "GET", "traceparent": parent}) == "0" * 32
    # A broker is the service's own.
    assert taken({"traceparent": parent}) == TRACE


@pytest.mark.parametrize(
    ("text", "expected"), [(None, True), ("", True), ("true", True), (" False ", False)]
)
def test_every_caller_is_trusted_unless_it_says_otherwise(text: str | None, expected: bool):
    environ = {} if text is None else {"GLASSHOUSE_TRUST_CALLERS": text}
    assert trust_from(environ) is expected


def test_another_word_is_refused():
    with pytest.raises(ConfigurationError, match="GLASSHOUSE_TRUST_CALLERS: 'no' is neither true"):
        trust_from({**os.environ, "GLASSHOUSE_TRUST_CALLERS": "no"})


@pytest.mark.parametrize("trust", [True, False])
def test_a_message_that_brings_nothing_leaves_no_context(
    trusting: Callable[[bool], None], trust: bool
) -> None:
    """Any other is taken for what came in, and a task for no child of its caller."""
    trusting(trust)
    assert propagate.extract({}) == {}
    # The control: what a message brings is there.
    traceparent = f"00-{TRACE}-{SPAN}-{SAMPLED}"
    brought = trace.get_current_span(propagate.extract({"traceparent": traceparent}))
    assert format_span_id(brought.get_span_context().span_id) == SPAN
