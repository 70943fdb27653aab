"""Makes a Debian root file system with Java, and fetches the jars beside it by Maven."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from glasshouse_cli import host
from glasshouse_cli.errors import StackError
from glasshouse_cli.images import build_debian
from glasshouse_cli.images.recipe import Recipe
from glasshouse_cli.process import run_logged

_TIMEOUT_S = 900.0


def stage(
    recipe: Recipe, work: Path, log: Path, note: Callable[[str], None], architecture: str
) -> dict[str, str]:
    """Make `work`/rootfs.tar and `work`/libs. Raises StackError when a tool is missing or fails."""
    debian = dataclasses.replace(recipe, options=recipe.options["debian"])
    arguments = build_debian.stage(debian, work, log, note, architecture)
    note("fetching jars")
    fetch(recipe, work / "libs", log)
    return arguments


def fetch(recipe: Recipe, target: Path, log: Path) -> None:
    """Copy the jars of the recipe into the folder `target`; each is the one that the lock names.

    Raises StackError when Maven is missing or fails, or a jar is another, is missing or too many.
    """
    _copy(recipe, target, log)
    if faults := _differences(locked(recipe), _digests(target)):
        shutil.rmtree(target)
        raise StackError(f"{recipe.name}: {faults}: see {_lock(recipe)}")


def locked(recipe: Recipe) -> Mapping[str, str]:
    """The SHA-256 of each jar by its name, as `sha256sum` writes it. Raises StackError."""
    found: dict[str, str] = {}
    for number, line in enumerate(_lock(recipe).read_text(encoding="ascii").splitlines(), 1):
        digest, _, name = line.partition("  ")
        if len(digest) != hashlib.sha256().digest_size * 2 or not name.endswith(".jar"):
            raise StackError(f"{_lock(recipe)}:{number}: no line of sha256sum: {line!r}")
        found[name] = digest
    return found


def _lock(recipe: Recipe) -> Path:
    return recipe.folder / recipe.options["lock"]


def _copy(recipe: Recipe, target: Path, log: Path) -> None:
    _ensure_maven(recipe.name, log)
    pom = recipe.folder / recipe.options["pom"]
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={target}"]
    if run_logged(command, log=log, timeout=_TIMEOUT_S) != 0:
        raise StackError(f"{recipe.name}: Maven failed, see {log}", log=log)


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")
    }


def _differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What is wrong with the jars, by name; empty when nothing is."""
    other = sorted(one for one in wanted.keys() & found.keys() if wanted[one] != found[one])
    return "; ".join(
        f"{what} {', '.join(names)}"
        for what, names in (
            ("not as locked:", other),
            ("missing:", sorted(wanted.keys() - found.keys())),
            ("not in the lock:", sorted(found.keys() - wanted.keys())),
        )
        if names
    )


def _ensure_maven(name: str, log: Path) -> None:
    if shutil.which("mvn"):
        return
    if host.can_install():
        host.install(["maven"], log)
        return
    raise StackError(f"building {name} needs Maven: {host.how_to_install('maven')}")
