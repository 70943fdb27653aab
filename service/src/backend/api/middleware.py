"""ASGI middleware: security headers, body limit, and the answer to unhandled errors."""

import logging
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.problems import internal_error, problem, too_large
from backend.platform import error_tracking

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_logger = logging.getLogger(__name__)


class SecurityHeadersMiddleware:
    """Sets `SECURITY_HEADERS` on every response that does not bring its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BodyLimitMiddleware:
    """Answers 413 to a body of over ``max_bytes``.

    FastAPI's own ``max_body_size`` answers in plain text, not with a problem document.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self.max_bytes:
            await problem(413, detail=too_large(self.max_bytes))(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                # FastAPI lets this one pass while it reads a body.
                raise HTTPException(413, too_large(self.max_bytes))
            return message

        await self.app(scope, receive_limited, send)


class UnhandledErrorMiddleware:
    """Logs and reports an unhandled exception once, with the request's ids, and answers 500.

    Starlette's own handler stands outside of the middleware that knows the ids, and uvicorn
    logs what passes it by a second time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_noting_start)
        except Exception as error:
            error_tracking.capture(error)
            if started or scope["type"] != "http":
                raise
            _logger.exception("Unhandled error")
            await internal_error()(scope, receive, send)
