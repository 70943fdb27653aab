"""Keeps the pages of a developer's browser out: nothing here asks for a credential."""

import ipaddress
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class NoPages:
    """Refuses what only a page of somebody else sends.

    A request for a name that can be registered answers 421: by such a name, made to lead to
    127.0.0.1, a page reads and writes here. One with a foreign Origin answers 403: "simple"
    requests need no permission.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no page's."""
        if scope["type"] == "http":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            host, origin = headers.get(b"host", ""), headers.get(b"origin")
            if not is_ours(host):
                detail = "Ask by address, by localhost, or by the container's name"
                await _refusal(421, detail)(scope, receive, send)
                return
            if origin is not None and urlsplit(origin).netloc != host:
                await _refusal(403, "Pages of others have no access")(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_ours(authority: str) -> bool:
    """Whether nobody can register the host's name: an address, or a name without a dot."""
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:  # half a bracket
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and "." not in host
    return True


def _refusal(status: int, detail: str) -> JSONResponse:
    content = {"type": "about:blank", "status": status, "detail": detail}
    return JSONResponse(content, status_code=status, media_type="application/problem+json")
