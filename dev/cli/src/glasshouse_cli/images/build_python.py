"""Installs a Python application's files on the host, for the image's Python, not the host's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from importlib.metadata import distributions
from pathlib import Path

from glasshouse_cli.errors import StackError
from glasshouse_cli.images.recipe import Recipe
from glasshouse_cli.process import run_logged

_PYTHON = "3.13"
_PLATFORMS = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
_TIMEOUT_S = 600.0
_LAUNCHER = """#!/opt/venv/bin/python3
import sys

from {module} import {attribute}

sys.exit({attribute}())
"""


def stage(
    recipe: Recipe, work: Path, log: Path, note: Callable[[str], None], architecture: str
) -> dict[str, str]:
    """Make deps/, own/ and bin/ in `work`; every version is the lock file's.

    Raises StackError when uv is missing or cannot install.
    """
    options = recipe.options
    uv = _uv(recipe)

    def call(title: str, *arguments: str) -> None:
        note(title)
        if run_logged([uv, *arguments], log=log, timeout=_TIMEOUT_S, cwd=recipe.root) != 0:
            raise StackError(f"{recipe.name}: {title} failed, see {log}", log=log)

    requirements = work / "requirements.txt"
    call(
        "reading the lock file",
        *("export", "--quiet", "--frozen", "--no-dev", "--no-emit-workspace"),
        *("--package", options["package"], "--output-file", str(requirements)),
    )
    target = (
        *("pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"),
        *("--python-version", _PYTHON, "--python-platform", _platform(architecture), "--target"),
    )
    call("installing dependencies", *target, str(work / "deps"), "-r", str(requirements))
    wheels = work / "wheels"
    for folder in options["own"]:
        call(f"building {folder}", "build", "--quiet", "--wheel", "-o", str(wheels), folder)
    call("installing our code", *target, str(work / "own"), *map(str, wheels.glob("*.whl")))
    for part in ("deps", "own"):
        shutil.rmtree(work / part / "bin", ignore_errors=True)  # they name the host's Python
        (work / part / ".lock").unlink(missing_ok=True)
    _write_launchers(recipe.name, options["commands"], work)
    return {}


def _write_launchers(name: str, commands: Sequence[str], work: Path) -> None:
    found = {
        entry.name: entry
        for distribution in distributions(path=[str(work / "deps"), str(work / "own")])
        for entry in distribution.entry_points.select(group="console_scripts")
    }
    (work / "bin").mkdir()
    for command in commands:
        if command not in found:
            raise StackError(f"{name}: no package installs the command {command}")
        entry = found[command]
        launcher = work / "bin" / command
        launcher.write_text(_LAUNCHER.format(module=entry.module, attribute=entry.attr))
        launcher.chmod(0o755)


def _platform(architecture: str) -> str:
    if architecture not in _PLATFORMS:
        raise StackError(f"no images for {architecture}: only {' and '.join(_PLATFORMS)}")
    return _PLATFORMS[architecture]


def _uv(recipe: Recipe) -> str:
    own = recipe.root / ".uv" / "bin" / "uv"
    uv = os.environ.get("UV") or (str(own) if own.is_file() else shutil.which("uv"))
    if uv is None:
        raise StackError("uv is missing: `make images` installs it")
    return uv
