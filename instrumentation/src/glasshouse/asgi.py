"""ASGI middleware that gives every request its ids."""

from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace

# ASGI's own types are shapeless dictionaries; Starlette's aliases are the usual names.
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasshouse.context import Ids, attributes_of, current_ids, is_valid_id, new_id, with_ids

REQUEST_ID_HEADER: Final = "X-Request-ID"
CORRELATION_ID_HEADER: Final = "X-Correlation-ID"


class RequestContextMiddleware:
    """Take or make the request and correlation ids; return them with the response.

    A valid ``X-Request-ID`` or ``X-Correlation-ID`` that comes in is kept, anything else is
    replaced by a fresh id (and never logged). Without a correlation id the request id
    serves as one. Nesting the middleware is harmless: the outermost decides.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or current_ids() is not None:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request = headers.get(REQUEST_ID_HEADER, "")
        if not is_valid_id(request):
            request = new_id()
        correlation = headers.get(CORRELATION_ID_HEADER, "")
        ids = Ids(request, correlation if is_valid_id(correlation) else request)

        async def send_with_ids(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                out[REQUEST_ID_HEADER] = ids.request
                out[CORRELATION_ID_HEADER] = ids.correlation
            await send(message)

        token = otel_context.attach(with_ids(ids))
        try:
            # The server span is older than this middleware, so on_start could not see the ids.
            trace.get_current_span().set_attributes(attributes_of())
            await self.app(scope, receive, send_with_ids)
        finally:
            otel_context.detach(token)
