"""E-mail over SMTP, with STARTTLS and login where configured."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Final

import aiosmtplib
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from pydantic import SecretStr

from backend.notifications.channels import (
    TIMEOUT_S,
    DeliveryError,
    PermanentDeliveryError,
    TransientDeliveryError,
)
from backend.notifications.store import NotificationId
from backend.notifications.templates import Text

_PERMANENT_FROM: Final = 500

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

    async def send(self, identifier: NotificationId, to: str, text: Text) -> str:
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
                await self._hand_over(self._message(message_id, to, text))
            except DeliveryError as error:
                span.set_attribute("error.type", error.kind)
                span.set_status(Status(StatusCode.ERROR, error.kind))
                raise
        return message_id

    def _message(self, message_id: str, to: str, text: Text) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._server.sender
        message["To"] = to
        message["Subject"] = text.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = message_id
        message.set_content(text.body)
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
                    # Never by chance: what is configured is what is done.
                    start_tls=server.starttls,
                    tls_context=self._tls,
                    timeout=TIMEOUT_S,
                )
        # Without their cause: a server's answer may repeat the address.
        except aiosmtplib.SMTPAuthenticationError:
            # Not the message's fault, and soon mended by who sees it.
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
