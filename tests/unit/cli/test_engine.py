"""What an operator reads when engine or compilers are missing."""

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


@pytest.mark.usefixtures("programs")
def test_no_docker_says_what_to_install(checkout: Path):
    with pytest.raises(
        StackError, match=r"^the Docker engine is not installed: see https://docs\.docker"
    ):
        ensure(checkout)


def test_no_permission_names_the_group(checkout: Path, programs: Path):
    fake(programs, "docker", "echo 'permission denied while trying to connect' >&2; exit 1")

    with pytest.raises(StackError, match=r"^no permission to use Docker: `sudo usermod -aG docker"):
        ensure(checkout)


def test_a_stopped_engine_is_for_root_to_start(checkout: Path, programs: Path):
    fake(programs, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")

    with pytest.raises(StackError, match="does not run: `sudo systemctl start docker`"):
        ensure(checkout)


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


def test_a_remote_engine_is_never_started(
    checkout: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
):
    fake(programs, "docker", "echo 'no route to host' >&2; exit 1")
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")

    with pytest.raises(StackError, match=r"^the engine at DOCKER_HOST does not answer: no route"):
        ensure(checkout)


def test_an_engine_that_answers_is_left_alone(checkout: Path, programs: Path):
    fake(programs, "docker", "echo 28.0.0")

    ensure(checkout)


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
