"""E-mail over SMTP, with STARTTLS and login where configured."""

import asyncio
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Final

import aiosmtplib
import httpx
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from pydantic import SecretStr

from backend.notifications.channels.base import (
    CHANNELS,
    TIMEOUT_S,
    Channel,
    DeliveryError,
    PermanentDeliveryError,
    TransientDeliveryError,
)
from backend.notifications.templates import RenderedMessage
from backend.platform.settings import WorkerSettings

_PERMANENT_FROM: Final = 500
# RFC 5321 mailboxes without quoting and address literals.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}",
    re.ASCII,
)

_tracer = trace.get_tracer("backend")


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail goes. Without ``starttls`` and ``username``: as is, without login."""

    host: str
    port: int
    sender: str
    starttls: bool
    username: str | None
    password: SecretStr | None
    ca_file: Path | None = None


class Email:
    """The channel ``email``. Its Message-ID is made from the notification's id.

    A repeat has the same Message-ID, by which mail systems recognise it.
    """

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._domain = parseaddr(server.sender)[1].rpartition("@")[2]
        self._tls = ssl.create_default_context(cafile=server.ca_file) if server.starttls else None

    async def send(self, identifier: str, to: str, rendered: RenderedMessage) -> str:
        message_id = f"<{identifier}@{self._domain}>"
        server = self._server
        # No address on it, and no text.
        attributes = {
            "server.address": server.host,
            "server.port": server.port,
            "network.protocol.name": "smtp",
        }
        with _tracer.start_as_current_span(
            "send email", kind=SpanKind.CLIENT, attributes=attributes, record_exception=False
        ) as span:
            try:
                await self._hand_over(self._message(message_id, to, rendered))
            except DeliveryError as error:
                span.set_attribute("error.type", error.kind)
                span.set_status(Status(StatusCode.ERROR, error.kind))
                raise
        return message_id

    def _message(self, message_id: str, to: str, rendered: RenderedMessage) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._server.sender
        message["To"] = to
        message["Subject"] = rendered.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = message_id
        message.set_content(rendered.body)
        return message

    async def _hand_over(self, message: EmailMessage) -> None:
        server = self._server
        password = server.password.get_secret_value() if server.password else None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await aiosmtplib.send(
                    message,
                    hostname=server.host,
                    port=server.port,
                    username=server.username,
                    password=password,
                    # Not opportunistic: what is configured is what is done.
                    start_tls=server.starttls,
                    tls_context=self._tls,
                    timeout=TIMEOUT_S,
                )
        # Without their cause: a server's answer may repeat the address.
        except aiosmtplib.SMTPAuthenticationError:
            # Not the message's fault, and soon fixed by who sees it.
            raise TransientDeliveryError("login_refused") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _by_code(max(one.code for one in error.recipients)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _by_code(error.code) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            kind = "timeout" if isinstance(error, TimeoutError) else "mail_server_unreachable"
            raise TransientDeliveryError(kind) from None


def _by_code(code: int) -> DeliveryError:
    """Return the error of an SMTP reply code (RFC 5321, 4.2.1)."""
    if code >= _PERMANENT_FROM:
        return PermanentDeliveryError("rejected")
    return TransientDeliveryError("mail_server_busy")


def _make_sender(settings: WorkerSettings, _: httpx.AsyncClient) -> Email | None:
    if settings.smtp_host is None or settings.smtp_from is None:
        return None
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        starttls=settings.smtp_starttls,
        username=settings.smtp_username,
        password=settings.smtp_password(),
        ca_file=settings.smtp_ca_file,
    )
    return Email(server)


CHANNELS.register(
    "email",
    Channel(
        address=_ADDRESS, expected="an e-mail address", max_length=254, make_sender=_make_sender
    ),
)
