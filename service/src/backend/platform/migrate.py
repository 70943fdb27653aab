"""Brings the database's schema up to date.

A migration is one SQL file, applied once, in the order of names, and recorded by name. Ours
are in ``migrations/``. procrastinate's come from its package: its whole schema the first
time (every migration it then has counts as applied), later its new migrations.
"""

import logging
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Final, LiteralString, NamedTuple, cast

import psycopg
from procrastinate.schema import SchemaManager
from psycopg.rows import DictRow, dict_row

from backend.platform.database import CONNECT_TIMEOUT_S, MIGRATION_LOCK, Pool
from backend.platform.queries import query
from backend.platform.settings import DatabaseSettings

LOCK_TIMEOUT_MS: Final = 60_000
PROCRASTINATE_PREFIX: Final = "procrastinate/"

_logger = logging.getLogger(__name__)
_Connection = psycopg.Connection[DictRow]


class Migration(NamedTuple):
    name: str
    sql: str


def migrate(settings: DatabaseSettings) -> list[str]:
    """Apply what is missing, all in one transaction; return the names of what was applied.

    Two at once are safe: the second waits for the first, at most a minute.

    Raises:
        psycopg.Error: the database cannot be reached, or refuses a statement.
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
        done = [*_migrate_procrastinate(connection, applied), *_apply(connection, applied, ours())]
    for name in done:
        _logger.info("Migration applied", extra={"migration": name})
    return done


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
