"""How a person is reached: a channel, and an address on it."""

from dataclasses import asdict, dataclass
from typing import Any

from backend.notifications.channels.base import CHANNELS


@dataclass(frozen=True, kw_only=True)
class Contact:
    """One way to reach somebody. ``to`` is personal data: it is stored encrypted, never logged.

    ``channel`` is a name in `CHANNELS`.
    """

    channel: str
    to: str

    def __repr__(self) -> str:
        return f"Contact(channel={self.channel!r}, to=…)"

    @property
    def is_valid(self) -> bool:
        """Whether ``to`` is an address of the channel."""
        return CHANNELS[self.channel].accepts(self.to)

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "Contact":
        return cls(channel=fields["channel"], to=fields["to"])
