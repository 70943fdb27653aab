"""Who gets trace context: real HTTP calls to a host that is named, and to one that is not."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import HTTPRedirectHandler

import httpx
import pytest
import requests
from opentelemetry import baggage, propagate, trace
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.propagators.textmap import Getter, TextMapPropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind
from requests.sessions import SessionRedirectMixin

from glasshouse.context import Ids, current_ids, is_valid_id, with_ids
from glasshouse.errors import ConfigurationError
from glasshouse.instrumentors import redirects
from glasshouse.propagation import HostPropagator, Hosts, hosts_from, inject_own, install
from support import http_server, shop_process

HEADERS = {"traceparent", "tracestate", "baggage", "x-request-id", "x-correlation-id"}


@pytest.fixture(scope="module")
def third_party() -> Iterator[int]:
    """The port of somebody else's service, which answers with the headers it got."""
    with http_server.echoing() as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
def original() -> Iterator[TextMapPropagator]:
    before = propagate.get_global_textmap()
    yield before
    propagate.set_global_textmap(before)


@pytest.fixture(params=["sampled", "unsampled"])
def provider(request: pytest.FixtureRequest) -> Iterator[TracerProvider]:
    sampler = ALWAYS_ON if request.param == "sampled" else ALWAYS_OFF
    provider = TracerProvider(sampler=sampler)
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    yield provider
    HTTPXClientInstrumentor().uninstrument()


def call(provider: TracerProvider, host: str, port: int) -> set[str]:
    """Call from inside a request of our own; return the context headers that arrived."""
    token = otel_context.attach(baggage.set_baggage("customer", "zoe"))
    try:
        with (
            provider.get_tracer("test").start_as_current_span("GET /", kind=SpanKind.SERVER),
            httpx.Client(timeout=240, trust_env=False) as client,
        ):
            return HEADERS & client.get(f"http://{host}:{port}/").json().keys()
    finally:
        otel_context.detach(token)


@pytest.mark.parametrize(
    ("provider", "allowed", "arrived"),
    [
        ("sampled", "", set[str]()),
        ("sampled", "localhost,*.internal", set[str]()),
        ("sampled", "127.0.0.1", {"traceparent", "baggage"}),
        ("sampled", "*", {"traceparent", "baggage"}),
        # Without a recorded span the target host is unknown; glasshouse.sampling records it.
        ("unsampled", "localhost", set[str]()),
        ("unsampled", "127.0.0.1", set[str]()),
    ],
    indirect=["provider"],
)
def test_context_reaches_only_hosts_on_the_list(
    provider: TracerProvider,
    original: TextMapPropagator,
    third_party: int,
    allowed: str,
    arrived: set[str],
):
    # The positive control: without the list the same call carries all of it.
    assert call(provider, "127.0.0.1", third_party) == {"traceparent", "baggage"}
    install(hosts_from({"GLASSHOUSE_PROPAGATION_HOSTS": allowed}))
    assert call(provider, "127.0.0.1", third_party) == arrived


@pytest.mark.parametrize("provider", ["sampled", "unsampled"], indirect=True)
def test_a_jobs_own_carrier_is_always_filled(provider: TracerProvider, original: TextMapPropagator):
    install(Hosts([]))
    carrier: dict[str, str] = {}
    with provider.get_tracer("test").start_as_current_span("send", kind=SpanKind.PRODUCER) as span:
        inject_own(carrier)
        assert f"{span.get_span_context().trace_id:032x}" in carrier["traceparent"]


def test_context_that_comes_in_is_taken_over(original: TextMapPropagator):
    carrier = {"traceparent": f"00-{0xAB:032x}-{0xCD:016x}-01"}
    taken = HostPropagator(original, Hosts([])).extract(carrier)
    span = trace.get_current_span(taken).get_span_context()
    assert (span.trace_id, span.span_id) == (0xAB, 0xCD)


def environ(**headers: str) -> dict[str, Any]:
    """What a WSGI server hands over, of HTTP/1.0 without a host."""
    named = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {"REQUEST_METHOD": "GET", **named}


class WsgiGetter(Getter[dict[str, Any]]):
    """As upstream's, which is not installed here."""

    def get(self, carrier: dict[str, Any], key: str) -> list[str] | None:
        found = carrier.get("HTTP_" + key.upper().replace("-", "_"))
        return None if found is None else [found]

    def keys(self, carrier: dict[str, Any]) -> list[str]:
        return list(carrier)


class Raising(WsgiGetter):
    """As upstream's for ASGI: bytes that it cannot decode are an error."""

    def get(self, carrier: dict[str, Any], key: str) -> list[str] | None:
        if key in ("traceparent", "x-correlation-id"):
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")
        return super().get(carrier, key)


