"""What the bodies of all endpoints have in common."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from backend.notifications.channels.base import CHANNELS
from backend.notifications.contacts import Contact

USER_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,63}$"
UserId = Annotated[str, Field(pattern=USER_ID_PATTERN)]


class In(BaseModel):
    """A body that is sent to us."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, hide_input_in_errors=True
    )


@cache
def declared_names() -> frozenset[str]:
    """Return the names of all fields of all bodies that are sent to us."""
    return frozenset(
        field.alias or name for model in _below(In) for name, field in model.model_fields.items()
    )


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in model.__subclasses__():
        yield one
        yield from _below(one)


class Out(BaseModel):
    """A body that we send. Our code fills it by the names of the fields."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


def _known_channel(name: str) -> str:
    if name not in CHANNELS:
        allowed = ", ".join(CHANNELS)
        raise PydanticCustomError(
            "channel_unknown", "channel must be one of {allowed}", {"allowed": allowed}
        )
    return name


ChannelIn = Annotated[str, AfterValidator(_known_channel)]


def check_address(channel: str, to: str) -> Contact:
    """Return the contact. Raises PydanticCustomError if it is none of the channel."""
    contact = Contact(channel=channel, to=to)
    if not contact.is_valid:
        raise PydanticCustomError(
            "address_invalid", "to must be {expected}", {"expected": CHANNELS[channel].expected}
        )
    return contact


class NotifyIn(In):
    """Whom to notify of the end: a channel, and an address on it. Stored encrypted until then."""

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
