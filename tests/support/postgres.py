"""A Postgres server for tests: the installed programs, else a container."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from testcontainers.core.container import DockerContainer

from backend.platform.settings import DatabaseSettings
from support import published
from support.waiting import until

PASSWORD = "tests-only"


def programs() -> Path | None:
    """Return the folder of the server's programs, ``None`` where they are not installed."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return Path(found).parent if found else (folders[-1] if folders else None)


@contextlib.contextmanager
def installed(folder: Path, *, superuser: str = "backend", port: int = 0) -> Iterator[str]:
    """Run a server from installed programs; yield how to connect over its socket.

    With a ``port`` it listens on 127.0.0.1, too, and asks for passwords there.
    """
    # Root may not run it; and only short paths fit into a socket's address.
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    if user:
        shutil.chown(home, **user)
    run: dict[str, Any] = {**user, "check": True, "timeout": 300, "cwd": home}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    data = home / "data"
    address = f"127.0.0.1 -c port={port}" if port else ""
    options = f"-c listen_addresses={address} -c unix_socket_directories={home} -c fsync=off"
    options += " -c dynamic_shared_memory_type=mmap"
    control = [folder / "pg_ctl", "-D", data, "-w", "-t", "240"]
    try:
        initdb = [folder / "initdb", "-D", data, "-U", superuser, "-A", "trust", "-E", "UTF8"]
        subprocess.run([*initdb, "--auth-host=scram-sha-256"], **run, **quiet)
        log = ["-o", options, "-l", home / "log", "start"]
        subprocess.run([*control, *log], **run, **quiet)
        try:
            yield make_conninfo(
                host=str(home), port=port or None, user=superuser, password=PASSWORD
            )
        finally:
            stop = ["-m", "immediate", "stop"]
            subprocess.run([*control, *stop], **run, **quiet)
    finally:
        shutil.rmtree(home)


@contextlib.contextmanager
def contained(image: str) -> Iterator[str]:
    """Run a server in a container; yield how to connect."""
    container = (
        DockerContainer(image, labels={"dev.glasshouse.part": "test"})
        .with_env("POSTGRES_USER", "backend")
        .with_env("POSTGRES_PASSWORD", PASSWORD)
        .with_env("PGDATA", "/tmp/pgdata/data")  # noqa: S108 (inside of the container)
    )
    port = published.on_loopback(container, 5432)
    with container:
        conninfo = make_conninfo(host="127.0.0.1", port=port, user="backend", password=PASSWORD)

        def probe() -> tuple[bool | None, object]:
            try:
                psycopg.connect(conninfo, dbname="postgres", connect_timeout=10).close()
            except psycopg.OperationalError as error:
                return None, str(error)
            return True, None

        until(probe, what="Postgres is ready")
        yield conninfo


def new_database(server: str) -> DatabaseSettings:
    """Make a database without tables."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, dbname="postgres", autocommit=True) as admin:
        admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return DatabaseSettings.model_validate(
        {"database_url": make_conninfo(server, dbname=name), "database_password": PASSWORD}
    )
