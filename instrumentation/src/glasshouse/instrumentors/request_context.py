"""Puts `RequestContextMiddleware` around every Starlette or FastAPI application.

Their own telemetry writes nothing into a response, and reads no headers where tracing is off.
FastAPI's is replaced by `glasshouse.instrumentors.fastapi_requests`, which does both at once.
Around the application, not into its stack of middlewares: upstream's instrumentation of FastAPI
takes that stack apart, and leaves an application alone whose outermost part is not FastAPI's.
"""

import functools
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace.propagation import _SPAN_KEY  # pyright: ignore[reportPrivateUsage]

from glasshouse.asgi import Receive, RequestContextMiddleware, Scope, Send
from glasshouse.instrumentors.fastapi_known import telemetry_module
from glasshouse.instrumentors.fastapi_requests import FastAPIRequests
from glasshouse.runtime_context import attach, detach, get_current

_METHOD: Final = "__call__"
# In the scope: an application around this one has the ids, such as FastAPI's base class.
_DONE: Final = "glasshouse.request_context"


def _around(
    application: Callable[..., Awaitable[None]], recorded: FastAPIRequests | None = None
) -> Callable[..., Awaitable[None]]:
    # A plain coroutine function: servers distinguish by it which version of ASGI they speak.
    @functools.wraps(application)
    async def call(self: object, scope: Scope, receive: Receive, send: Send) -> None:
        if _DONE in scope:
            await application(self, scope, receive, send)
            return
        scope[_DONE] = True
        token = attach(Context()) if _is_stale() else None
        try:
            if recorded is not None and scope["type"] == "http":
                recorder = recorded.recorder_of(self, scope)
                if recorder is not None:
                    await recorder.serve(self, scope, receive, send)
                    return
            inner = functools.partial(application, self)
            await RequestContextMiddleware(inner)(scope, receive, send)
        finally:
            if token is not None:
                detach(token)

    return call


def _is_stale() -> bool:
    """Return whether the context is an earlier request's.

    A server that waited for the rest of that one's body reads on in its context, and begins the
    connection's next request there (cpython issue 140947).
    """
    span = get_current().get(_SPAN_KEY)
    return isinstance(span, ReadableSpan) and span.end_time is not None


def _starlette() -> type:
    from starlette.applications import Starlette

    return Starlette


def _classes() -> list[type]:
    applications = [_starlette()]
    try:
        from fastapi import FastAPI
    except ImportError:
        pass
    else:
        applications.append(FastAPI)
    return list(dict.fromkeys(map(_owner, applications)))


def _owner(application: type) -> type:
    # Upstream's instrumentation puts a subclass in Starlette's place; FastAPI has the original.
    return next(base for base in application.__mro__ if _METHOD in vars(base))


class RequestContextInstrumentor(BaseInstrumentor):
    """Request and correlation ids for every application, without a line in it."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("starlette >= 0.40",)

    def _instrument(self, **kwargs: Any) -> None:
        telemetry = telemetry_module()
        self._originals = {cls: vars(cls)[_METHOD] for cls in _classes()}
        recorded = None
        if telemetry is not None:
            starlette = _owner(_starlette())
            recorded = FastAPIRequests(telemetry, starlette, self._originals[starlette])
        for cls, original in self._originals.items():
            is_fastapi = cls.__module__ == "fastapi.applications"
            setattr(cls, _METHOD, _around(original, recorded if is_fastapi else None))

    def _uninstrument(self, **kwargs: Any) -> None:
        for cls, original in self._originals.items():
            setattr(cls, _METHOD, original)
