"""What upstream's instrumentations get as options, and what is fixed in them."""

import importlib
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from wrapt import wrap_function_wrapper

from glasshouse.instrumentors import grpc, redirects
from glasshouse.instrumentors.django import when_middleware_loads
from glasshouse.instrumentors.threads import ThreadsInstrumentor
from glasshouse.propagation import HostPropagator, Hosts

# Documents and the words searched for; the number of hits stays.
_REDIS_CONTENT: Final = "_add_search_attributes"


def instrument(name: str, instrumentor: BaseInstrumentor, hosts: Hosts, **given: Any) -> None:
    """Switch one instrumentation on: nothing of what people say or look for is recorded."""
    options = {**_options(name, hosts), **given}
    if name == "django":
        when_middleware_loads(instrumentor, **options)
        return
    if name == "threading":
        # Whichever package the name came from.
        instrumentor = ThreadsInstrumentor()
    if name == "grpc_client":
        grpc.before_client()
    instrumentor.instrument(**options)  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped
    if fix := _FIXES.get(name):
        fix(hosts)


def _options(name: str, hosts: Hosts) -> dict[str, Any]:
    if name in ("botocore", "aiobotocore"):
        aws = importlib.import_module("opentelemetry.propagators.aws.aws_xray_propagator")
        # AWS is a host as any other.
        return {"propagator": HostPropagator(aws.AwsXRayPropagator(), hosts, ids=False)}
    if name == "aiohttp-client":
        return {"trace_configs": [redirects.aiohttp_trace_config(hosts)]}
    if name == "flask":
        # For comments in SQL, which nothing here writes; upstream never takes it back.
        return {"enable_commenter": False}
    return {}


def _fix_redis(_hosts: Hosts) -> None:
    def only_the_number(span: Any, response: Any, _args: Any) -> None:
        if isinstance(response, list | tuple) and response and isinstance(response[0], int):
            span.set_attribute("redis.search.total", response[0])

    module = importlib.import_module("opentelemetry.instrumentation.redis")
    setattr(module, _REDIS_CONTENT, only_the_number)


def _fix_asgi(_hosts: Hosts) -> None:
    async def unless_counted(
        wrapped: Callable[..., Any], middleware: Any, args: Any, kwargs: Any
    ) -> None:
        # A Starlette application mounted in a FastAPI one: that has its span and is counted.
        scope = args[0] if args else kwargs["scope"]
        inner = middleware.app if scope.get("fastapi.telemetry") is not None else wrapped
        await inner(*args, **kwargs)

    def without_messages(
        wrapped: Callable[..., None], _middleware: object, args: Any, kwargs: Any
    ) -> None:
        # A span for each message: two a request, and one for each that a websocket carries.
        if kwargs.get("exclude_spans") is None:
            kwargs["exclude_spans"] = ["receive", "send"]
        wrapped(*args, **kwargs)

    module = "opentelemetry.instrumentation.asgi"
    wrap_function_wrapper(module, "OpenTelemetryMiddleware.__call__", unless_counted)
    wrap_function_wrapper(module, "OpenTelemetryMiddleware.__init__", without_messages)


_FIXES: Final[dict[str, Callable[[Hosts], None]]] = {
    "fastapi": _fix_asgi,
    "grpc_aio_client": lambda _hosts: grpc.after_aio_client(),
    "redis": _fix_redis,
    "requests": redirects.guard_requests,
    "starlette": _fix_asgi,
    "urllib": redirects.guard_urllib,
}
