"""What the bodies of all endpoints have in common."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from backend.notifications.contacts import EXPECTED, Channel, Contact

USER_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,63}$"
UserId = Annotated[str, Field(pattern=USER_ID_PATTERN)]


class In(BaseModel):
    """A body that is sent to us."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, hide_input_in_errors=True
    )


class Out(BaseModel):
    """A body that we send. Our code fills it by the names of the fields."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


# JSON has no enumerations; strict mode would take none of its texts.
ChannelIn = Annotated[Channel, Field(strict=False)]


def check_address(channel: Channel, to: str) -> Contact:
    """Return the contact. Raises PydanticCustomError if it is none of the channel."""
    contact = Contact(channel=channel, to=to)
    if not contact.is_valid:
        raise PydanticCustomError(
            "address_invalid", "to must be {expected}", {"expected": EXPECTED[channel]}
        )
    return contact


class NotifyIn(In):
    """Whom to tell of the end: a channel, and an address on it. Stored encrypted until then."""

    channel: ChannelIn
    to: Annotated[str, Field(min_length=1, max_length=512)]

    @model_validator(mode="after")
    def _check_address(self) -> "NotifyIn":
        self.contact()
        return self

    def contact(self) -> Contact:
        return check_address(self.channel, self.to)


def contact_of(notify: NotifyIn | None) -> Contact | None:
    return notify.contact() if notify else None


def plain(data: dict[str, Any]) -> dict[str, str]:
    """Return the values as text."""
    return {name: str(value) for name, value in data.items()}
