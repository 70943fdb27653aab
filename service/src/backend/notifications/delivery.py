"""Delivers one notification. Safe to repeat: after a crash, or twice at once."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backend.notifications.channels.base import (
    CHANNELS,
    DeliveryError,
    PermanentDeliveryError,
    Sender,
)
from backend.notifications.store import NotificationId, Notifications, OutgoingMessage
from backend.notifications.templates import templates
from backend.platform.encryption import DecryptionError
from glasshouse import traced

_logger: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What delivering needs. A channel that is not in ``senders`` is not configured."""

    notifications: Notifications
    senders: Mapping[str, Sender]

    @traced
    async def deliver(self, identifier: NotificationId, *, last_attempt: bool) -> None:
        """Bring the notification to delivered, or on the last attempt to failed.

        Raises:
            TransientDeliveryError: not now; try again. Never on the last attempt.
            DecryptionError: it was encrypted under another key.
            LookupError: there is no such notification, or nothing is registered as its channel.
        """
        try:
            message = await self.notifications.outgoing(identifier)
            if message is None:
                return
            message_id = await self._send(message)
        except DeliveryError as error:
            extra = {"error.type": error.kind, "is_last_attempt": last_attempt}
            _logger.debug("Message not taken", extra=extra)
            if not last_attempt and not isinstance(error, PermanentDeliveryError):
                raise
            await self.notifications.mark_failed(identifier, error.kind)
        except DecryptionError:
            # The right key may come back; what is encrypted would be lost with a failure.
            if last_attempt:
                await self.notifications.mark_failed(identifier, DecryptionError.__qualname__)
            raise
        except (LookupError, ValueError, TypeError) as error:
            # A fault of ours, which a repeat would meet again.
            await self.notifications.mark_failed(identifier, type(error).__qualname__)
            raise
        else:
            _logger.debug("Message taken", extra={"providerMessageId": message_id})
            await self.notifications.mark_delivered(identifier, message_id)

    async def _send(self, message: OutgoingMessage) -> str:
        notification = message.notification
        sender = self.senders.get(notification.channel)
        if sender is None:
            CHANNELS.require(notification.channel)
            raise PermanentDeliveryError("channel_not_configured")
        rendered = templates()[notification.template].render(message.data)
        return await sender.send(notification.id, message.to, rendered)
