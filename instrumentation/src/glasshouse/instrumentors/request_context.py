"""Puts `RequestContextMiddleware` around every Starlette or FastAPI application."""

from collections.abc import Callable, Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.instrumentation.utils import unwrap
from starlette.applications import Starlette
from starlette.types import ASGIApp
from wrapt import wrap_function_wrapper

from glasshouse.asgi import RequestContextMiddleware


def _outermost(
    build: Callable[..., ASGIApp], _instance: Starlette, args: Any, kwargs: Any
) -> ASGIApp:
    return RequestContextMiddleware(build(*args, **kwargs))


def _classes() -> list[type[Starlette]]:
    classes: list[type[Starlette]] = [Starlette]
    try:
        from fastapi import FastAPI
    except ImportError:
        return classes
    # FastAPI builds its stack itself instead of asking its base class.
    return [*classes, FastAPI]


class RequestContextInstrumentor(BaseInstrumentor):
    """Request and correlation ids for every application, without a line in it."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("starlette >= 0.40",)

    def _instrument(self, **kwargs: Any) -> None:
        for cls in _classes():
            wrap_function_wrapper(cls, "build_middleware_stack", _outermost)

    def _uninstrument(self, **kwargs: Any) -> None:
        for cls in _classes():
            unwrap(cls, "build_middleware_stack")
