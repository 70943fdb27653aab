"""The gate: what is answered before any endpoint sees a request.

On the public port a request has to be meant for one of our hosts (421), within its limit (429), and
of a known caller (401). On the internal port there is no caller and no limit, and no other path
than the internal ones (404).
"""

import base64
import binascii
import hmac
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.api.limits import Buckets, address_key
from backend.api.problems import problem
from backend.platform.callers import Caller, Callers
from glasshouse.keyring import KeyFile

INTERNAL_PATHS: Final = frozenset({"/jobs/status", "/metrics", "/readyz"})
# The one of them that people open in a browser, which can only ask for a name and a password.
PAGE_PATH: Final = "/jobs/status"
HEALTH_PATHS: Final = frozenset({"/healthz", "/livez"})
OPEN_PATHS: Final = frozenset({"/openapi.json"})
CALLER_REALM: Final = 'Bearer realm="api"'
_CALLER: Final = "backend.caller"
_MAX_RETRY_AFTER_S: Final = 3600


class AllowedHosts:
    """Names of hosts without ports: exact, ``*.suffix`` for all below one, or ``*`` for all."""

    def __init__(self, names: Iterable[str]) -> None:
        known = {name.strip().lower() for name in names if name.strip()}
        self._all = "*" in known
        self._exact = frozenset(known)
        self._suffixes = tuple(name[1:] for name in known if name.startswith("*."))

    def allow(self, authority: str) -> bool:
        """Return whether the value of a Host header names one of them."""
        host = authority.strip().lower()
        if not host.endswith("]"):
            before, colon, port = host.rpartition(":")
            if colon and (port.isdecimal() or not port):
                host = before
        return self._all or host in self._exact or host.endswith(self._suffixes)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Who may pass. Rates of strangers are requests a second of one address."""

    callers: Callers
    internal_tokens: KeyFile
    internal_port: int | None
    hosts: AllowedHosts
    buckets: Buckets
    stranger_rate: float
    stranger_burst: int

    def caller_of(self, scope: Scope) -> Caller | None:
        """Return who makes the request; ``None``: a stranger."""
        if _CALLER not in scope:
            key = bearer(scope)
            scope[_CALLER] = None if key is None else self.callers.find(key)
        return scope[_CALLER]

    def trusts(self, scope: Scope) -> bool:
        """Return whether the trace context of a request is taken over."""
        if self.is_on_internal_port(scope):
            return True
        caller = self.caller_of(scope)
        return caller is not None and caller.trusted

    def is_on_internal_port(self, scope: Scope) -> bool:
        """Return whether a request came in on the internal port, whatever its headers say."""
        server = scope.get("server")
        return self.internal_port is not None and bool(server) and server[1] == self.internal_port

    def is_internal(self, scope: Scope) -> bool:
        """Return whether a request may see more than health."""
        return self.is_on_internal_port(scope) or self._has_token(scope)

    def _has_token(self, scope: Scope) -> bool:
        token = bearer(scope)
        if token is None and scope["path"] == PAGE_PATH:
            token = _password(scope)
        # In constant time, and of bytes: the comparison of texts refuses characters outside of
        # ASCII.
        if token is None:
            return False
        # All of them, so that the time says nothing of which one it was.
        raw, known = token.encode(), self.internal_tokens.keys
        return sum(hmac.compare_digest(raw, one.encode()) for one in known) > 0

    async def refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that may not pass."""
        path = scope["path"]
        if self.is_on_internal_port(scope):
            return None if path in INTERNAL_PATHS | HEALTH_PATHS else problem(404)
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if not hosts or not all(self.hosts.allow(host.decode("latin-1")) for host in hosts):
            detail = "This host is not one of ours. ALLOWED_HOSTS lists them."
            return problem(421, kind="host-unknown", title="Unknown host", detail=detail)
        if path in HEALTH_PATHS and bearer(scope) is None:
            return None
        if path in INTERNAL_PATHS | HEALTH_PATHS:
            return None if self._has_token(scope) else await self._over_limit(scope, None)
        caller = self.caller_of(scope)
        refused = await self._over_limit(scope, caller)
        if refused is None and caller is None and path not in OPEN_PATHS:
            return _unauthorized(scope)
        return refused

    async def _over_limit(self, scope: Scope, caller: Caller | None) -> Response | None:
        if caller is None:
            client = scope.get("client")
            key = address_key(client[0] if client else "")
            wait = await self.buckets.take(key, self.stranger_rate, self.stranger_burst)
        else:
            wait = await self.buckets.take(f"caller:{caller.name}", caller.rate, caller.burst)
        if not wait:
            return None
        seconds = min(_MAX_RETRY_AFTER_S, math.ceil(wait))
        return problem(
            429,
            kind="rate-limited",
            title="Too many requests",
            detail="More requests than the limit of this caller or address. Wait and try again.",
            headers={"Retry-After": str(seconds)},
        )


def bearer(scope: Scope) -> str | None:
    """Return the token of the Authorization header, if it is a bearer's."""
    return _credentials(scope, "bearer")


def _credentials(scope: Scope, wanted: str) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, credentials = value.decode("latin-1").partition(" ")
            return credentials.strip() or None if scheme.lower() == wanted else None
    return None


def _password(scope: Scope) -> str | None:
    """Return the password of basic authentication (RFC 7617), whatever the name."""
    try:
        pair = base64.b64decode(_credentials(scope, "basic") or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return pair.partition(":")[2] or None


def _unauthorized(scope: Scope) -> Response:
    # Only a key that was sent can be an invalid one (RFC 6750).
    invalid = "" if bearer(scope) is None else ', error="invalid_token"'
    return problem(
        401,
        detail="This needs the key of a caller: Authorization: Bearer <key>.",
        headers={"WWW-Authenticate": CALLER_REALM + invalid},
    )


class GateMiddleware:
    """Answers what `Gate` refuses."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = await self.gate.refusal(scope) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive, send)
