"""Ids on a response: each framework hands its response over in a shape of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation import propagators
from opentelemetry.instrumentation.propagators import FuncSetter, TraceResponsePropagator

from glasshouse.context import Ids, with_ids
from glasshouse.response_ids import IdsResponsePropagator, install_response_ids


class Appending:
    """As the setters of WSGI and ASGI do."""

    def set(self, carrier: Any, key: str, value: str) -> None:
        if isinstance(carrier, list):
            carrier.append((key, value))
        else:
            carrier.setdefault("headers", []).append((key.lower().encode(), value.encode()))


class Handler:
    """As a handler of Tornado: adding a header keeps those of the same name."""

    def __init__(self) -> None:
        self.headers = [("X-Request-ID", "of-the-application")]

    def add_header(self, name: str, value: str) -> None:
        self.headers.append((name, value))

    def clear_header(self, name: str) -> None:
        self.headers = [pair for pair in self.headers if pair[0] != name]


@pytest.fixture
def current_ids() -> Iterator[None]:
    token = otel_context.attach(with_ids(Ids("request-1", "correlation-1")))
    yield
    otel_context.detach(token)


@pytest.fixture
def original() -> Iterator[None]:
    before: Any = propagators.get_global_response_propagator()
    yield
    propagators.set_global_response_propagator(before)


WRITTEN = [("X-Request-ID", "request-1"), ("X-Correlation-ID", "correlation-1")]
WRITTEN_BYTES = [(b"x-request-id", b"request-1"), (b"x-correlation-id", b"correlation-1")]


@pytest.mark.usefixtures("current_ids")
class TestShapes:
    def test_pairs_of_wsgi(self) -> None:
        headers = [("Content-Type", "text/plain"), ("x-request-id", "of-the-application")]
        IdsResponsePropagator().inject(headers, setter=Appending())
        assert headers == [("Content-Type", "text/plain"), *WRITTEN]

    def test_a_mapping_as_djangos_response(self) -> None:
        headers = {"X-Request-ID": "of-the-application"}
        IdsResponsePropagator().inject(headers)
        assert headers == dict(WRITTEN)

    def test_a_handler_that_adds(self) -> None:
        handler = Handler()
        IdsResponsePropagator().inject(handler, setter=FuncSetter(Handler.add_header))
        assert handler.headers == WRITTEN

    @pytest.mark.parametrize("kind", ["http.response.start", "websocket.accept"])
    def test_a_message_of_asgi_that_starts_the_response(self, kind: str) -> None:
        message: dict[str, Any] = {"type": kind, "headers": ((b"X-Request-Id", b"mine"),)}
        # ASGI's instrumentation hands in a context with nothing but the span.
        only_span = trace.set_span_in_context(trace.INVALID_SPAN, Context())
        IdsResponsePropagator().inject(message, context=only_span, setter=Appending())
        assert message["headers"] == WRITTEN_BYTES

    @pytest.mark.parametrize("kind", ["http.response.body", "websocket.send"])
    def test_no_other_message_is_touched(self, kind: str) -> None:
        message = {"type": kind, "body": b"x"}
        IdsResponsePropagator().inject(message, setter=Appending())
        assert message == {"type": kind, "body": b"x"}

    def test_a_response_that_refuses_leaves_without_ids(self) -> None:
        class Sealed:
            def __delitem__(self, name: str) -> None:
                raise RuntimeError("headers are sent")

        IdsResponsePropagator().inject(Sealed())

    def test_what_another_propagator_writes_stays(self) -> None:
        context = trace.set_span_in_context(
            trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))
        )
        headers: dict[str, str] = {}
        IdsResponsePropagator(TraceResponsePropagator()).inject(headers, context)
        assert headers["traceresponse"] == f"00-{1:032x}-{2:016x}-00"
        assert headers["X-Request-ID"] == "request-1"


def test_outside_of_a_request_nothing_is_written() -> None:
    headers: dict[str, str] = {}
    IdsResponsePropagator().inject(headers)
    assert headers == {}


@pytest.mark.usefixtures("original")
def test_it_is_installed_once() -> None:
    install_response_ids()
    first: Any = propagators.get_global_response_propagator()
    install_response_ids()
    assert isinstance(first, IdsResponsePropagator)
    assert propagators.get_global_response_propagator() is first
