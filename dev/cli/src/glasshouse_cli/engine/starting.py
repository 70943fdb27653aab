"""Finds out why the engine does not answer, and starts it where that is ours to do.

That is: on Linux, as root, with `dockerd` there, and nobody having chosen another engine.
Everywhere else people start it themselves, each kind in its own way.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from glasshouse_cli import host, project
from glasshouse_cli.console import Terminal
from glasshouse_cli.engine import facts, provider, proxies
from glasshouse_cli.engine.endpoint import Endpoint, find
from glasshouse_cli.errors import StackError
from glasshouse_cli.host import Kind
from glasshouse_cli.process import Finished, run, start_detached
from glasshouse_cli.project import Project

_ASK_TIMEOUT_S = 20.0
_START_TIMEOUT_S = 60.0
_POLL_S = 0.5
_PID = Path("/var/run/docker.pid")
_LOG = Path("/var/log/dockerd.log")
# The oldest with control groups of version 2 (Docker), with networks of its own kind (Podman).
OLDEST_DOCKER = (20, 10)
OLDEST_PODMAN = (4, 4)
# "client version 1.44 is too new. Maximum supported API version is 1.41", and its opposite.
_API_VERSION = re.compile(r"client version [\d.]+ is too (new|old)\.[^.]*? is ([\d.]+\d)")


def ensure(checkout: Project | None = None, terminal: Terminal | None = None) -> None:
    """Return once an engine answers that is new enough.

    As root on Debian or Ubuntu it installs and starts what is missing.
    Raises StackError saying what to install or start otherwise.
    """
    checkout = checkout or project.load()
    terminal = terminal or Terminal()
    log = checkout.logs / "engine.log"
    if shutil.which("docker") is None:
        _install(terminal, log)
    found, answer = facts.server()
    if found is None:
        _start(answer, terminal, log)
        found, _ = facts.server()
    if found is not None:
        _check_version(found)


def _check_version(found: dict[str, Any]) -> None:
    podman = facts.is_podman(found)
    name, oldest = ("Podman", OLDEST_PODMAN) if podman else ("Docker", OLDEST_DOCKER)
    numbers = re.match(r"(\d+)\.(\d+)", str(found["Version"]))
    # A build without a number, such as "dev", is whoever made it to judge.
    if numbers and (int(numbers[1]), int(numbers[2])) < oldest:
        wanted = ".".join(map(str, oldest))
        raise StackError(
            f"the engine is {name} {found['Version']}, which is too old: upgrade it to {wanted} "
            "or newer"
        )


def _install(terminal: Terminal, log: Path) -> None:
    if not host.can_install():
        raise StackError(f"the Docker engine is not installed: {provider.install_hint()}")
    with terminal.step("installing docker.io"):
        host.install(["docker.io", "iptables", "ca-certificates"], log)


def _start(answer: Finished, terminal: Terminal, log: Path) -> None:
    endpoint = find()
    fault = facts.sentence(answer)
    _explain(fault, endpoint)
    if not (host.is_linux() and host.is_root() and endpoint.is_default):
        raise StackError(_not_running(fault, endpoint))
    # A client alone is common: it comes with tools that talk to an engine elsewhere.
    if shutil.which("dockerd") is None:
        _install(terminal, log)
    with terminal.step("starting the Docker engine"):
        if host.has_service_manager():
            run(["systemctl", "start", "docker"], timeout=_START_TIMEOUT_S)
        else:
            _clear_stale_pid()
            log = _LOG
            start_detached(["dockerd"], log=log)
        deadline = time.monotonic() + _START_TIMEOUT_S
        found, answer = facts.server()
        while found is None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            found, answer = facts.server()
    if found is None:
        raise StackError(
            f"the Docker engine did not start, see {log}: {facts.sentence(answer)}", log=log
        )


def _explain(fault: str, endpoint: Endpoint) -> None:
    """Raise StackError for a fault that no start would fix."""
    lower = fault.lower()
    if _is_podmans_imitation():
        raise StackError(
            "`docker` here is Podman's imitation, which compose cannot use: install Docker's "
            "client (docker-cli), then `systemctl --user enable --now podman.socket` and set "
            "DOCKER_HOST=unix:///run/user/$UID/podman/podman.sock"
        )
    if "could not be found in this wsl" in lower or "wsl integration" in lower:
        raise StackError(
            "Docker Desktop does not serve this WSL2 distribution: switch it on in Docker Desktop, "
            "Settings > Resources > WSL integration"
        )
    if "permission denied" in lower:
        raise StackError(_no_permission(endpoint))
    if match := _API_VERSION.search(fault):
        side = "engine" if match[1] == "new" else "Docker client"
        raise StackError(
            f"Docker's client and engine do not fit together: upgrade the {side}, or unset "
            f"DOCKER_API_VERSION where it is set ({fault})"
        )
    if "unable to parse docker host" in lower or "invalid bind address" in lower:
        raise StackError(
            f"{_choice(endpoint)} is no engine's address: write unix:///path/of/docker.sock or "
            "tcp://machine:port, or unset it"
        )


def _not_running(fault: str, endpoint: Endpoint) -> str:
    start = provider.of(endpoint).start
    if endpoint.is_remote:
        return (
            f"the engine at {_choice(endpoint)} does not answer: {start}, or choose another "
            f"engine{_proxy_hint(endpoint)} ({fault})"
        )
    if endpoint.setting:
        return f"the engine at {_choice(endpoint)} does not run: {start} ({fault})"
    return f"the Docker engine does not run: {start} ({fault})"


def _choice(endpoint: Endpoint) -> str:
    if endpoint.setting == "DOCKER_HOST":
        return f"DOCKER_HOST={endpoint.address}"
    return f"{endpoint.setting} ({endpoint.address})" if endpoint.setting else endpoint.address


def _no_permission(endpoint: Endpoint) -> str:
    if endpoint.is_default and host.kind() is not Kind.MACOS:
        return "no permission to use Docker: `sudo usermod -aG docker $USER`, then log in again"
    return (
        f"no permission to use {endpoint.address}: it belongs to another user. Correct "
        f"{endpoint.setting or 'the owner of the socket'}, or run this as that user"
    )


def _proxy_hint(endpoint: Endpoint) -> str:
    # Docker's client asks the proxy for tcp:// too.
    name = urlsplit(endpoint.address).hostname
    variable = proxies.shells()
    if variable is None or name is None or proxies.is_exempt(name):
        return ""
    return f", or add {name} to NO_PROXY ({variable} is set)"


def _is_podmans_imitation() -> bool:
    return run(["docker", "--version"], timeout=_ASK_TIMEOUT_S).out.startswith("podman")


def _clear_stale_pid() -> None:
    """Forget an engine that was killed: its pid may be another program's by now."""
    if not _PID.is_file():
        return
    pid = _PID.read_text(encoding="ascii").strip()
    command = Path(f"/proc/{pid}/comm")
    if not command.is_file() or command.read_text(encoding="utf-8").strip() != "dockerd":
        _PID.unlink()
