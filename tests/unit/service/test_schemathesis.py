"""schemathesis against the API as it runs, with a real database: it finds nothing."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from backend.platform.migrate import migrate
from backend.platform.settings import DatabaseSettings
from support import callers
from support.ports import free
from support.waiting import until

HOOKS = Path(__file__).parents[2] / "support" / "schemathesis_hooks.py"
TOKEN = "0123456789abcdef"
MAX_EXAMPLES = 25
SEED = 1


@pytest.fixture
def api(empty: DatabaseSettings, tmp_path: Path) -> Iterator[str]:
    """The command ``backend api`` on a database with all tables; give its base address."""
    migrate(empty)
    with psycopg.connect(empty.conninfo()) as connection:
        # A worker that lives as long as the test.
        connection.execute(
            "INSERT INTO worker_heartbeats (worker, beat_at) VALUES ('w', now() + interval '1 h')"
        )
    secrets = {"INTERNAL_TOKEN_FILE": TOKEN, "DATA_KEY_FILE": "k" * 32}
    for name, value in secrets.items():
        (tmp_path / name).write_text(value)
    ports = free(["PORT", "INTERNAL_PORT"])
    port = ports["PORT"]
    # One key for everything: schemathesis sends one header.
    known = callers.entry(callers.CALLER, TOKEN, rate=100_000, burst=100_000)
    (tmp_path / "API_CALLERS_FILE").write_text(json.dumps([known]))
    password = empty.database_password
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": empty.database_url.get_secret_value(),
        "DATABASE_PASSWORD": password.get_secret_value() if password else "",
        "PORT": str(port),
        "LOG_LEVEL": "ERROR",
        "OTEL_PYTHON_DISTRO": "glasshouse",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "glasshouse_prometheus",
        "CONTACTS_ALLOWED": "email:*,sms:*,push:*",
        "STRANGER_RATE": "100000",
        "STRANGER_BURST": "100000",
        **{name: str(tmp_path / name) for name in (*secrets, "API_CALLERS_FILE")},
    }
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(
            [instrument, sys.executable, "-m", "backend", "api"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: answers(url, process), what="the API answers")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)
        log.seek(0)
        assert log.read() == ""


def answers(url: str, process: subprocess.Popen[bytes]) -> tuple[bool | None, object]:
    assert process.poll() is None, "the API ended"
    try:
        response = httpx.get(f"{url}/healthz", timeout=240, trust_env=False)
    except httpx.TransportError as error:
        return None, repr(error)
    return response.is_success or None, response.text


# Hundreds of generated requests, over every operation.
@pytest.mark.slow
def test_schemathesis_finds_nothing(api: str, tmp_path: Path):
    ended = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{api}/openapi.json",
            f"--seed={SEED}",
            f"--max-examples={MAX_EXAMPLES}",
            f"--header=Authorization: Bearer {TOKEN}",
            # It sends the header above even where it means to leave it out.
            "--exclude-checks=missing_required_header",
        ],
        cwd=tmp_path,  # it keeps a cache where it runs
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stdout[-6000:]
    count = re.search(r"(\d+) generated, \d+ passed", ended.stdout)
    assert count, ended.stdout[-2000:]
    assert int(count[1]) > 300
    paths = httpx.get(f"{api}/openapi.json", timeout=240, trust_env=False).json()["paths"]
    assert f"Tested: {sum(map(len, paths.values()))}\n" in ended.stdout
