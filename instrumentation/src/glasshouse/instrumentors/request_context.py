"""Puts `RequestContextMiddleware` around every Starlette or FastAPI application.

Their own telemetry writes nothing into a response, and reads no headers where tracing is off.
Around the application, not into its stack of middlewares: upstream's instrumentation of FastAPI
takes that stack apart, and leaves an application alone whose outermost part is not FastAPI's.
"""

import functools
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.sdk.trace import ReadableSpan

from glasshouse.asgi import Receive, RequestContextMiddleware, Scope, Send

_METHOD: Final = "__call__"
# In the scope: an application around this one has the ids, such as FastAPI's base class.
_DONE: Final = "glasshouse.request_context"


def _around(application: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    # A plain coroutine function: servers distinguish by it which version of ASGI they speak.
    @functools.wraps(application)
    async def call(self: object, scope: Scope, receive: Receive, send: Send) -> None:
        if _DONE in scope:
            await application(self, scope, receive, send)
            return
        scope[_DONE] = True
        inner = functools.partial(application, self)
        token = otel_context.attach(Context()) if _is_stale() else None
        try:
            await RequestContextMiddleware(inner)(scope, receive, send)
        finally:
            if token is not None:
                otel_context.detach(token)

    return call


def _is_stale() -> bool:
    """Return whether the context is an earlier request's.

    A server that waited for the rest of that one's body reads on in its context, and begins the
    connection's next request there (cpython issue 140947).
    """
    span = trace.get_current_span()
    return isinstance(span, ReadableSpan) and span.end_time is not None


def _classes() -> list[type]:
    from starlette.applications import Starlette

    applications: list[type] = [Starlette]
    try:
        from fastapi import FastAPI
    except ImportError:
        pass
    else:
        applications.append(FastAPI)
    # Upstream's instrumentation puts a subclass in Starlette's place; FastAPI has the original.
    owners = [
        next(base for base in application.__mro__ if _METHOD in vars(base))
        for application in applications
    ]
    return list(dict.fromkeys(owners))


class RequestContextInstrumentor(BaseInstrumentor):
    """Request and correlation ids for every application, without a line in it."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("starlette >= 0.40",)

    def _instrument(self, **kwargs: Any) -> None:
        self._originals = {cls: vars(cls)[_METHOD] for cls in _classes()}
        for cls, original in self._originals.items():
            setattr(cls, _METHOD, _around(original))

    def _uninstrument(self, **kwargs: Any) -> None:
        for cls, original in self._originals.items():
            setattr(cls, _METHOD, original)
