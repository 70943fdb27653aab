"""A mail server: SMTP on a port of its own, with STARTTLS and, where configured, login."""

import asyncio
import email
import email.policy
import hmac
import secrets
from email.message import EmailMessage
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from fastapi import APIRouter
from starlette.responses import PlainTextResponse

from glasshouse_fakes.certificate import create_certificate, server_context
from glasshouse_fakes.fake_service import FakeService
from glasshouse_fakes.faults import Mode

MAX_MESSAGE_BYTES: Final = 1024 * 1024
IDLE_S: Final = 60.0
# A mailbox that is busy: the client may try again.
DEFAULT_ERROR: Final = 451


class FakeSmtp(FakeService):
    """Keeps each message. With a username, mail is taken only after STARTTLS and login.

    ``port`` 0 lets the system choose; after `start` it is the chosen one.
    """

    name = "smtp"
    modes = frozenset({Mode.DOWN, Mode.SLOW, Mode.ERROR, Mode.LOST_REPLY})

    def __init__(
        self,
        seed: int,
        *,
        host: str = "127.0.0.1",
        port: int = 2525,
        username: str = "",
        password: str = "",
    ) -> None:
        super().__init__(seed)
        self.port = port
        self._host = host
        self._login = (username.encode(), password.encode())
        self._certificate = create_certificate("sandbox")
        self._tls = server_context(self._certificate)
        self._server: asyncio.Server | None = None

    @property
    def certificate(self) -> str:
        """The certificate to trust, as PEM."""
        return self._certificate.public

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.get("/smtp/certificate")
        async def certificate() -> PlainTextResponse:
            return PlainTextResponse(self.certificate)

        return router

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and end the connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _connection(self) -> asyncio.Protocol:
        if self.switch.should_fail(Mode.DOWN):
            return _HangUp()
        with_login = bool(self._login[0])
        return SMTP(
            _Handler(self),
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname="sandbox",
            ident="Glasshouse sandbox",
            tls_context=self._tls,
            timeout=IDLE_S,
            authenticator=self._authenticate,
            auth_required=with_login,
            auth_require_tls=True,
            auth_exclude_mechanism=[] if with_login else ["LOGIN", "PLAIN"],
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        # handled=False lets the library send the refusal.
        if not isinstance(data, LoginPassword) or not self._login[0]:
            return AuthResult(success=False, handled=False)
        right = [
            hmac.compare_digest(given, known)
            for given, known in zip((data.login, data.password), self._login, strict=True)
        ]
        return AuthResult(success=all(right), handled=False)


class _HangUp(asyncio.Protocol):
    """What is behind the port of a server that is down."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


class _Handler:
    """The library's hooks, called for each step of a session."""

    def __init__(self, service: FakeSmtp) -> None:
        self._service = service

    async def handle_EHLO(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Answer the greeting; a second one comes after STARTTLS."""
        session.host_name = hostname
        if (
            session.ssl is None
            and (fault := self._service.switch.should_fail(Mode.SLOW)) is not None
        ):
            await asyncio.sleep(fault.delay)
        return responses

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Answer one message after its last line."""
        switch = self._service.switch
        if (fault := switch.should_fail(Mode.SLOW)) is not None:
            await asyncio.sleep(fault.delay)
        if (fault := switch.should_fail(Mode.ERROR)) is not None:
            code = fault.status or DEFAULT_ERROR
            return f"{code} {code // 100}.0.0 Refused by the sandbox"
        identifier = secrets.token_hex(8)
        self._service.received.append(
            {
                "queueId": identifier,
                "from": envelope.mail_from,
                "to": list(envelope.rcpt_tos),
                "tls": session.ssl is not None,
                "authenticated": bool(session.authenticated),
                **_read(envelope.content),
            }
        )
        if switch.should_fail(Mode.LOST_REPLY) and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return f"250 2.0.0 Queued as {identifier}"


def _read(content: bytes | str | None) -> dict[str, Any]:
    raw = content if isinstance(content, bytes) else (content or "").encode()
    # Lines end as Python has them, not as the wire has them.
    raw = raw.replace(b"\r\n", b"\n")
    message = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
    body = message.get_body(preferencelist=("plain", "html"))
    return {
        "headers": {name.lower(): str(value) for name, value in message.items()},
        "subject": str(message.get("Subject", "")),
        "text": body.get_content() if body is not None else "",
    }
