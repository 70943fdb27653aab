import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


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
