import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from backend.platform.settings import DatabaseSettings


def backend(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend", *command],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("command", ["api", "worker", "migrate"])
def test_missing_setting_stops_the_start_with_one_line(command: str):
    ended = backend(command)
    assert ended.returncode == 2
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert line.startswith("backend: DATABASE_URL is missing: set it to postgresql://")


def test_bad_log_level_stops_the_start_with_one_line():
    ended = backend("migrate", LOG_LEVEL="loud")
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith("backend: LOG_LEVEL: ")


def test_migrate_names_an_unreachable_database_in_one_line():
    url = "postgresql://backend@127.0.0.1:1/backend"
    ended = backend("migrate", DATABASE_URL=url, DATABASE_PASSWORD="hunter2")
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("backend: DATABASE_URL: the database cannot be used: ")
    assert "hunter2" not in line


@contextlib.contextmanager
def refusing_then_serving(server: str, refused: int) -> Iterator[int]:
    """Yield a port that ends so many connections at once, and leads all others to the server."""

    def lead(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(server)
            back = threading.Thread(target=lead, args=(upstream, client))
            back.start()
            lead(client, upstream)
            back.join()

    def accept() -> None:
        for _ in range(refused):
            listening.accept()[0].close()
        with contextlib.suppress(OSError):  # the end
            while True:
                serve(listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(("wait", "code"), [("120", 0), ("0", 1)])
def test_migrate_waits_for_a_database_that_starts(empty: DatabaseSettings, wait: str, code: int):
    found = conninfo_to_dict(empty.conninfo())
    if not str(found["host"]).startswith("/"):
        pytest.skip("the server is a container, without a socket on this machine")
    path = f"{found['host']}/.s.PGSQL.{found.get('port') or 5432}"
    with refusing_then_serving(path, refused=3 if code == 0 else 1) as port:
        url = f"postgresql://{found['user']}@127.0.0.1:{port}/{found['dbname']}?sslmode=disable"
        password = str(found["password"])
        ended = backend("migrate", f"--wait={wait}", DATABASE_URL=url, DATABASE_PASSWORD=password)
    assert ended.returncode == code, ended.stderr
    with psycopg.connect(empty.conninfo()) as connection:
        row = connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL").fetchone()
    assert row == (code == 0,)


def test_migrate_waits_no_longer_than_it_is_allowed_to():
    url = "postgresql://backend@127.0.0.1:1/backend"
    ended = backend("migrate", "--wait=0.5", DATABASE_URL=url, DATABASE_PASSWORD="-")
    assert ended.returncode == 1
    assert "the database cannot be used: " in ended.stderr


@pytest.mark.parametrize("port", ["1", "odd"])
def test_healthcheck_of_nothing_fails_with_one_line(port: str):
    ended = backend("healthcheck", PORT=port)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("backend: unhealthy: ")


def test_healthcheck_loads_nothing_heavy():
    code = "import sys, backend.__main__; print(*sorted(sys.modules), sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    ).stdout.split()
    assert {"fastapi", "glasshouse", "procrastinate", "psycopg", "pydantic"}.isdisjoint(loaded)


def test_settings_are_listed_without_any_being_set():
    ended = backend("settings")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\n| `CHAIN_RPC_URL` | worker | the http(s) URL of" in ended.stdout


def test_settings_are_written_into_the_table_of_a_file(tmp_path: Path):
    document = tmp_path / "settings.md"
    for text, message in (
        (None, r".*No such file"),
        ("# Settings\n", r"no table of settings: it begins with \| variable \| read by"),
    ):
        if text is not None:
            document.write_text(text)
        ended = backend("settings", "--write", str(document))
        assert ended.returncode == 1
        [line] = ended.stderr.splitlines()
        assert re.match(rf"backend: .*settings\.md: {message}", line)
    document.write_text("| variable | read by | meaning | default |\n| --- | --- | --- | --- |\n")
    assert backend("settings", "--write", str(document)).returncode == 0
    assert document.read_text() == backend("settings").stdout
