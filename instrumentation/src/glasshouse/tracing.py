"""Spans for a service's own steps, between the request and the database."""

import functools
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import Status, StatusCode

_tracer: Final = trace.get_tracer("glasshouse")

Given = ParamSpec("Given")
Result = TypeVar("Result")


def traced(step: Callable[Given, Awaitable[Result]]) -> Callable[Given, Awaitable[Result]]:
    """Make a span of each call of a coroutine function, named after it.

    @traced
    async def create(self, new: NewPayment) -> Payment: ...    # span "Payments.create"

    No argument and no result gets into the span, and of an exception only its class.
    """
    name = step.__qualname__

    @functools.wraps(step)
    async def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        with _tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                return await step(*args, **kwargs)
            except Exception as error:
                kind = type(error).__qualname__
                span.set_attribute(ERROR_TYPE, kind)
                span.set_status(Status(StatusCode.ERROR, kind))
                raise

    return run
