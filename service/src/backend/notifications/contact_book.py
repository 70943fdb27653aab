"""Who may be notified: the contacts that a caller has registered for its own users.

Only keyed digests are stored. A message brings its address along, which is compared: whoever holds
the key of a caller can write to that caller's people and to nobody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

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
        await self._execute("set_contact", owner, user_id, contact.channel, contact)

    async def remove(self, owner: str, user_id: str, channel: str) -> None:
        """Forget the user's contact on a channel, if there is one."""
        await self._execute("delete_contact", owner, user_id, channel)

    async def check(self, owner: str, user_id: str, contact: Contact | None) -> None:
        """Raise UnknownContactError if the user may not be reached so."""
        if contact is None or is_allowed(contact, self.allowed):
            return
        row = await self._execute("find_contact", owner, user_id, contact.channel, contact)
        if row is None:
            raise UnknownContactError
        if not row["is_current"]:
            # Only now is the address at hand: a contact that is used outlives a change of keys.
            await self.register(owner, user_id, contact)

    async def _execute(
        self, name: str, owner: str, user_id: str, channel: str, contact: Contact | None = None
    ) -> dict[str, bool] | None:
        digests = people.digests(self.encryptor, user_id)
        contact_digests = self.encryptor.digests(contact.as_dict()) if contact else [None]
        parameters = {
            "owner": owner,
            "user_digest": digests[0],
            "user_digests": digests,
            "channel": channel,
            "contact_digest": contact_digests[0],
            "contact_digests": contact_digests,
        }
        async with single_statement(self.pool) as connection:
            cursor = await connection.execute(query(name), parameters)
            return await cursor.fetchone() if cursor.description else None


def is_allowed(contact: Contact, patterns: Iterable[str]) -> bool:
    """Return whether one of ``patterns`` is of this channel and matches the address."""
    for pattern in patterns:
        channel, _, address = pattern.partition(":")
        if channel == contact.channel and fnmatchcase(contact.to.lower(), address.lower()):
            return True
    return False
