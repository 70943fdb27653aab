"""How a person is reached: a channel, and an address on it."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Final

from backend.telemetry.known_values import NotificationChannel as Channel

EMAIL_MAX: Final = 254

# E-mail: RFC 5321 mailboxes without quoting and address literals. SMS: E.164. Push: a device
# token.
ADDRESS: Final = {
    Channel.EMAIL: re.compile(
        r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
        r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}",
        re.ASCII,
    ),
    Channel.SMS: re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII),
    Channel.PUSH: re.compile(r"[A-Za-z0-9_:.-]{8,512}", re.ASCII),
}
EXPECTED: Final = {
    Channel.EMAIL: "an e-mail address",
    Channel.SMS: "a number such as +493012345678",
    Channel.PUSH: "a device token of 8 to 512 characters",
}


@dataclass(frozen=True, kw_only=True)
class Contact:
    """One way to reach somebody. ``to`` is personal data: it is stored sealed, never logged."""

    channel: Channel
    to: str

    def __repr__(self) -> str:
        return f"Contact(channel={self.channel.value!r}, to=…)"

    @property
    def is_valid(self) -> bool:
        """Whether ``to`` is an address of the channel."""
        too_long = self.channel is Channel.EMAIL and len(self.to) > EMAIL_MAX
        return not too_long and ADDRESS[self.channel].fullmatch(self.to) is not None

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "Contact":
        return cls(channel=Channel(fields["channel"]), to=fields["to"])
