"""Delivers one notification. Safe to repeat: after a crash, or twice at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.notifications.channels import DeliveryError, PermanentDeliveryError, Sender
from backend.notifications.contacts import Channel
from backend.notifications.store import Letter, NotificationId, Notifications
from backend.notifications.templates import templates
from backend.platform.encryption import UnsealError
from glasshouse import traced


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What delivering needs. A channel that is not in ``senders`` is not configured."""

    notifications: Notifications
    senders: Mapping[Channel, Sender]

    @traced
    async def deliver(self, identifier: NotificationId, *, last_attempt: bool) -> None:
        """Bring the notification to delivered, or on the last attempt to failed.

        Raises:
            TransientDeliveryError: not now; try again. Never on the last attempt.
            UnsealError: another key sealed it.
            LookupError: there is no such notification.
        """
        try:
            letter = await self.notifications.letter(identifier)
            if letter is None:
                return
            message_id = await self._send(letter)
        except DeliveryError as error:
            if not last_attempt and not isinstance(error, PermanentDeliveryError):
                raise
            await self.notifications.failed(identifier, error.kind)
        except UnsealError:
            # The right key may come back; what is sealed would be lost with a failure.
            if last_attempt:
                await self.notifications.failed(identifier, UnsealError.__qualname__)
            raise
        except (LookupError, ValueError, TypeError) as error:
            # A fault of ours, which a repeat would meet again.
            await self.notifications.failed(identifier, type(error).__qualname__)
            raise
        else:
            await self.notifications.delivered(identifier, message_id)

    async def _send(self, letter: Letter) -> str:
        notification = letter.notification
        sender = self.senders.get(notification.channel)
        if sender is None:
            raise PermanentDeliveryError("channel_not_configured")
        text = templates()[notification.template].render(letter.data)
        return await sender.send(notification.id, letter.to, text)
