"""Settings come from `.env`, and the environment overrides them."""

import os
from pathlib import Path

import pytest

from glasshouse_cli import project
from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically

# By `make up`, before compose starts.
MADE = {"GLASSHOUSE_SETUP": "volumes", "OWN_IMAGES": "never"}


def test_settings_are_read(checkout: Path):
    loaded = project.load(checkout)

    assert loaded.port("SERVICE_PORT") == 8000
    assert loaded.url("LOKI_PORT") == "http://127.0.0.1:3100"
    assert loaded.state == checkout / ".glasshouse"


def test_environment_overrides(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOKI_PORT", "3200")

    assert project.load(checkout).port("LOKI_PORT") == 3200


@pytest.mark.parametrize("value", ["", "abc", "0", "65536", "-1", "80.5"])
def test_a_wrong_port_names_its_variable(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, value: str
):
    monkeypatch.setenv("LOKI_PORT", value)

    with pytest.raises(StackError, match=r"^LOKI_PORT in \.env must be a port number"):
        project.load(checkout).port("LOKI_PORT")


def test_a_missing_settings_file_is_named(checkout: Path):
    (checkout / ".env").unlink()

    with pytest.raises(StackError, match=r"\.env is missing"):
        project.load(checkout)


def test_the_checkout_is_found_from_below(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(checkout / "service" / "src")

    assert project.load().root == checkout


def test_containers_never_run_as_root(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert (
        project.run_environment() == {"GLASSHOUSE_UID": "10001", "GLASSHOUSE_GID": "10001"} | MADE
    )


def test_containers_run_as_the_user(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.setattr(os, "getegid", lambda: 99)

    assert project.run_environment() == {"GLASSHOUSE_UID": "1234", "GLASSHOUSE_GID": "99"} | MADE


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "images.env"
    write_atomically(file, "old\n")

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(file, "new\n")

    assert file.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["images.env"]
