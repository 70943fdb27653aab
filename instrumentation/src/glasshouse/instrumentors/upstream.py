"""What upstream's instrumentations get as options, and what is fixed in them."""

import importlib
from collections.abc import Callable
from typing import Any, Final

import wrapt
from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from wrapt import wrap_function_wrapper

from glasshouse.instrumentors import grpc, httpx_calls, redirects, redis_commands, streams, wsgi
from glasshouse.instrumentors.django import when_middleware_loads
from glasshouse.instrumentors.psycopg_statements import statements
from glasshouse.instrumentors.threads import ThreadsInstrumentor
from glasshouse.propagation import HostPropagator, Hosts
from glasshouse.response_ids import IdsResponsePropagator

# Documents and the words searched for; the number of hits stays.
_REDIS_CONTENT: Final = "_add_search_attributes"


def instrument(name: str, instrumentor: BaseInstrumentor, hosts: Hosts, **given: Any) -> None:
    """Switch one instrumentation on: nothing of what people say or look for is recorded."""
    options = {**_options(name, hosts), **given}
    if name == "django":
        when_middleware_loads(instrumentor, **options)
        wsgi.record_django_paths()
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
    if name == "django":
        return {"response_hook": streams.carry_django}
    return {}


def _fix_redis(_hosts: Hosts) -> None:
    def only_the_number(span: Any, response: Any, _args: Any) -> None:
        if isinstance(response, list | tuple) and response and isinstance(response[0], int):
            span.set_attribute("redis.search.total", response[0])

    module = importlib.import_module("opentelemetry.instrumentation.redis")
    setattr(module, _REDIS_CONTENT, only_the_number)
    redis_commands.spare()


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


def _fix_flask(_hosts: Hosts) -> None:
    wsgi.record_paths()
    importlib.import_module("flask").request_finished.connect(streams.carry_flask, weak=False)


def answer_with_ids() -> None:
    """Let upstream's middleware of WSGI write the ids, as its others do, once it is imported.

    No entry point names it: an application puts it around itself.
    """
    wrapt.when_imported("opentelemetry.instrumentation.wsgi")(_fix_wsgi)


def _fix_wsgi(module: Any) -> None:
    def with_hook(wrapped: Callable[..., None], _owner: object, args: Any, kwargs: Any) -> None:
        own = kwargs.pop("response_hook", None) or (args[2] if len(args) > 2 else None)

        def write(span: Any, environ: Any, status: str, headers: list[tuple[str, str]]) -> None:
            IdsResponsePropagator().inject(headers, setter=_Appending())
            if own is not None:
                own(span, environ, status, headers)

        if len(args) > 2:
            wrapped(*args[:2], write, *args[3:], **kwargs)
        else:
            wrapped(*args, response_hook=write, **kwargs)

    wrap_function_wrapper(module, "OpenTelemetryMiddleware.__init__", with_hook)


class _Appending:
    def set(self, carrier: list[tuple[str, str]], key: str, value: str) -> None:
        carrier.append((key, value))


_FIXES: Final[dict[str, Callable[[Hosts], None]]] = {
    "falcon": lambda _hosts: wsgi.record_paths(),
    "fastapi": _fix_asgi,
    "flask": _fix_flask,
    "grpc_aio_client": lambda _hosts: grpc.after_aio_client(),
    "httpx": lambda _hosts: httpx_calls.spare(),
    "httpx2": lambda _hosts: httpx_calls.spare(),
    "psycopg": lambda _hosts: statements.install(),
    "pyramid": lambda _hosts: wsgi.record_paths(),
    "redis": _fix_redis,
    "requests": redirects.guard_requests,
    "starlette": _fix_asgi,
    "urllib": redirects.guard_urllib,
}
