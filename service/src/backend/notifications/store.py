"""Notifications: the record, and every change of its row with its event."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NewType

from backend.notifications.contacts import Contact
from backend.platform import people
from backend.platform.database import Connection, Enqueue, Pool
from backend.platform.encryption import DecryptionError, Encryptor
from backend.platform.queries import query, require
from backend.telemetry import events
from backend.telemetry.emitter import present
from backend.telemetry.known_values import NotificationDeliveryStatus as DeliveryState
from glasshouse import traced

NotificationId = NewType("NotificationId", str)
NOTIFICATION_ID_PATTERN: Final = r"^nt_[0-9a-f]{32}$"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NewNotification:
    """A checked request to notify: the template exists and ``data`` has what it needs.

    ``owner`` is the caller who asked for it, empty for none.
    """

    owner: str
    user_id: str
    contact: Contact
    template: str
    data: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One row. All times have a zone."""

    id: NotificationId
    owner: str
    user_id: str
    channel: str
    template: str
    state: DeliveryState
    provider_message_id: str | None
    error_type: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Notification":
        fields: dict[str, Any] = {name: row[name] for name in cls.__dataclass_fields__}
        fields["state"] = DeliveryState(row["state"])
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class OutgoingMessage:
    """What is left to deliver. ``to`` and ``data`` are personal data."""

    notification: Notification
    to: str
    data: Mapping[str, str]


class Notifications:
    """The notifications in Postgres. Recipient and data are encrypted, and deleted at the end.

    An event is written in the transaction of its change, and only by the call that changed the row.
    """

    def __init__(self, pool: Pool, encryptor: Encryptor, enqueue: Enqueue[NotificationId]) -> None:
        self._pool = pool
        self._encryptor = encryptor
        self._enqueue = enqueue

    @traced
    async def create(self, new: NewNotification) -> Notification:
        """Write a notification and enqueue its job, both or neither."""
        async with self._pool.connection() as connection:
            return await self.write(new, connection)

    async def write(self, new: NewNotification, connection: Connection) -> Notification:
        """Like `create` in a transaction of the caller."""
        identifier = NotificationId(f"nt_{secrets.token_hex(16)}")
        message = {"to": new.contact.to, "data": dict(new.data)}
        cursor = await connection.execute(
            query("insert_notification"),
            {
                "id": identifier,
                "owner": new.owner,
                **people.sealed(self._encryptor, new.user_id, identifier),
                "channel": new.contact.channel,
                "template": new.template,
                "sealed": self._encryptor.encrypt(message, aad=identifier),
            },
        )
        row = require(await cursor.fetchone(), "notification")
        await self._enqueue(identifier, connection)
        notification = self._read(row)
        await _emit(notification, connection)
        return notification

    async def write_for(
        self,
        encrypted: bytes | None,
        connection: Connection,
        *,
        aad: str,
        owner: str,
        user_id: str,
        template: str,
        data: Mapping[str, str],
    ) -> Notification | None:
        """Like `write`, to the contact that is stored with another record, encrypted with
        its ``aad``.

        ``None``: it has no contact, or one that cannot be decrypted. A lost key costs the
        notification, not the end of a payment or a run.
        """
        if encrypted is None:
            return None
        try:
            contact = Contact.of(self._encryptor.decrypt(encrypted, aad=aad))
        except DecryptionError:
            _logger.exception("A stored contact cannot be decrypted", extra={"template": template})
            return None
        new = NewNotification(
            owner=owner, user_id=user_id, contact=contact, template=template, data=data
        )
        return await self.write(new, connection)

    async def find(self, identifier: NotificationId) -> Notification | None:
        row = await self._row("notification_by_id", id=identifier)
        return self._read(row) if row else None

    async def outgoing(self, identifier: NotificationId) -> OutgoingMessage | None:
        """Return what is to be delivered; ``None`` if it was delivered or has failed.

        Raises:
            LookupError: there is no such notification.
            DecryptionError: it was encrypted under another key.
        """
        row = await self._row("notification_by_id", id=identifier)
        if row is None:
            raise LookupError("no such notification")
        if row["sealed"] is None:
            return None
        message = self._encryptor.decrypt(row["sealed"], aad=identifier)
        return OutgoingMessage(notification=self._read(row), to=message["to"], data=message["data"])

    async def mark_delivered(
        self, identifier: NotificationId, message_id: str
    ) -> Notification | None:
        """Mark a queued notification as delivered. ``None``: it was not queued."""
        return await self._ended("deliver_notification", id=identifier, message_id=message_id)

    async def mark_failed(self, identifier: NotificationId, error_type: str) -> Notification | None:
        """Mark a queued notification as failed. ``None``: it was not queued."""
        return await self._ended("fail_notification", id=identifier, error_type=error_type)

    async def _ended(self, name: str, **parameters: Any) -> Notification | None:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(query(name), parameters)).fetchone()
            if row is None:
                return None
            notification = self._read(row)
            await _emit(notification, connection)
        return notification

    def _read(self, row: dict[str, Any]) -> Notification:
        return Notification.from_row(people.with_user(self._encryptor, row, row["id"]))

    async def _row(self, name: str, **parameters: Any) -> dict[str, Any] | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query(name), parameters)
            return await cursor.fetchone()


async def _emit(notification: Notification, connection: Connection) -> None:
    """Write the event of the state that the notification has reached."""
    match notification.state:
        case DeliveryState.QUEUED:
            await events.notification_queued(
                connection,
                id=notification.id,
                user_id=notification.user_id,
                channel=notification.channel,
                template=notification.template,
                delivery_status=notification.state,
            )
        case DeliveryState.DELIVERED:
            await events.notification_delivered(
                connection,
                id=notification.id,
                user_id=notification.user_id,
                channel=notification.channel,
                template=notification.template,
                delivery_status=notification.state,
            )
        case DeliveryState.FAILED:
            await events.notification_failed(
                connection,
                id=notification.id,
                user_id=notification.user_id,
                channel=notification.channel,
                template=notification.template,
                delivery_status=notification.state,
                error_type=present(notification.error_type),
            )