class TestIncomingIds:
    propagator = HostPropagator(propagate.get_global_textmap(), Hosts([]))

    def test_a_requests_ids_are_kept(self) -> None:
        carrier = environ(X_REQUEST_ID="request-1", X_CORRELATION_ID="correlation-1")
        taken = self.propagator.extract(carrier, getter=WsgiGetter())
        assert current_ids(taken) == Ids("request-1", "correlation-1")

    @pytest.mark.parametrize("carrier", [environ(), environ(X_REQUEST_ID="4111111111111111")])
    def test_or_made(self, carrier: dict[str, Any]) -> None:
        made = current_ids(self.propagator.extract(carrier, getter=WsgiGetter()))
        assert made is not None
        assert is_valid_id(made.request)
        assert made.correlation == made.request

    def test_two_requests_have_two(self) -> None:
        first, second = (
            current_ids(self.propagator.extract({"host": "shop", "n": str(n)})) for n in range(2)
        )
        assert first != second

    @pytest.mark.parametrize("context", [None, otel_context.Context()])
    def test_an_outer_layers_ids_stay(self, context: otel_context.Context | None) -> None:
        outer = with_ids(Ids("request-1", "correlation-1"), context)
        token = otel_context.attach(outer)
        try:
            given = None if context is None else outer
            taken = self.propagator.extract({"host": "shop"}, given)
            assert current_ids(taken) == Ids("request-1", "correlation-1")
        finally:
            otel_context.detach(token)

    def test_a_message_keeps_what_it_brings(self) -> None:
        carrier = {"x-request-id": "request-1", "x-correlation-id": "correlation-1"}
        assert current_ids(self.propagator.extract(carrier)) == Ids("request-1", "correlation-1")

    @pytest.mark.parametrize("carrier", [{}, {"x-request-id": "jane@example.com"}])
    def test_a_message_without_ids_gets_none(self, carrier: dict[str, str]) -> None:
        assert current_ids(self.propagator.extract(carrier)) is None

    def test_what_a_getter_cannot_read_does_not_end_the_request(self) -> None:
        taken = self.propagator.extract(environ(X_REQUEST_ID="request-1"), getter=Raising())
        assert trace.get_current_span(taken) is trace.INVALID_SPAN


@pytest.fixture
def flow() -> Iterator[None]:
    token = otel_context.attach(with_ids(Ids("request-1", "correlation-1")))
    yield
    otel_context.detach(token)


@pytest.mark.usefixtures("flow")
class TestOutgoingIds:
    tracer = TracerProvider().get_tracer("test")

    def sent(self, hosts: list[str], kind: SpanKind, **attributes: str) -> dict[str, str]:
        carrier: dict[str, str] = {}
        named = {name.replace("_", "."): value for name, value in attributes.items()}
        with self.tracer.start_as_current_span("x", kind=kind, attributes=named):
            HostPropagator(propagate.get_global_textmap(), Hosts(hosts)).inject(carrier)
        return carrier

    def test_a_message_takes_both(self) -> None:
        carrier = self.sent([], SpanKind.PRODUCER)
        assert carrier.keys() == {"traceparent", "x-request-id", "x-correlation-id"}
        assert (carrier["x-request-id"], carrier["x-correlation-id"]) == (
            "request-1",
            "correlation-1",
        )

    def test_unless_its_broker_has_a_name_that_is_not_listed(self) -> None:
        broker = {"server_address": "sqs.example"}
        assert self.sent(["*.internal"], SpanKind.PRODUCER, **broker) == {}
        assert "x-request-id" in self.sent(["sqs.example"], SpanKind.PRODUCER, **broker)

    def test_a_call_over_http_takes_the_correlation_id(self) -> None:
        call = {"server_address": "orders.internal", "http_request_method": "GET"}
        assert self.sent(["orders.internal"], SpanKind.CLIENT, **call).keys() == {
            "traceparent",
            "x-correlation-id",
        }
        assert self.sent(["pay.internal"], SpanKind.CLIENT, **call) == {}

    def test_a_call_without_a_host_goes_only_where_all_may(self) -> None:
        assert self.sent(["orders.internal"], SpanKind.CLIENT) == {}
        assert "x-request-id" in self.sent(["*"], SpanKind.CLIENT)


@pytest.fixture
def redirecting(third_party: int) -> Iterator[str]:
    """A listed host that redirects to one that is not: the same machine by another name."""

    class Elsewhere(http_server.Handler):
        def do_GET(self) -> None:
            there = f"http://localhost:{third_party}{self.path}"
            self.answer(status=302, headers={"Location": there})

    with http_server.serving(Elsewhere) as url:
        yield url


