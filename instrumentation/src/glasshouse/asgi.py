"""ASGI middleware: every request gets its ids, and a stranger's a trace of its own."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan

from glasshouse import edge
from glasshouse.context import (
    CORRELATION_ID_ATTRIBUTE,
    CORRELATION_ID_HEADER,
    REQUEST_ID_ATTRIBUTE,
    REQUEST_ID_HEADER,
    Ids,
    attributes_of,
    current_ids,
    ids_of_request,
    with_ids,
)
from glasshouse.runtime_context import attach, detach

# ASGI's own types are shapeless dictionaries.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_REQUESTS: Final = ("http", "websocket")
_REQUEST_ID: Final = REQUEST_ID_HEADER.lower().encode()
_CORRELATION_ID: Final = CORRELATION_ID_HEADER.lower().encode()
_OURS: Final = (_REQUEST_ID, _CORRELATION_ID)
_LENGTHS: Final = frozenset(map(len, _OURS))
# The messages that carry a response's headers.
ANSWERS: Final = (
    "http.response.start",
    "websocket.accept",
    "websocket.http.response.start",
)


class EdgeMiddleware:
    """Take over trace context and baggage from trusted callers only.

    ``trusts`` gets the scope of a request and says whether its caller is trusted. The request of
    any other is the root of a trace of its own, with a link to the span that its ``traceparent``
    names: he decides neither whether nor in which trace it is recorded.

    The outermost of all, around the application itself: what records a request reads its headers
    before any middleware of the application runs. Nothing that an earlier request on the same
    connection has left behind reaches the application.
    """

    def __init__(self, app: ASGIApp, trusts: Callable[[Scope], bool]) -> None:
        self.app = app
        self.trusts = trusts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in _REQUESTS:
            await self.app(scope, receive, send)
            return
        token = attach(edge.with_trust(self.trusts(scope), Context()))
        try:
            await self.app(scope, receive, send)
        finally:
            detach(token)


class RequestContextMiddleware:
    """Take or make the request and correlation ids; return them with the response.

    A valid ``X-Request-ID`` or ``X-Correlation-ID`` that comes in is kept, anything else is
    replaced by a fresh id (and never logged). Without a correlation id the request id
    serves as one. A websocket's ids hold for the whole connection and are returned when it is
    accepted. Nesting the middleware is harmless: the outermost decides.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in _REQUESTS:
            await self.app(scope, receive, send)
            return
        headers = scope.get("headers") or ()
        present = current_ids()
        ids = ids_of_request(
            _header(headers, REQUEST_ID_HEADER), _header(headers, CORRELATION_ID_HEADER), present
        )

        async def send_with_ids(message: Message) -> None:
            if message["type"] in ANSWERS:
                message["headers"] = with_id_headers(message.get("headers") or (), ids)
            await send(message)

        span = trace.get_current_span()
        if ids == present and _is_stamped(span, ids):
            # Whatever records the request has done the rest.
            await self.app(scope, receive, send_with_ids)
            return
        token = attach(with_ids(ids))
        try:
            # Where nothing has read the headers for it, the server span is older than its ids.
            span.set_attributes(attributes_of())
            await self.app(scope, receive, send_with_ids)
        finally:
            detach(token)


def _is_stamped(span: trace.Span, ids: Ids) -> bool:
    """Return whether a span is known to have the ids already, or takes none."""
    if span is trace.INVALID_SPAN:
        return True
    if not isinstance(span, ReadableSpan):
        return False
    held: Any = getattr(span, "_attributes", None)
    if not held:
        return False
    request, correlation = held.get(REQUEST_ID_ATTRIBUTE), held.get(CORRELATION_ID_ATTRIBUTE)
    return bool(request == ids.request and correlation == ids.correlation)


def _header(headers: Iterable[tuple[bytes, bytes]], name: str) -> str:
    wanted = name.lower().encode()
    for key, value in headers:
        if key.lower() == wanted:
            return value.decode("latin-1")
    return ""


def with_id_headers(headers: Iterable[tuple[bytes, bytes]], ids: Ids) -> list[tuple[bytes, bytes]]:
    """Return a response's headers with the ids, in place of those that are there."""
    kept = list(headers)
    for pair in kept:
        if len(pair[0]) in _LENGTHS and pair[0].lower() in _OURS:
            kept = [one for one in kept if one[0].lower() not in _OURS]
            break
    request, correlation = ids
    value = request.encode()
    kept.append((_REQUEST_ID, value))
    # As a rule both are the same.
    kept.append((_CORRELATION_ID, value if correlation is request else correlation.encode()))
    return kept
