"""Who gets trace context: real HTTP calls to a host that is named, and to one that is not."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind

from glasshouse.errors import ConfigurationError
from glasshouse.propagation import HostPropagator, Hosts, hosts_from, inject_own, install
from support import http_server, shop_process

HEADERS = {"traceparent", "tracestate", "baggage"}


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
            httpx.Client(trust_env=False) as client,
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
        # Without a recorded span the target host is unknown.
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
    print(httpx.get(sys.argv[1], trust_env=False).text)
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
