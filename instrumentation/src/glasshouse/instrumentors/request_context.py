"""Puts `RequestContextMiddleware` around every Starlette or FastAPI application.

Their own telemetry writes nothing into a response, and reads no headers where tracing is off.
"""

from collections.abc import Callable, Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.instrumentation.utils import unwrap
from wrapt import wrap_function_wrapper

from glasshouse.asgi import ASGIApp, RequestContextMiddleware

_METHOD = "build_middleware_stack"


def _outermost(build: Callable[..., ASGIApp], _instance: object, args: Any, kwargs: Any) -> ASGIApp:
    return RequestContextMiddleware(build(*args, **kwargs))


def _classes() -> list[type]:
    from starlette.applications import Starlette

    applications: list[type] = [Starlette]
    try:
        from fastapi import FastAPI
    except ImportError:
        pass
    else:
        # FastAPI builds its stack itself instead of asking its base class.
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
        for cls in _classes():
            wrap_function_wrapper(cls, _METHOD, _outermost)

    def _uninstrument(self, **kwargs: Any) -> None:
        for cls in _classes():
            unwrap(cls, _METHOD)
