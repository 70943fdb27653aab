"""Keeps a streamed body in the context of its request.

Flask and Django end a request before the server reads what a generator yields, and upstream's
instrumentations end the context with it.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context


class Carried:
    """An iterator that runs in the context that was current when it was made."""

    def __init__(self, inner: Iterable[Any]) -> None:
        self._inner = inner
        self._iterator: Iterator[Any] = iter(inner)
        self._context = otel_context.get_current()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        token = otel_context.attach(self._context)
        try:
            return next(self._iterator)
        finally:
            otel_context.detach(token)

    def close(self) -> None:
        """Close what is iterated over, if it can be."""
        token = otel_context.attach(self._context)
        try:
            for each in (self._iterator, self._inner):
                if (close := getattr(each, "close", None)) is not None:
                    close()
                    return
        finally:
            otel_context.detach(token)


def carried_async(inner: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Return what yields the same as ``inner``, which runs in the context that is current now."""
    return _yield_in(otel_context.get_current(), aiter(inner))


async def _yield_in(context: Context, iterator: AsyncIterator[Any]) -> AsyncIterator[Any]:
    while True:
        token = otel_context.attach(context)
        try:
            item = await anext(iterator)
        except StopAsyncIteration:
            return
        finally:
            otel_context.detach(token)
        yield item


def carry_flask(_application: object, response: Any, **_: Any) -> None:
    """Receive Flask's signal that a response is made, inside of its request."""
    # A file is handed to the server as it is.
    if response.is_streamed and not response.direct_passthrough:
        response.response = Carried(response.response)


def carry_django(_span: object, _request: object, response: Any) -> None:
    """As upstream's hook of Django, inside of the request."""
    if not getattr(response, "streaming", False) or getattr(response, "file_to_stream", None):
        return
    carry = carried_async if response.is_async else Carried
    response.streaming_content = carry(response.streaming_content)
