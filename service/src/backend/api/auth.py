"""Who may ask what: scopes of callers, and the internal token.

That a key is known is seen to by `gate`, for every path that is not open. Here each endpoint says
what its caller must be allowed to do.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from backend.api.dependencies import Provided
from backend.api.gate import CALLER_REALM, PAGE_PATH
from backend.platform.callers import Caller, Scope

_CHALLENGE: Final = 'Bearer realm="internal"'
_LOGIN: Final = 'Basic realm="the internal token is the password", charset="UTF-8"'
_SCHEME: Final = HTTPBearer(
    scheme_name="internalToken",
    description="The token of INTERNAL_TOKEN_FILE, on the public port",
    auto_error=False,
)
_CALLER_SCHEME: Final = HTTPBearer(
    scheme_name="callerKey",
    description="The key of a caller in API_CALLERS_FILE",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]
_CallerCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_CALLER_SCHEME)]


async def is_internal(request: Request, services: Provided, credentials: Credentials) -> bool:
    """Return whether the request carries the internal token, or came by the internal port."""
    return services.gate.is_internal(request.scope)


Internal = Annotated[bool, Depends(is_internal)]


async def require_internal(request: Request, internal: Internal, credentials: Credentials) -> None:
    """Answer 401 to a request without the internal token (RFC 6750)."""
    if internal:
        return
    # Only a token that was sent can be an invalid one.
    challenge = _CHALLENGE if credentials is None else f'{_CHALLENGE}, error="invalid_token"'
    if request.url.path == PAGE_PATH and "text/html" in request.headers.get("accept", ""):
        # Makes a browser ask. First: some read no further than the first challenge.
        challenge = f"{_LOGIN}, {challenge}"
    raise HTTPException(401, "This needs the internal token.", {"WWW-Authenticate": challenge})


def allowed(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency: the caller, who must have ``scope`` (403)."""

    async def caller(
        request: Request, services: Provided, credentials: _CallerCredentials
    ) -> Caller:
        found = services.gate.caller_of(request.scope)
        if found is None:
            # The gate lets nobody through without a key; this is for the path that it forgot.
            raise HTTPException(401, headers={"WWW-Authenticate": CALLER_REALM})
        if scope not in found.scopes:
            challenge = f'{CALLER_REALM}, error="insufficient_scope", scope="{scope}"'
            detail = f"This caller may not do this: it lacks the scope {scope}."
            raise HTTPException(403, detail, {"WWW-Authenticate": challenge})
        return found

    return caller


PaymentWriter = Annotated[Caller, Depends(allowed(Scope.PAYMENTS_WRITE))]
PaymentReader = Annotated[Caller, Depends(allowed(Scope.PAYMENTS_READ))]
RunWriter = Annotated[Caller, Depends(allowed(Scope.AUTOMATION_WRITE))]
RunReader = Annotated[Caller, Depends(allowed(Scope.AUTOMATION_READ))]
NotificationWriter = Annotated[Caller, Depends(allowed(Scope.NOTIFICATIONS_WRITE))]
NotificationReader = Annotated[Caller, Depends(allowed(Scope.NOTIFICATIONS_READ))]
ContactWriter = Annotated[Caller, Depends(allowed(Scope.CONTACTS_WRITE))]
