"""Puts the host on gRPC's client spans.

Upstream's have none, so no context could leave for a host on the list: which one a call goes to is
known only where its channel is made.
"""

import contextlib
import contextvars
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from wrapt import wrap_function_wrapper

_MODULE: Final = "opentelemetry.instrumentation.grpc"
_target: Final = contextvars.ContextVar[str]("target", default="")


def server_of(target: str) -> dict[str, str | int]:
    """Return the attributes of a channel's target: ``pay.internal:443``, ``dns:///pay:443``."""
    scheme, _, rest = target.partition(":")
    if scheme in ("unix", "unix-abstract", "vsock"):
        return {}
    authority = rest.rpartition("/")[2] if scheme in ("dns", "ipv4", "ipv6", "xds") else target
    # The schemes of addresses take several.
    with contextlib.suppress(ValueError):
        parts = urlsplit(f"//{authority.partition(',')[0]}")
        port: dict[str, str | int] = {} if parts.port is None else {SERVER_PORT: parts.port}
        if parts.hostname:
            return {SERVER_ADDRESS: parts.hostname, **port}
    return {}


class _Tracer(trace.Tracer):
    """Adds the attributes of one channel to each span."""

    def __init__(self, inner: trace.Tracer, attributes: Mapping[str, str | int]) -> None:
        self._inner = inner
        self._attributes = attributes

    def _with(self, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "attributes": {**(given.get("attributes") or {}), **self._attributes}}

    def start_span(self, name: str, **given: Any) -> trace.Span:  # pyright: ignore[reportIncompatibleMethodOverride]  # upstream names its arguments
        return self._inner.start_span(name, **self._with(given))

    @contextlib.contextmanager
    def start_as_current_span(self, name: str, **given: Any) -> Generator[trace.Span]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as above
        with self._inner.start_as_current_span(name, **self._with(given)) as span:
            yield span


class _Provider(trace.TracerProvider):
    def __init__(self, inner: trace.TracerProvider | None, target: str) -> None:
        self._inner = inner
        self._target = target

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        inner = self._inner or trace.get_tracer_provider()
        return _Tracer(inner.get_tracer(*args, **kwargs), server_of(self._target))


def _in_channel(make: Callable[..., Any], arguments: tuple[Any, ...], named: Any) -> Any:
    target = arguments[0] if arguments else named.get("target", "")
    token = _target.set(target if isinstance(target, str) else "")
    try:
        return make()
    finally:
        _target.reset(token)


def _channel(wrapped: Callable[..., Any], _owner: object, args: Any, kwargs: Any) -> Any:
    return _in_channel(lambda: wrapped(*args, **kwargs), args, kwargs)


def _upstreams_channel(wrapped: Callable[..., Any], _owner: object, args: Any, kwargs: Any) -> Any:
    # Upstream's wrapper: the original, its owner, and what the channel is made with.
    return _in_channel(lambda: wrapped(*args, **kwargs), args[2], args[3])


def _interceptor(wrapped: Callable[..., Any], _owner: object, args: Any, kwargs: Any) -> Any:
    if not args:
        kwargs["tracer_provider"] = _Provider(kwargs.get("tracer_provider"), _target.get())
    return wrapped(*args, **kwargs)


def before_client() -> None:
    """Prepare the instrumentation of blocking clients, before it is on."""
    wrap_function_wrapper(_MODULE, "GrpcInstrumentorClient.wrapper_fn", _upstreams_channel)
    wrap_function_wrapper(_MODULE, "client_interceptor", _interceptor)


def after_aio_client() -> None:
    """Complete the instrumentation of asynchronous clients, after it is on."""
    wrap_function_wrapper(_MODULE, "aio_client_interceptors", _interceptor)
    for name in ("insecure_channel", "secure_channel"):
        wrap_function_wrapper("grpc.aio", name, _channel)
