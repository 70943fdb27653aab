"""The ways out to people.

DeliveryError
├── TransientDeliveryError   try again later
└── PermanentDeliveryError   the same message fails again
"""

from typing import Protocol

from backend.notifications.store import NotificationId
from backend.notifications.templates import Text

TIMEOUT_S = 10.0


class DeliveryError(Exception):
    """A message was not taken. ``kind`` becomes ``error.type``; no text of the other side."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class TransientDeliveryError(DeliveryError):
    """It may be taken later."""


class PermanentDeliveryError(DeliveryError):
    """It will never be taken."""


class Sender(Protocol):
    """One channel."""

    async def send(self, identifier: NotificationId, to: str, text: Text) -> str:
        """Hand the message over; return the id it has at the other side.

        Sent twice under one ``identifier`` it is one message, where the other side can tell.

        Raises:
            DeliveryError: it was not taken, or nobody knows.
        """
        ...
