"""Context in and out: taken from every request and message, handed on to named hosts only.

A traceparent shows a stranger which of its calls belong together, and baggage shows whatever
was put into it. So an outgoing call carries them only to a host on the list.

Every server instrumentation reads a request's headers through the global propagator, and most let
a response propagator write into the response. Request and correlation ids travel on these two, so
no framework needs a middleware for them.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from glasshouse import edge
from glasshouse.context import (
    CORRELATION_ID_HEADER,
    IDS,
    REQUEST_ID_HEADER,
    Ids,
    current_ids,
    ids_of_message,
    ids_of_request,
    with_ids,
)
from glasshouse.errors import ConfigurationError
from glasshouse.response_ids import install_response_ids
from glasshouse.runtime_context import get_current

HOSTS_VARIABLE: Final = "GLASSHOUSE_PROPAGATION_HOSTS"
_OWN: Final = otel_context.create_key("glasshouse.own-carrier")
# Where instrumentations say whom they call: the stable conventions first, then the old ones.
_HOST_ATTRIBUTES: Final = ("server.address", "net.peer.name")
_URL_ATTRIBUTES: Final = ("url.full", "http.url")
_METHOD_ATTRIBUTES: Final = ("http.request.method", "http.method")
# Lower case, as the keys of messages are and as every getter of headers allows.
_REQUEST_ID: Final = REQUEST_ID_HEADER.lower()
_CORRELATION_ID: Final = CORRELATION_ID_HEADER.lower()


class Hosts:
    """Names of hosts: exact, ``*.suffix`` for all below one, or ``*`` for all."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(name.strip().lower().rstrip(".") for name in names if name.strip())
        self._exact = frozenset(self.names)
        self.all = "*" in self._exact
        self._suffixes = tuple(name[1:] for name in self.names if name.startswith("*."))

    def allow(self, host: str) -> bool:
        host = host.lower().rstrip(".").strip("[]")
        return self.all or host in self._exact or host.endswith(self._suffixes)


class HostPropagator(TextMapPropagator):
    """Hands on to ``inner`` what comes in, and what goes out to an allowed host.

    Whom a call goes to is read from the client span that its instrumentation has made current;
    `glasshouse.sampling` sees to it that there is one for an unsampled call, too.

    Request and correlation ids come along: a request gets its ids here, a message keeps those
    that it brings. An outgoing message takes both, an HTTP call the correlation id, for the
    request id names one request.

    Without ``trust`` nothing but its ids is taken from an HTTP request, unless `glasshouse.edge`
    knows better of the one at hand.
    """

    def __init__(
        self, inner: TextMapPropagator, hosts: Hosts, *, ids: bool = True, trust: bool = True
    ) -> None:
        self._inner = inner
        self._hosts = hosts
        self._ids = ids
        self._trust = trust
        self._is_w3c = _is_w3c(inner)

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Take over what came in."""
        # Upstream's propagators begin with an empty context when they are given none.
        outer = current_ids(context)
        taken = otel_context.get_current() if context is None else context
        # Headers are a stranger's: what a getter cannot read does not end the request.
        with contextlib.suppress(Exception):
            if self._is_trusted(carrier, context, getter):
                taken = self._inner.extract(carrier, context, getter)
            else:
                named = edge.span_context_of(self._inner.extract(carrier, Context(), getter))
                taken = edge.naming(named, taken)
        with contextlib.suppress(Exception):
            taken = _with_incoming_ids(carrier, taken, getter, outer)
        return edge.settled(taken)

    def context_of_ids(self, ids: Ids) -> Context | None:
        """Return what an HTTP request is served in that brings neither trace context nor baggage.

        ``None``: other headers may count, so ask `extract`.
        """
        if not self._is_w3c:
            return None
        known = get_current().get(edge.TRUSTED)
        if known if isinstance(known, bool) else self._trust:
            return Context({IDS: ids})
        # A stranger's request keeps what is current, of which upstream's propagators keep nothing.
        return with_ids(ids, edge.settled(get_current()))

    def _is_trusted(
        self, carrier: CarrierT, context: Context | None, getter: Getter[CarrierT]
    ) -> bool:
        known = edge.trust_in(context)
        if known is not None:
            return known
        return self._trust or not _is_http_request(carrier, getter)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the context into ``carrier``, unless it leaves for a host not on the list."""
        if otel_context.get_value(_OWN, context):
            self._inner.inject(carrier, context, setter)
        elif self._may_leave(context):
            self._inner.inject(carrier, context, setter)
            ids = current_ids(context) if self._ids else None
            if ids is not None:
                if ids.request and not _is_http_call(context):
                    setter.set(carrier, _REQUEST_ID, ids.request)
                setter.set(carrier, _CORRELATION_ID, ids.correlation)
        else:
            self._withdraw(carrier, context)

    @property
    def fields(self) -> set[str]:
        """The names of the headers that may be set."""
        return {*self._inner.fields, _REQUEST_ID, _CORRELATION_ID}

    def _may_leave(self, context: Context | None) -> bool:
        if self._hosts.all:
            return True
        span = trace.get_current_span(context)
        if not isinstance(span, ReadableSpan):
            return False
        host = _host_of(span.attributes or {})
        if span.kind is SpanKind.CLIENT:
            return host is not None and self._hosts.allow(host)
        # A broker without a name is the service's own; a code's own `inject` is its decision.
        return span.kind is not SpanKind.PRODUCER or host is None or self._hosts.allow(host)

    def _withdraw(self, carrier: object, context: Context | None) -> None:
        """Take out what an earlier hop wrote: a redirect keeps the headers it came with."""
        if isinstance(carrier, MutableMapping):
            headers = cast("MutableMapping[Any, Any]", carrier)
            withdraw(headers, self.fields, trace.get_current_span(context))


