"""A small checkout in a temporary folder."""

from pathlib import Path

import pytest

ENV = """\
SERVICE_PORT=8000
LOKI_PORT=3100
LOKI_IMAGE=grafana/loki:3.7.8
GLASSHOUSE_STATE=./.glasshouse
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root of a checkout with the recipes loki, python and backend."""
    (tmp_path / ".env").write_text(ENV)
    for line in ENV.splitlines():  # the machine's own settings would override
        monkeypatch.delenv(line.partition("=")[0], raising=False)
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    recipes = {
        "loki": 'variable = "LOKI_IMAGE"\nbuilder = "go"\nversion = "1"\n',
        "python": 'variable = "PYTHON_IMAGE"\nbuilder = "debian"\n',
        "backend": 'variable = "BACKEND_IMAGE"\nbuilder = "python"\nupstream = false\n'
        'base = "PYTHON_IMAGE"\ninputs = ["service", "redaction", "uv.lock"]\n',
        "compose": 'builder = "go"\n',
    }
    for name, text in recipes.items():
        folder = tmp_path / "dev" / "images" / name
        folder.mkdir(parents=True)
        (folder / "image.toml").write_text(text)
        (folder / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "service" / "src").mkdir(parents=True)
    (tmp_path / "service" / "src" / "main.py").write_text("answer = 42\n")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    return tmp_path
