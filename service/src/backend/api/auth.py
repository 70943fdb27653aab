"""The internal bearer token, which guards every endpoint that shows more than health."""

import hmac
from typing import Annotated, Final

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from backend.api.dependencies import Provided

_CHALLENGE: Final = 'Bearer realm="internal"'
_SCHEME: Final = HTTPBearer(
    scheme_name="internalToken",
    description="The token of INTERNAL_TOKEN_FILE",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]


async def is_internal(services: Provided, credentials: Credentials) -> bool:
    """Return whether the request carries the internal token."""
    if credentials is None:
        return False
    expected = services.internal_token.get_secret_value().encode()
    # In constant time, and of bytes: the comparison of texts refuses characters outside of ASCII.
    return hmac.compare_digest(credentials.credentials.encode(), expected)


Internal = Annotated[bool, Depends(is_internal)]


async def require_internal(internal: Internal, credentials: Credentials) -> None:
    """Answer 401 to a request without the internal token (RFC 6750)."""
    if internal:
        return
    # Only a token that was sent can be an invalid one.
    challenge = _CHALLENGE if credentials is None else f'{_CHALLENGE}, error="invalid_token"'
    raise HTTPException(401, "This needs the internal token.", {"WWW-Authenticate": challenge})