@pytest.mark.parametrize("provider", ["sampled"], indirect=True)
@pytest.mark.parametrize(
    ("allowed", "arrived"),
    [(["127.0.0.1"], set[str]()), (["127.0.0.1", "localhost"], {"traceparent", "baggage"})],
)
def test_a_redirect_takes_no_context_to_a_host_that_is_not_listed(
    provider: TracerProvider,
    original: TextMapPropagator,
    redirecting: str,
    allowed: list[str],
    arrived: set[str],
) -> None:
    install(Hosts(allowed))
    token = otel_context.attach(baggage.set_baggage("customer", "zoe"))
    try:
        with (
            provider.get_tracer("test").start_as_current_span("GET /", kind=SpanKind.SERVER),
            httpx.Client(timeout=240, trust_env=False, follow_redirects=True) as client,
        ):
            assert HEADERS & client.get(f"{redirecting}/").json().keys() == arrived
    finally:
        otel_context.detach(token)


def with_requests(url: str, headers: dict[str, str]) -> dict[str, str]:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, headers=headers, timeout=240).json()


def with_urllib(url: str, headers: dict[str, str]) -> dict[str, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=240) as answer:  # noqa: S310
        return json.load(answer)


@pytest.mark.parametrize(
    ("guard", "owner", "method", "get"),
    [
        (redirects.guard_requests, SessionRedirectMixin, "rebuild_auth", with_requests),
        (redirects.guard_urllib, HTTPRedirectHandler, "redirect_request", with_urllib),
    ],
)
@pytest.mark.parametrize(
    ("allowed", "arrived"), [(["127.0.0.1"], set[str]()), (["*"], {"traceparent", "baggage"})]
)
def test_nor_with_clients_that_redirect_below_their_instrumentation(
    monkeypatch: pytest.MonkeyPatch,
    original: TextMapPropagator,
    redirecting: str,
    guard: Callable[[Hosts], None],
    owner: type,
    method: str,
    get: Callable[[str, dict[str, str]], dict[str, str]],
    allowed: list[str],
    arrived: set[str],
) -> None:
    monkeypatch.setattr(owner, method, getattr(owner, method))
    guard(Hosts(allowed))
    install(Hosts(allowed))
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT) as span:
        # What the instrumentation writes for the first hop, beside a header of the caller.
        ours = f"00-{span.get_span_context().trace_id:032x}-{0xCD:016x}-01"
        headers = {"traceparent": ours, "baggage": "customer=zoe", "x-shop": "7"}
        answered = get(f"{redirecting}/", headers)
    assert HEADERS & answered.keys() == arrived
    assert answered["x-shop"] == "7"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("orders.internal", True),
        ("Orders.Internal.", True),
        ("deep.pay.example", True),
        ("pay.example", False),
        ("evilpay.example", False),
        ("orders.internal.evil.example", False),
        ("", False),
    ],
)
def test_names_match_as_a_whole(host: str, allowed: bool):
    assert Hosts(["orders.internal", " *.pay.example "]).allow(host) is allowed


@pytest.mark.parametrize("name", ["https://a.example", "a.example/x", "a*.example", "*.*"])
def test_an_entry_that_is_no_host_is_refused(name: str):
    with pytest.raises(ConfigurationError, match=r"^GLASSHOUSE_PROPAGATION_HOSTS: "):
        hosts_from({"GLASSHOUSE_PROPAGATION_HOSTS": f"a.example,{name}"})


CALLER = """
import sys, httpx
from opentelemetry import trace
with trace.get_tracer("test").start_as_current_span("request"):
    print(httpx.get(sys.argv[1], timeout=240, trust_env=False).text)
"""


@pytest.mark.parametrize("allowed", [None, "127.0.0.1"])
def test_a_service_under_the_distro_sends_a_third_party_nothing(
    third_party: int, allowed: str | None
):
    environment = {
        "PATH": os.environ["PATH"],
        "OTEL_PYTHON_DISTRO": "glasshouse",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "LOG_LEVEL": "ERROR",
        **({"GLASSHOUSE_PROPAGATION_HOSTS": allowed} if allowed else {}),
    }
    url = f"http://127.0.0.1:{third_party}/"
    ended = subprocess.run(
        [str(shop_process.INSTRUMENT), sys.executable, "-c", CALLER, url],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    headers = json.loads(ended.stdout.splitlines()[-1])
    # The host on the list is the positive control.
    assert HEADERS & headers.keys() == ({"traceparent"} if allowed else set())


def test_a_url_in_the_list_stops_the_start_with_one_line():
    ended = subprocess.run(
        [str(shop_process.INSTRUMENT), sys.executable, "-c", "pass"],
        env={
            "PATH": os.environ["PATH"],
            "OTEL_PYTHON_DISTRO": "glasshouse",
            "GLASSHOUSE_PROPAGATION_HOSTS": "https://a.example",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith("glasshouse: GLASSHOUSE_PROPAGATION_HOSTS: 'https://a.example'")
