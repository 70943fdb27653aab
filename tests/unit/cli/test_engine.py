"""What an operator reads when compilers are missing, and what root gets installed."""

import os
from pathlib import Path

import pytest

from glasshouse_cli import engine, host, project
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.images import build_go
from glasshouse_cli.images.recipe import load


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found; the user is not root."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return folder


def fake(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def ensure(root: Path) -> None:
    engine.ensure(project.load(root), Terminal(quiet=True))


def test_a_client_without_an_engine_gets_the_engine_installed(
    checkout: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
):
    fake(programs, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    installed: list[str] = []

    def refuse(packages: list[str], log: Path) -> None:
        installed.extend(packages)
        raise StackError("as far as this test goes")

    monkeypatch.setattr(host, "can_install", lambda: True)
    monkeypatch.setattr(host, "install", refuse)
    with pytest.raises(StackError, match="as far as this test goes"):
        ensure(checkout)
    assert {"docker.io", "iptables"} <= set(installed)


@pytest.mark.parametrize(
    ("script", "seen"),
    [(None, "and there is none"), ("echo go version go1.24.4 linux/amd64", "not 1.24.4")],
)
def test_go_missing_or_old_is_one_line(
    checkout: Path, programs: Path, tmp_path: Path, script: str | None, seen: str
):
    (checkout / "dev" / "images" / "loki" / "go.mod").write_text("module x\n\ngo 1.26.5\n")
    if script:
        fake(programs, "go", script)

    with pytest.raises(StackError) as caught:
        build_go.compile_programs(
            load(checkout, "loki"), tmp_path / "bin", tmp_path, tmp_path / "log", lambda _: None
        )

    assert str(caught.value) == (
        f"building loki needs Go 1.26.5 or newer, {seen}: install it from https://go.dev/dl/, "
        "or make an image registry reachable"
    )
    assert not (tmp_path / "bin").exists()
