"""The virtual environments of the variants, each with the service and what is measured with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from glasshouse_bench.overhead.variants import OURS, Server, Variant
from glasshouse_cli.errors import StackError

FOLDER = ".venv-bench"
LOCKS = Path("dev") / "bench" / "environments"
INSTALLED_WITHIN_S = 1200
# What of this checkout is built into an environment, by its name.
_BUILT = {"native": "native"}
# Whose versions say what was measured.
_SHOWN = (
    "ddtrace",
    "fastapi",
    "glasshouse",
    "glasshouse-native",
    "httptools",
    "logfire",
    "opentelemetry-instrumentation",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-sdk",
    "psycopg",
    "sentry-sdk",
    "uvicorn",
    "uvloop",
)
_LIST = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
)


class Environment(NamedTuple):
    """``programs``: its folder of programs. ``versions``: of all that is installed there."""

    programs: Path
    versions: dict[str, str]

    def lacks(self, needs: Iterable[str]) -> list[str]:
        """Return what of ``needs`` is not installed."""
        return [one for one in needs if one not in self.versions]

    def shown(self) -> dict[str, str]:
        """Return the versions that say what was measured."""
        return {name: self.versions[name] for name in _SHOWN if name in self.versions}


def current() -> Environment:
    """Return the environment that this program runs in."""
    return _read(Path(sys.executable).parent)


def make(root: Path, name: str) -> Environment:
    """Install what the lock of ``name`` says, beside the service as it is in the checkout.

    Raises:
        StackError: it cannot be installed.
    """
    folder = root / FOLDER / name
    lock = root / LOCKS / f"{name}.txt"
    uv = root / ".uv" / "bin" / "uv"
    if not uv.is_file():
        raise StackError(f"{uv} is missing: run make venv")
    project = ["--frozen", "--inexact", "--no-default-groups", "--package", "glasshouse-bench"]
    commands: list[list[str | Path]] = [
        [uv, "sync", "--quiet", *project],
        [uv, "pip", "install", "--quiet", "--python", folder, "--require-hashes", "-r", lock],
    ]
    if built := _BUILT.get(name):
        commands.append([uv, "pip", "install", "--quiet", "--python", folder, root / built])
    for command in commands:
        done = subprocess.run(  # noqa: S603 (our own command)
            command,
            cwd=root,
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)},
            capture_output=True,
            text=True,
            timeout=INSTALLED_WITHIN_S,
            check=False,
        )
        if done.returncode:
            reason = next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
            raise StackError(
                f"{FOLDER}/{name} cannot be made: {reason}: leave it out of --variants"
            )
    return _read(folder / "bin")


def gather(
    root: Path,
    variants: Iterable[Variant],
    servers: Iterable[Server],
    say: Callable[[str], None],
    *,
    is_strict: bool,
) -> dict[str, Environment]:
    """Make what the variants need; return the environment of each by its name.

    Unless ``is_strict``, one of others that cannot be had is left out with one line.

    Raises:
        StackError: one that is needed cannot be had.
    """
    wanted = list(servers)
    made: dict[str, Environment] = {}
    found: dict[str, Environment] = {}
    for one in variants:
        try:
            if one.environment not in made:
                say(f"installing what {one.name} is measured with")
                made[one.environment] = make(root, one.environment)
            check(made[one.environment], one, wanted)
        except StackError as error:
            if is_strict or one.environment == OURS:
                raise
            say(f"left out: {one.name}: {error}")
            continue
        found[one.name] = made[one.environment]
    return found


def check(environment: Environment, variant: Variant, servers: Iterable[Server]) -> None:
    """Raise StackError where something that is to be measured is not installed."""
    needs = {*variant.needs, *(one for server in servers for one in server.needs)}
    if missing := environment.lacks(sorted(needs)):
        raise StackError(
            f"{environment.programs.parent} lacks {', '.join(missing)}, which {variant.name} is "
            "measured with: run make bench, or choose other --variants and --servers"
        )


def _read(programs: Path) -> Environment:
    command = [programs / "python", "-c", _LIST]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 (our own command)
    return Environment(programs, json.loads(listed.stdout))
