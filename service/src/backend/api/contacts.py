"""``/contacts``: whom a caller may notify."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, model_validator

from backend.api.auth import ContactWriter
from backend.api.dependencies import Provided
from backend.api.models import ChannelIn, In, UserId, check_address
from backend.api.problems import responses


class ContactIn(In):
    """The body of ``PUT /contacts``: a user's address on a channel; null removes it."""

    user_id: UserId
    channel: ChannelIn
    to: Annotated[str, Field(min_length=1, max_length=512)] | None

    @model_validator(mode="after")
    def _check_address(self) -> "ContactIn":
        if self.to is not None:
            check_address(self.channel, self.to)
        return self


router = APIRouter(prefix="/contacts", tags=["notifications"])


@router.put("", status_code=204, responses=responses(413, 422, 503))
async def set_contact(body: ContactIn, services: Provided, caller: ContactWriter) -> None:
    """Register how one of the caller's users is reached. Stored as a keyed digest alone."""
    if body.to is None:
        await services.contacts.remove(caller.name, body.user_id, body.channel)
    else:
        contact = check_address(body.channel, body.to)
        await services.contacts.register(caller.name, body.user_id, contact)
