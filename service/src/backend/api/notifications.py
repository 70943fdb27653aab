"""``/notifications``."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from backend.api.auth import NotificationReader, NotificationWriter
from backend.api.dependencies import Provided
from backend.api.models import ChannelIn, In, Out, UserId, check_address, plain
from backend.api.problems import responses
from backend.notifications.contacts import Contact
from backend.notifications.store import (
    NOTIFICATION_ID_PATTERN,
    DeliveryState,
    NewNotification,
    Notification,
    NotificationId,
)
from backend.notifications.templates import templates
from glasshouse import request_id

MAX_DATA: Final = 20


def _known_template(name: str) -> str:
    if name not in templates():
        allowed = ", ".join(templates())
        raise PydanticCustomError(
            "template_unknown", "template must be one of {allowed}", {"allowed": allowed}
        )
    return name


# No control characters: a line end could begin another header of a mail.
Value = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
NotificationIdOut = Annotated[str, Field(pattern=NOTIFICATION_ID_PATTERN)]
DataName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]


class NotificationIn(In):
    """The body of ``POST /notifications``. ``data`` has a value for each name in the template."""

    user_id: UserId
    channel: ChannelIn
    template: Annotated[str, AfterValidator(_known_template)]
    to: Annotated[str, Field(min_length=1, max_length=512)]
    data: Annotated[dict[DataName, Value | int], Field(max_length=MAX_DATA, default_factory=dict)]

    @model_validator(mode="after")
    def _check(self) -> "NotificationIn":
        self.contact()
        missing = sorted(templates()[self.template].needs - self.data.keys())
        if missing:
            raise PydanticCustomError(
                "data_incomplete", "data lacks {missing}", {"missing": ", ".join(missing)}
            )
        return self

    def contact(self) -> Contact:
        return check_address(self.channel, self.to)


class NotificationAccepted(Out):
    """The answer to a write: the work goes on after it."""

    notification_id: NotificationIdOut
    state: DeliveryState
    request_id: str | None


class NotificationOut(Out):
    """One notification, without recipient and text. Times are in UTC."""

    notification_id: NotificationIdOut
    state: DeliveryState
    channel: str
    template: str
    provider_message_id: str | None
    error_type: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, notification: Notification) -> "NotificationOut":
        return cls(
            notification_id=notification.id,
            state=notification.state,
            channel=notification.channel,
            template=notification.template,
            provider_message_id=notification.provider_message_id,
            error_type=notification.error_type,
            created_at=notification.created_at,
            finished_at=notification.finished_at,
        )


router = APIRouter(prefix="/notifications", tags=["notifications"])


@router.post("", status_code=202, responses=responses(413, 422, 503))
async def create_notification(
    body: NotificationIn, response: Response, services: Provided, caller: NotificationWriter
) -> NotificationAccepted:
    contact = body.contact()
    await services.contacts.check(caller.name, body.user_id, contact)
    new = NewNotification(
        owner=caller.name,
        user_id=body.user_id,
        contact=contact,
        template=body.template,
        data=plain(body.data),
    )
    notification = await services.notifications.create(new)
    response.headers["Location"] = f"/notifications/{notification.id}"
    return NotificationAccepted(
        notification_id=notification.id, state=notification.state, request_id=request_id()
    )


@router.get("/{notificationId}", responses=responses(404, 422, 503))
async def read_notification(
    notification_id: Annotated[str, Path(alias="notificationId", pattern=NOTIFICATION_ID_PATTERN)],
    services: Provided,
    caller: NotificationReader,
) -> NotificationOut:
    notification = await services.notifications.find(NotificationId(notification_id))
    if notification is None or notification.owner != caller.name:
        raise HTTPException(404, "There is no notification with this id.")
    return NotificationOut.of(notification)
