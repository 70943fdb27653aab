"""What a channel is.

DeliveryError
├── TransientDeliveryError   try again later
└── PermanentDeliveryError   the same message fails again
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from backend.notifications.templates import RenderedMessage
from backend.platform.registry import Registry
from backend.platform.settings import WorkerSettings

TIMEOUT_S: Final = 10.0


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
    """Sends the messages of one channel."""

    async def send(self, identifier: str, to: str, rendered: RenderedMessage) -> str:
        """Hand the message over; return the id it has at the other side.

        Sent twice under one ``identifier``, the notification's id, it is one message, where the
        other side can recognise it.

        Raises:
            DeliveryError: it was not taken, or nobody knows.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One way to reach a person.

    ``address`` matches a whole address, which has at most ``max_length`` characters where that is
    given; ``expected`` completes "to must be …". ``make_sender`` returns ``None`` where the channel
    is not configured.
    """

    address: re.Pattern[str]
    expected: str
    make_sender: Callable[[WorkerSettings, httpx.AsyncClient], Sender | None]
    max_length: int | None = None

    def accepts(self, to: str) -> bool:
        """Whether ``to`` is an address of the channel."""
        too_long = self.max_length is not None and len(to) > self.max_length
        return not too_long and self.address.fullmatch(to) is not None


CHANNELS: Final = Registry[Channel]("channel", "backend.notifications.channels")