def _is_w3c(propagator: TextMapPropagator) -> bool:
    """Return whether it reads the headers ``traceparent``, ``tracestate`` and ``baggage`` alone."""
    inner: Iterable[object] = getattr(propagator, "_propagators", ())
    kinds = [type(each) for each in inner]
    return type(propagator) is CompositePropagator and kinds in (
        [TraceContextTextMapPropagator],
        [TraceContextTextMapPropagator, W3CBaggagePropagator],
    )


def withdraw(
    headers: MutableMapping[Any, Any], fields: Iterable[str], span: trace.Span | None = None
) -> None:
    """Delete ``fields`` from ``headers`` if they are of the trace that ``span`` belongs to.

    By default of the current one. A traceparent of another trace was put there by somebody else.
    """
    current = span or trace.get_current_span()
    ours = format_trace_id(current.get_span_context().trace_id)
    named = {str(key).lower(): key for key in headers}
    if "traceparent" not in named or ours not in str(headers[named["traceparent"]]):
        return
    for field in fields:
        if field.lower() in named:
            del headers[named[field.lower()]]


def _with_incoming_ids(
    carrier: CarrierT, context: Context, getter: Getter[CarrierT], outer: Ids | None
) -> Context:
    request = _first(getter.get(carrier, _REQUEST_ID))
    correlation = _first(getter.get(carrier, _CORRELATION_ID))
    if _is_http_request(carrier, getter):
        return with_ids(ids_of_request(request, correlation, outer), context)
    # A message: what it brings, nothing made.
    ids = ids_of_message(request, correlation)
    return context if ids is None else with_ids(ids, context)


def _is_http_request(carrier: CarrierT, getter: Getter[CarrierT]) -> bool:
    # HTTP/1.0 knows requests without a host.
    return _is_server_scope(carrier) or any(
        _first(getter.get(carrier, name)) for name in ("host", ":authority")
    )


def _is_server_scope(carrier: object) -> bool:
    """Return whether this is an environment of WSGI, a scope of ASGI, or Starlette's headers."""
    if type(carrier).__module__ == "starlette.datastructures":
        return True
    if not isinstance(carrier, Mapping):
        return False
    found = cast("Mapping[object, object]", carrier)
    return "REQUEST_METHOD" in found or found.get("type") in ("http", "websocket")


def _first(values: list[str] | None) -> str:
    return values[0] if values else ""


def _is_http_call(context: Context | None) -> bool:
    span = trace.get_current_span(context)
    if not isinstance(span, ReadableSpan):
        return True
    attributes = span.attributes or {}
    return any(name in attributes for name in _METHOD_ATTRIBUTES)


def _host_of(attributes: Mapping[str, object]) -> str | None:
    for name in _HOST_ATTRIBUTES:
        if host := attributes.get(name):
            return str(host)
    for name in _URL_ATTRIBUTES:
        if url := attributes.get(name):
            return urlsplit(str(url)).hostname
    return None


def inject_own(carrier: dict[str, str]) -> None:
    """Write the current context into a carrier that stays among this service's processes."""
    propagate.inject(carrier, otel_context.set_value(_OWN, True))


def hosts_from(environ: Mapping[str, str] = os.environ) -> Hosts:
    """Read ``GLASSHOUSE_PROPAGATION_HOSTS``: names with commas; nobody by default.

    Raises:
        ConfigurationError: an entry is a URL, or has a ``*`` anywhere but at its start.
    """
    hosts = Hosts(environ.get(HOSTS_VARIABLE, "").split(","))
    for name in hosts.names:
        if name != "*" and ("/" in name or "*" in name.removeprefix("*.")):
            message = f"{HOSTS_VARIABLE}: {name!r} is not a host; write orders.internal"
            raise ConfigurationError(f"{message} or *.internal, without scheme, port and path")
    return hosts


def install(hosts: Hosts, *, trust: bool = True) -> None:
    """Put the list and the ids in front of the propagators that are set up."""
    present = propagate.get_global_textmap()
    if not isinstance(present, HostPropagator):
        propagate.set_global_textmap(HostPropagator(present, hosts, trust=trust))
    install_response_ids()
