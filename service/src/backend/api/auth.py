"""The internal bearer token, which guards what tells more than whether the service lives."""

import hmac
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr
from starlette.requests import Request

_CHALLENGE: Final = 'Bearer realm="internal"'
_SCHEME: Final = HTTPBearer(
    scheme_name="internalToken",
    description="The token of INTERNAL_TOKEN_FILE",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]


def token_check(token: SecretStr) -> Callable[[str], bool]:
    """Return a function that compares with ``token`` in constant time."""
    expected = token.get_secret_value().encode()
    # Bytes: the comparison of texts refuses characters outside of ASCII.
    return lambda given: hmac.compare_digest(given.encode(), expected)


async def is_internal(request: Request, credentials: Credentials) -> bool:
    """Tell whether the request carries the internal token."""
    accepts: Callable[[str], bool] = request.app.state.accepts_token
    return credentials is not None and accepts(credentials.credentials)


async def require_internal(request: Request, credentials: Credentials) -> None:
    """Answer 401 to a request without the internal token (RFC 6750)."""
    if await is_internal(request, credentials):
        return
    # Only a token that was sent can be an invalid one.
    challenge = _CHALLENGE if credentials is None else f'{_CHALLENGE}, error="invalid_token"'
    raise HTTPException(401, "This needs the internal token.", {"WWW-Authenticate": challenge})


Internal = Annotated[bool, Depends(is_internal)]
