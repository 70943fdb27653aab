"""Who may be notified: the contacts that a caller has registered for its own users.

A message brings its address along, which is compared with a keyed digest: whoever holds the key of
a caller can write to that caller's people and to nobody else. The contact itself is stored
encrypted, for a change of keys.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from backend.notifications.contacts import Contact
from backend.platform import people
from backend.platform.database import Pool, single_statement
from backend.platform.encryption import Encryptor
from backend.platform.queries import query


class UnknownContactError(Exception):
    """The address is no contact of this user of this caller."""


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """The registered contacts: one for each user of a caller and channel.

    ``allowed``: patterns such as ``email:*@example.com``, of addresses that need no registration.
    """

    pool: Pool
    encryptor: Encryptor
    allowed: tuple[str, ...] = ()

    async def register(self, owner: str, user_id: str, contact: Contact) -> None:
        """Make ``contact`` the user's one on its channel."""
        where = self._where(owner, user_id, contact.channel)
        identifier = f"ct_{secrets.token_hex(16)}"
        row = {
            "id": identifier,
            "owner": owner,
            "channel": contact.channel,
            **contact_columns(self.encryptor, user_id, contact, identifier),
        }
        async with self.pool.connection() as connection:
            # One that was registered under a previous key would not be in the way of this one.
            await connection.execute(query("delete_contact"), where)
            await connection.execute(query("set_contact"), row)

    async def remove(self, owner: str, user_id: str, channel: str) -> None:
        """Forget the user's contact on a channel, if there is one."""
        async with single_statement(self.pool) as connection:
            await connection.execute(query("delete_contact"), self._where(owner, user_id, channel))

    async def check(self, owner: str, user_id: str, contact: Contact | None) -> None:
        """Raise UnknownContactError if the user may not be reached so."""
        if contact is None or is_allowed(contact, self.allowed):
            return
        parameters = {
            **self._where(owner, user_id, contact.channel),
            "contact_digests": self.encryptor.digests(contact.as_dict()),
        }
        async with single_statement(self.pool) as connection:
            cursor = await connection.execute(query("find_contact"), parameters)
            row = await cursor.fetchone()
            if row and row["is_stale"]:
                await connection.execute(query("note_use_of_contact"), {"id": row["id"]})
        if not row:
            raise UnknownContactError

    def _where(self, owner: str, user_id: str, channel: str) -> dict[str, Any]:
        digests = people.digests(self.encryptor, user_id)
        return {"owner": owner, "user_digests": digests, "channel": channel}


def contact_columns(
    encryptor: Encryptor, user_id: str, contact: Contact, identifier: str
) -> dict[str, bytes]:
    """Return the encrypted and digested columns of a registered contact."""
    return {
        "user_digest": people.digests(encryptor, user_id)[0],
        "contact_digest": encryptor.digest(contact.as_dict()),
        "sealed": encryptor.encrypt({"userId": user_id, **contact.as_dict()}, aad=identifier),
    }


def is_allowed(contact: Contact, patterns: Iterable[str]) -> bool:
    """Return whether one of ``patterns`` is of this channel and matches the address."""
    for pattern in patterns:
        channel, _, address = pattern.partition(":")
        if channel == contact.channel and fnmatchcase(contact.to.lower(), address.lower()):
            return True
    return False
