"""SMS and push through an HTTP provider that takes signed requests."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
from pydantic import SecretStr

from backend.notifications.channels import TIMEOUT_S, PermanentDeliveryError, TransientDeliveryError
from backend.notifications.contacts import Channel
from backend.notifications.store import NotificationId
from backend.notifications.templates import Text

# Those that may pass; every other client error is for ever.
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
        channel: Channel,
        secret: SecretStr,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}/{channel}"
        self._channel = channel
        self._secret = secret
        self._clock = clock

    async def send(self, identifier: NotificationId, to: str, text: Text) -> str:
        fields = {"to": to, "text": text.body.strip()}
        if self._channel is Channel.PUSH:
            fields["title"] = text.subject
        body = json.dumps(fields).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": identifier,
            "X-Signature": signature(self._secret, int(self._clock()), body),
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
