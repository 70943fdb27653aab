"""Trace context and baggage go only to hosts that are named.

A traceparent shows a stranger which of its calls belong together, and baggage shows whatever
was put into it. So an outgoing call carries them only to a host on the list.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from glasshouse.errors import ConfigurationError

HOSTS_VARIABLE: Final = "GLASSHOUSE_PROPAGATION_HOSTS"
_OWN: Final = otel_context.create_key("glasshouse.own-carrier")
# Where instrumentations say whom they call: the stable conventions first, then the old ones.
_HOST_ATTRIBUTES: Final = ("server.address", "net.peer.name")
_URL_ATTRIBUTES: Final = ("url.full", "http.url")


class Hosts:
    """Names of hosts: exact, ``*.suffix`` for all below one, or ``*`` for all."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(name.strip().lower().rstrip(".") for name in names if name.strip())
        self._exact = frozenset(self.names)
        self._suffixes = tuple(name[1:] for name in self.names if name.startswith("*."))

    def allow(self, host: str) -> bool:
        host = host.lower().rstrip(".").strip("[]")
        return "*" in self._exact or host in self._exact or host.endswith(self._suffixes)


class HostPropagator(TextMapPropagator):
    """Hands on to ``inner`` what comes in, and what goes out to an allowed host.

    Whom a call goes to is read from the client span that its instrumentation has made current.
    A span that is not recorded has no target host, so an unsampled call carries no context.
    """

    def __init__(self, inner: TextMapPropagator, hosts: Hosts) -> None:
        self._inner = inner
        self._hosts = hosts

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Take over what came in."""
        return self._inner.extract(carrier, context, getter)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the context into ``carrier``, unless it leaves for a host not on the list."""
        if self._may_leave(context):
            self._inner.inject(carrier, context, setter)

    @property
    def fields(self) -> set[str]:
        """The names of the headers that may be set."""
        return self._inner.fields

    def _may_leave(self, context: Context | None) -> bool:
        if otel_context.get_value(_OWN, context):
            return True
        span = trace.get_current_span(context)
        if not isinstance(span, ReadableSpan):
            return False
        if span.kind is not SpanKind.CLIENT:
            return True
        host = _host_of(span.attributes or {})
        return host is not None and self._hosts.allow(host)


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


def install(hosts: Hosts) -> None:
    """Put the list in front of the propagators that are set up."""
    present = propagate.get_global_textmap()
    if not isinstance(present, HostPropagator):
        propagate.set_global_textmap(HostPropagator(present, hosts))
