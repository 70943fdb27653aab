"""Instruments Django when it builds its middleware, not before.

Upstream's instrumentation reads the settings at once. Python has only just started then: the
settings are named later, by `manage.py` or `wsgi.py`, or cannot be imported yet, and upstream
would configure empty ones that the application cannot replace.

Its middleware has ended when Django logs a refused request, so the ids are around the handler.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from wrapt import wrap_function_wrapper

from glasshouse.context import (
    CORRELATION_ID_HEADER,
    REQUEST_ID_HEADER,
    current_ids,
    ids_of_request,
    with_ids,
)
from glasshouse.response_ids import IdsResponsePropagator

_HANDLERS: Final = "django.core.handlers.base"
_logger: Final = logging.getLogger("glasshouse")


def when_middleware_loads(instrumentor: BaseInstrumentor, **options: Any) -> None:
    """Instrument before the first handler of this process reads `MIDDLEWARE`."""

    def load(wrapped: Callable[..., Any], _handler: object, args: Any, kwargs: Any) -> Any:
        if not instrumentor.is_instrumented_by_opentelemetry:
            try:
                instrumentor.instrument(**options)  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped
            except Exception:  # the application starts without telemetry, not at all
                _logger.warning("Django is not instrumented", exc_info=True)
        return wrapped(*args, **kwargs)

    wrap_function_wrapper(_HANDLERS, "BaseHandler.load_middleware", load)
    wrap_function_wrapper(_HANDLERS, "BaseHandler.get_response", _answer)
    wrap_function_wrapper(_HANDLERS, "BaseHandler.get_response_async", _answer_async)


@contextlib.contextmanager
def _ids_of(request: Any) -> Generator[None]:
    headers = getattr(request, "headers", {})  # since Django 2.2
    ids = ids_of_request(
        headers.get(REQUEST_ID_HEADER, ""), headers.get(CORRELATION_ID_HEADER, ""), current_ids()
    )
    token = otel_context.attach(with_ids(ids))
    try:
        yield
    finally:
        otel_context.detach(token)


def _answer(wrapped: Callable[..., Any], _handler: object, args: Any, kwargs: Any) -> Any:
    with _ids_of(args[0] if args else kwargs["request"]):
        response = wrapped(*args, **kwargs)
        IdsResponsePropagator().inject(response)
        return response


async def _answer_async(
    wrapped: Callable[..., Awaitable[Any]], _handler: object, args: Any, kwargs: Any
) -> Any:
    with _ids_of(args[0] if args else kwargs["request"]):
        response = await wrapped(*args, **kwargs)
        IdsResponsePropagator().inject(response)
        return response
