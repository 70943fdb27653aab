"""Makes sure of the compose plugin: from a package, else built from its Go module."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from glasshouse_cli import engine, host, project
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.images import build_go
from glasshouse_cli.images import recipe as recipes
from glasshouse_cli.process import run
from glasshouse_cli.project import Project

_ASK_TIMEOUT_S = 20.0
# The first that reads several files of variables.
OLDEST = (2, 17)
# Ubuntu's name and Docker's own; Debian 12 has neither.
_PACKAGES = ("docker-compose-v2", "docker-compose-plugin")


def ensure(checkout: Project | None = None, terminal: Terminal | None = None) -> None:
    """Return once the engine answers and `docker compose` works.

    Raises StackError saying what to install when it cannot do that itself.
    """
    checkout = checkout or project.load()
    terminal = terminal or Terminal()
    engine.ensure(checkout, terminal)
    if (found := version()) is not None:
        _check_version(found)
        return
    log = checkout.logs / "compose.log"
    if not host.is_linux():
        raise StackError(
            "`docker compose` is missing: `brew install docker-compose`, and do what it says about "
            "cliPluginsExtraDirs"
        )
    if host.can_install() and _from_package(terminal, log):
        return
    _from_source(checkout, terminal, log)


def version() -> str | None:
    """The compose plugin's version, None when there is none."""
    answer = run(["docker", "compose", "version", "--short"], timeout=_ASK_TIMEOUT_S)
    return answer.out.strip() if answer.ok and answer.out.strip() else None


def _check_version(found: str) -> None:
    numbers = re.match(r"v?(\d+)\.(\d+)", found)
    # A build without a number, such as "dev", is whoever made it to judge.
    if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise StackError(
            f"docker compose {found} is too old: upgrade the compose plugin to {wanted} or newer"
        )


def _from_package(terminal: Terminal, log: Path) -> bool:
    for package in _PACKAGES:
        if host.has_package(package):
            with terminal.step(f"installing {package}"):
                host.install([package], log)
            if version() is not None:
                return True
    return False


def _from_source(checkout: Project, terminal: Terminal, log: Path) -> None:
    recipe = recipes.load(checkout.root, "compose")
    shared = Path("/usr/local/lib/docker/cli-plugins")
    target = shared if host.is_root() else Path.home() / ".docker" / "cli-plugins"
    checkout.state.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="compose-", dir=checkout.state))
    try:
        with terminal.step("building the compose plugin") as step:
            build_go.compile_programs(recipe, work / "bin", work, log, step.note)
        target.mkdir(parents=True, exist_ok=True)
        # Copied beside its name first: the folder may be on another disk.
        fresh = target / ".docker-compose.new"
        shutil.copy2(work / "bin" / "docker-compose", fresh)
        fresh.replace(target / "docker-compose")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if version() is None:
        raise StackError(f"the compose plugin in {target} does not run, see {log}", log=log)
