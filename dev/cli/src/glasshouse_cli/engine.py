"""Makes sure of a Docker Engine that answers, and asks it about images."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from glasshouse_cli import host, project
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run, start_detached
from glasshouse_cli.project import Project

_ASK_TIMEOUT_S = 20.0
_START_TIMEOUT_S = 60.0
_POLL_S = 0.5


def ensure(checkout: Project | None = None, terminal: Terminal | None = None) -> None:
    """Return once the engine answers.

    As root on Debian or Ubuntu it installs and starts what is missing.
    Raises StackError saying what to install or start otherwise.
    """
    checkout = checkout or project.load()
    terminal = terminal or Terminal()
    log = checkout.logs / "engine.log"
    if shutil.which("docker") is None:
        _install(terminal, log)
    if (fault := _fault()) is not None:
        _start(fault, terminal, log)


def version() -> str:
    """The engine's version. Raises StackError when it does not answer."""
    answer = run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=_ASK_TIMEOUT_S)
    if not answer.ok:
        raise StackError(f"the Docker engine does not answer: {answer.last_line}")
    return answer.out.strip()


def image_size(tag: str) -> int | None:
    """The image's size in bytes, None when the engine does not have it."""
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", tag]
    answer = run(command, timeout=_ASK_TIMEOUT_S)
    return int(answer.out) if answer.ok else None


def has_volume(name: str) -> bool:
    """Whether the engine has a named volume of this name."""
    return run(["docker", "volume", "inspect", name], timeout=_ASK_TIMEOUT_S).ok


def _fault() -> str | None:
    answer = run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=_ASK_TIMEOUT_S)
    return None if answer.ok else answer.last_line


def _install(terminal: Terminal, log: Path) -> None:
    if not host.can_install():
        raise StackError(
            "the Docker engine is not installed: see https://docs.docker.com/engine/install/, "
            "or run this as root on Debian or Ubuntu, where it installs docker.io by itself"
        )
    with terminal.step("installing docker.io"):
        host.install(["docker.io", "iptables", "ca-certificates"], log)


def _start(fault: str, terminal: Terminal, log: Path) -> None:
    if "permission denied" in fault.lower():
        raise StackError(
            "no permission to use Docker: `sudo usermod -aG docker $USER`, then log in again"
        )
    if os.environ.get("DOCKER_HOST"):
        raise StackError(f"the engine at DOCKER_HOST does not answer: {fault}")
    if not host.is_root():
        raise StackError(f"the Docker engine does not run: `sudo systemctl start docker` ({fault})")
    # A client alone is common: it comes with tools that talk to an engine elsewhere.
    if shutil.which("dockerd") is None:
        _install(terminal, log)
    with terminal.step("starting the Docker engine"):
        if host.has_service_manager():
            run(["systemctl", "start", "docker"], timeout=_START_TIMEOUT_S)
        else:
            _clear_stale_pid()
            log = Path("/var/log/dockerd.log")
            start_detached(["dockerd"], log=log)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while (fault := _fault() or "") and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    if fault:
        raise StackError(f"the Docker engine did not start, see {log}: {fault}", log=log)


def _clear_stale_pid() -> None:
    """Forget an engine that was killed: its pid may be another program's by now."""
    file = Path("/var/run/docker.pid")
    if not file.is_file():
        return
    pid = file.read_text(encoding="ascii").strip()
    command = Path(f"/proc/{pid}/comm")
    if not command.is_file() or command.read_text(encoding="utf-8").strip() != "dockerd":
        file.unlink()
