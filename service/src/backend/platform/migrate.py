"""Brings the database's schema up to date.

A migration is one SQL file, applied once, in the order of names, and recorded by name. Ours
are in ``migrations/``. procrastinate's come from its package: its whole schema the first
time (every migration it then has counts as applied), later its new migrations.
"""

import logging
import time
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Final, LiteralString, NamedTuple, cast

import psycopg
from procrastinate.schema import SchemaManager
from psycopg.pq import PGconn, Ping
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier

from backend.platform import people
from backend.platform.database import CONNECT_TIMEOUT_S, MIGRATION_LOCK, Pool
from backend.platform.encryption import Encryptor
from backend.platform.queries import query
from backend.platform.settings import DatabaseSettings

LOCK_TIMEOUT_MS: Final = 60_000
PROCRASTINATE_PREFIX: Final = "procrastinate/"
USERS_TO_SEAL: Final = "0010_sealed_users.sql"
SEAL_BATCH: Final = 1_000
ASK_EVERY_S: Final = 0.1

_logger = logging.getLogger(__name__)
_Connection = psycopg.Connection[DictRow]


class MissingKeyError(Exception):
    """The key is needed under which personal data is stored."""


class Migration(NamedTuple):
    name: str
    sql: str


def migrate(
    settings: DatabaseSettings, *, app_role: str | None = None, encryptor: Encryptor | None = None
) -> list[str]:
    """Apply what is missing, all in one transaction; return the names of what was applied.

    ``app_role`` gets the right to read and write rows, and no more. ``encryptor`` is needed once,
    for a database whose rows hold user ids in clear text. Two at once are safe: the second waits
    for the first, at most a minute.

    Raises:
        psycopg.Error: the database cannot be reached, or refuses a statement.
        MissingKeyError: ``encryptor`` is needed.
    """
    conninfo = settings.conninfo(
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name="backend-migrate",
        options=f"-c lock_timeout={LOCK_TIMEOUT_MS}",
    )
    with psycopg.Connection[DictRow].connect(conninfo, row_factory=dict_row) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        connection.execute(query("create_migrations_table"))
        rows = connection.execute(query("applied_migrations")).fetchall()
        applied = {row["name"] for row in rows}
        done = _migrate_procrastinate(connection, applied)
        for migration in ours():
            done += _apply(connection, applied, [migration])
            if migration.name == USERS_TO_SEAL and migration.name in done:
                seal_users(connection, encryptor)
        if app_role is not None:
            _grant(connection, app_role)
    for name in done:
        _logger.info("Migration applied", extra={"migration": name})
    return done


def wait_for_server(settings: DatabaseSettings, seconds: float) -> None:
    """Return once the server takes connections, or refuses ours; else after ``seconds``.

    A server that is starting, or whose name is not known yet, is asked again.
    """
    conninfo = settings.conninfo(connect_timeout=CONNECT_TIMEOUT_S).encode()
    end = time.monotonic() + seconds
    while time.monotonic() < end and PGconn.ping(conninfo) != Ping.OK:
        time.sleep(ASK_EVERY_S)


def ours() -> list[Migration]:
    """Return the backend's own migrations, in order."""
    folder = resources.files("backend.platform").joinpath("migrations")
    files = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return sorted(Migration(file.name, file.read_text(encoding="utf-8")) for file in files)


def procrastinates() -> list[Migration]:
    """Return all migrations of the installed procrastinate, in order."""
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return [
        Migration(PROCRASTINATE_PREFIX + file.name, file.read_text(encoding="utf-8"))
        for file in files
    ]


async def missing(pool: Pool) -> list[str]:
    """Return the names of migrations that this program needs and the database lacks.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(query("has_migrations_table"))
        row = await cursor.fetchone()
        applied: set[str] = set()
        if row is not None and row["found"]:
            cursor = await connection.execute(query("applied_migrations"))
            applied = {row["name"] for row in await cursor.fetchall()}
    return [one.name for one in (*procrastinates(), *ours()) if one.name not in applied]


def seal_users(connection: _Connection, encryptor: Encryptor | None) -> None:
    """Encrypt the user ids of a database of before. Raises MissingKeyError without the key."""
    for table in ("payments", "notifications", "automation_sessions"):
        name = Identifier(table)
        to_seal = SQL("SELECT id, user_id FROM {} WHERE user_sealed IS NULL LIMIT %s").format(name)
        write = SQL(
            "UPDATE {} SET user_sealed = %(user_sealed)s, user_digest = %(user_digest)s"
            " WHERE id = %(id)s"
        ).format(name)
        while rows := connection.execute(to_seal, [SEAL_BATCH]).fetchall():
            if encryptor is None:
                raise MissingKeyError(f"{table} holds user ids in clear text")
            with connection.cursor() as cursor:
                cursor.executemany(
                    write,
                    [
                        {"id": row["id"], **people.sealed(encryptor, row["user_id"], row["id"])}
                        for row in rows
                    ],
                )


def _grant(connection: _Connection, role: str) -> None:
    """Let a role read and write rows, and read which migrations were applied."""
    for statement in (
        "GRANT USAGE ON SCHEMA public TO {}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
        "REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM {}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}",
    ):
        connection.execute(SQL(statement).format(Identifier(role)))


def _migrate_procrastinate(connection: _Connection, applied: set[str]) -> list[str]:
    if any(name.startswith(PROCRASTINATE_PREFIX) for name in applied):
        return _apply(connection, applied, procrastinates())
    row = connection.execute(query("has_procrastinate")).fetchone()
    found = row is not None and row["found"]
    if not found:
        connection.execute(_trusted(SchemaManager.get_schema()))
    for migration in procrastinates():
        connection.execute(query("record_migration"), {"name": migration.name})
    return [] if found else [PROCRASTINATE_PREFIX + "schema.sql"]


def _apply(
    connection: _Connection, applied: set[str], migrations: Iterable[Migration]
) -> list[str]:
    done: list[str] = []
    for migration in migrations:
        if migration.name in applied:
            continue
        connection.execute(_trusted(migration.sql))
        connection.execute(query("record_migration"), {"name": migration.name})
        done.append(migration.name)
    return done


def _trusted(sql: str) -> LiteralString:
    # From an installed package, never from outside.
    return cast(LiteralString, sql)
