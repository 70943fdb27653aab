"""A Postgres server of the bench's own, with an ordinary database that each process gets anew."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from glasshouse_cli.errors import StackError

SUPERUSER = "backend"
# Random digits in the name would be redacted in each span, which no service's name is.
NAME = "payments"
# The service asks for one; the server does not.
_PASSWORD = "of-no-use"  # noqa: S105 (it opens nothing)
_TEMPLATE = "payments_empty"
_DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path:
    """Return the folder of the server's programs.

    Raises:
        StackError: they are not installed.
    """
    found = shutil.which("initdb")
    folders = sorted(_DEBIAN.glob("*/bin"))
    if found:
        return Path(found).parent
    if folders:
        return folders[-1]
    raise StackError(
        "Postgres is not installed: install it (Debian: apt-get install postgresql), or measure "
        "without it: --loads trivial,log"
    )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server of the programs in ``folder``; yield how to connect over its socket."""
    # Root may not run it; and only short paths fit into a socket's address.
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    home = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    if user:
        shutil.chown(home, **user)
    data = home / "data"
    options = f"-c listen_addresses= -c unix_socket_directories={home} -c fsync=off"
    control: list[str | Path] = [folder / "pg_ctl", "-D", data, "-w"]
    trusting = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8"]
    try:
        try:
            _call([folder / "initdb", "-D", data, *trusting], home, user)
            _call([*control, "-o", options, "-l", home / "log", "start"], home, user)
        except (OSError, subprocess.SubprocessError) as error:
            raise StackError(f"Postgres in {folder} does not start: {error}") from None
        try:
            yield make_conninfo(host=str(home), user=SUPERUSER, password=_PASSWORD)
        finally:
            _call([*control, "-m", "immediate", "stop"], home, user)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _call(command: list[str | Path], home: Path, user: dict[str, str]) -> None:
    options: dict[str, Any] = {"cwd": home, "check": True, "timeout": 60, **user}
    quiet = subprocess.DEVNULL
    subprocess.run(command, stdout=quiet, stderr=quiet, **options)  # noqa: S603 (our own command)


def prepare(server: str) -> None:
    """Make the schema, once."""
    from backend.platform.migrate import migrate
    from backend.platform.settings import DatabaseSettings

    _run(server, SQL("CREATE DATABASE {}").format(Identifier(_TEMPLATE)))
    conninfo = make_conninfo(server, dbname=_TEMPLATE)
    migrate(DatabaseSettings.model_validate({"database_url": conninfo}))


def fresh(server: str) -> str:
    """Make the database anew, without a row; return how to connect to it."""
    name = Identifier(NAME)
    _run(server, SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
    _run(server, SQL("CREATE DATABASE {} TEMPLATE {}").format(name, Identifier(_TEMPLATE)))
    return make_conninfo(server, dbname=NAME)


def _run(server: str, statement: Any) -> None:
    with psycopg.connect(server, dbname="postgres", autocommit=True) as admin:
        admin.execute(statement)
