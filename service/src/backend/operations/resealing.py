"""Encrypts stored values again that are not under the current key, so that an old key can go."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from psycopg.sql import SQL, Composed, Identifier, Placeholder

from backend.notifications.contact_book import contact_columns
from backend.notifications.contacts import Contact
from backend.platform import people
from backend.platform.database import Connection, Pool
from backend.platform.encryption import DecryptionError, Encryptor

BATCH: Final = 500

Row = dict[str, Any]


@dataclass(frozen=True)
class _Column:
    """An encrypted column, and how the values are made anew that belong together."""

    table: str
    name: str
    renew: Callable[[Encryptor, Row], Row]


def _user(encryptor: Encryptor, row: Row) -> Row:
    user = people.opened(encryptor, row["user_sealed"], row["id"])
    return people.sealed(encryptor, user, row["id"])


def _contact_with_digest(encryptor: Encryptor, row: Row) -> Row:
    contact = encryptor.decrypt(row["contact_sealed"], aad=row["id"])
    return {
        "contact_sealed": encryptor.encrypt(contact, aad=row["id"]),
        "contact_digest": encryptor.digest(contact),
    }


def _registered(encryptor: Encryptor, row: Row) -> Row:
    value = encryptor.decrypt(row["sealed"], aad=row["id"])
    return contact_columns(encryptor, value["userId"], Contact.of(value), row["id"])


def _plain(name: str) -> Callable[[Encryptor, Row], Row]:
    def renew(encryptor: Encryptor, row: Row) -> Row:
        value = encryptor.decrypt(row[name], aad=row["id"])
        return {name: encryptor.encrypt(value, aad=row["id"])}

    return renew


COLUMNS: Final = (
    _Column("payments", "user_sealed", _user),
    _Column("payments", "contact_sealed", _contact_with_digest),
    _Column("notifications", "user_sealed", _user),
    _Column("notifications", "sealed", _plain("sealed")),
    _Column("automation_sessions", "user_sealed", _user),
    _Column("contacts", "sealed", _registered),
    _Column("automation_runs", "contact_sealed", _plain("contact_sealed")),
)


@dataclass(frozen=True)
class Resealed:
    """How many values were encrypted again, and how many no key of the file opens."""

    done: int
    unreadable: int


async def reseal(pool: Pool, encryptor: Encryptor, batch: int = BATCH) -> Resealed:
    """Bring every stored value under the current key. Safe to repeat, and while all runs.

    Raises:
        psycopg.Error: the database cannot be reached.
    """
    done = unreadable = 0
    for column in COLUMNS:
        after = ""
        while True:
            async with pool.connection() as connection:
                rows = await _rows(connection, column, encryptor.header, after, batch)
                for row in rows:
                    try:
                        changes = column.renew(encryptor, row)
                    except DecryptionError:
                        unreadable += 1
                        continue
                    await connection.execute(_update(column, changes), {**changes, "id": row["id"]})
                    done += 1
            if len(rows) < batch:
                break
            after = rows[-1]["id"]
    return Resealed(done=done, unreadable=unreadable)


async def _rows(
    connection: Connection, column: _Column, header: bytes, after: str, batch: int
) -> list[Row]:
    statement = SQL(
        "SELECT id, {column} FROM {table}"
        " WHERE {column} IS NOT NULL AND substring({column} FROM 1 FOR 2) <> %(header)s"
        " AND id > %(after)s ORDER BY id LIMIT %(batch)s FOR UPDATE"
    ).format(table=Identifier(column.table), column=Identifier(column.name))
    parameters = {"header": header, "after": after, "batch": batch}
    return await (await connection.execute(statement, parameters)).fetchall()


def _update(column: _Column, changes: Row) -> Composed:
    pairs = SQL(", ").join(
        SQL("{} = {}").format(Identifier(name), Placeholder(name)) for name in changes
    )
    return SQL("UPDATE {} SET {} WHERE id = %(id)s").format(Identifier(column.table), pairs)
