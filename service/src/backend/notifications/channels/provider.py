"""SMS and push through an HTTP provider that takes signed requests."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import httpx
from pydantic import SecretStr

from backend.notifications.channels.base import (
    CHANNELS,
    TIMEOUT_S,
    Channel,
    PermanentDeliveryError,
    TransientDeliveryError,
)
from backend.notifications.templates import RenderedMessage
from backend.platform.settings import WorkerSettings
from glasshouse.keyring import KeyFile

# Those that may pass; every other client error is permanent.
_TRANSIENT_STATUSES: Final = frozenset({408, 425, 429})
_MAX_MESSAGE_ID: Final = 200


def signature(secret: SecretStr, moment: int, body: bytes) -> str:
    """Return the header ``X-Signature``: HMAC-SHA256 over ``<unix seconds>.<body>``."""
    signed = str(moment).encode() + b"." + body
    digest = hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


class Provider:
    """The channels ``sms`` and ``push``: ``POST <url>/<channel>``.

    The notification's id is the ``Idempotency-Key``: sent twice it is one message.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        channel: str,
        secrets: KeyFile,
        *,
        has_title: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}/{channel}"
        self._has_title = has_title
        self._secrets = secrets
        self._clock = clock

    async def send(self, identifier: str, to: str, rendered: RenderedMessage) -> str:
        fields = {"to": to, "text": rendered.body.strip()}
        if self._has_title:
            fields["title"] = rendered.subject
        body = json.dumps(fields).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": identifier,
            "X-Signature": signature(SecretStr(self._secrets.keys[0]), int(self._clock()), body),
        }
        try:
            response = await self._client.post(
                self._url, content=body, headers=headers, timeout=TIMEOUT_S
            )
        # Without their cause: it repeats the URL, which may hold a key.
        except httpx.TimeoutException:
            raise TransientDeliveryError("timeout") from None
        except httpx.HTTPError:
            raise TransientDeliveryError("provider_unreachable") from None
        return _message_id(response)


def _message_id(response: httpx.Response) -> str:
    if response.is_server_error or response.status_code in _TRANSIENT_STATUSES:
        raise TransientDeliveryError("provider_busy")
    if not response.is_success:
        raise PermanentDeliveryError("rejected")
    try:
        answer: Any = response.json()
    except ValueError:
        answer = None
    found = answer.get("messageId") if isinstance(answer, dict) else None
    if not isinstance(found, str) or not 0 < len(found) <= _MAX_MESSAGE_ID:
        raise TransientDeliveryError("provider_answer_unreadable")
    return found


def _make_sender(
    settings: WorkerSettings, client: httpx.AsyncClient, channel: str, *, has_title: bool
) -> Provider | None:
    if settings.provider_url is None:
        return None
    url, secrets = str(settings.provider_url), settings.provider_secrets()
    return Provider(client, url, channel, secrets, has_title=has_title)


CHANNELS.register(
    "sms",
    Channel(
        # E.164.
        address=re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII),
        expected="a number such as +493012345678",
        make_sender=partial(_make_sender, channel="sms", has_title=False),
    ),
)
CHANNELS.register(
    "push",
    Channel(
        address=re.compile(r"[A-Za-z0-9_:.-]{8,512}", re.ASCII),
        expected="a device token of 8 to 512 characters",
        make_sender=partial(_make_sender, channel="push", has_title=True),
    ),
)
