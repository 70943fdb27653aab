import os
import subprocess
import sys

import pytest


def backend(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend", command],
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
