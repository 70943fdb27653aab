"""`glasshouse audit`: what can be checked of the supply chain, and what could not be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from glasshouse_cli.errors import StackError
from glasshouse_cli.images import pin
from glasshouse_cli.images import recipe as recipes
from glasshouse_cli.project import Project
from glasshouse_cli.supply import advisories, crates, notices, parts
from glasshouse_cli.supply.advisories import Unreachable
from glasshouse_cli.supply.parts import Part

Status = Literal["passed", "failed", "not checked"]
FAILED: Final = 1
# What was checked is in order, but not all could be: never 0, so that nobody takes it for clean.
INCOMPLETE: Final = 3
_SHA256: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One check. faults: a line for each thing to fix, or why it could not be checked."""

    name: str
    status: Status
    detail: str
    faults: tuple[str, ...] = ()


def audit(
    checkout: Project, *, osv: str = advisories.OSV, database: str = advisories.GO_DATABASE
) -> list[Row]:
    """Run every check. Raises StackError only for a checkout that cannot be read."""
    root = checkout.root
    locked = everything(root)
    env = (root / ".env").read_text(encoding="utf-8")
    upstream = [
        recipe.variable for recipe in recipes.load_all(root) if recipe.upstream and recipe.variable
    ]
    return [
        _local("hashes in uv.lock", lambda: unhashed(parts.lock(root))),
        _local("hashes in go.sum", lambda: unsummed(root)),
        _local("hashes in Cargo.lock", lambda: crates.unsummed(root)),
        _local("licences", lambda: notices.unlicensed(shipped(root))),
        _pinned(pin.unpinned(env, upstream)),
        _known(root, locked, osv),
        _reached(checkout, database),
    ]


def exit_code(rows: Iterable[Row]) -> int:
    """0 when all was checked and is in order, else FAILED or INCOMPLETE."""
    statuses = {row.status for row in rows}
    if "failed" in statuses:
        return FAILED
    return INCOMPLETE if "not checked" in statuses else 0


def shipped(root: Path) -> list[Part]:
    """Each package of others that is in an image or a wheel."""
    return [*parts.by_image(root), *parts.go(root), *notices.crates(root)]


def everything(root: Path) -> list[Part]:
    """Each locked package once: what is shipped, what is compiled here, and the tools."""
    found = {
        Part(kind="pypi", name=name, version=entry["version"])
        for name, entry in parts.lock(root).items()
        if "registry" in entry["source"]
    }
    for file in go_mods(root):
        found |= {
            Part(kind="golang", name=name, version=version)
            for name, version in parts.required(file.read_text(encoding="utf-8"))
            if not name.startswith(parts.OURS_IN_GO)
        }
    found |= {
        Part(kind="cargo", name=entry["name"], version=entry["version"])
        for entry in crates.locked(root)
    }
    return sorted(found)


def go_mods(root: Path) -> list[Path]:
    """Every go.mod of the checkout."""
    files = [file for top in ("collector", "dev") for file in (root / top).rglob("go.mod")]
    return sorted(files)


def unhashed(packages: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A line for each package of a registry without a SHA-256 of each of its files."""
    for name, entry in packages.items():
        if "registry" not in entry["source"]:
            continue
        files = [*entry.get("wheels", ()), *([entry["sdist"]] if "sdist" in entry else [])]
        if not files:
            yield f"{name}: uv.lock names no file of it: `uv lock`"
        for file in files:
            if not _SHA256.fullmatch(file.get("hash", "")):
                yield f"{name}: {file.get('url', 'a file')} has no SHA-256 in uv.lock: `uv lock`"


def unsummed(root: Path) -> Iterator[str]:
    """A line for each required Go module without a digest in the go.sum beside it."""
    for file in go_mods(root):
        beside = file.with_name("go.sum")
        sums = parts.go_sums(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        known = {(name, version.removesuffix("/go.mod")) for name, version in sums}
        for wanted in parts.required(file.read_text(encoding="utf-8")):
            if not wanted[0].startswith(parts.OURS_IN_GO) and wanted not in known:
                where = file.relative_to(root).parent
                yield f"{where}: {wanted[0]} {wanted[1]} is not in go.sum: `go mod tidy` there"


def _local(name: str, check: Callable[[], Iterable[str]]) -> Row:
    try:
        faults = tuple(check())
    except StackError as error:
        return Row(name=name, status="not checked", detail=str(error))
    if faults:
        return Row(name=name, status="failed", detail=f"{len(faults)} to fix", faults=faults)
    return Row(name=name, status="passed", detail="")


def _pinned(by_tag: list[str]) -> Row:
    name = "images by digest"
    if not by_tag:
        return Row(name=name, status="passed", detail="")
    try:
        pin.digest_of(by_tag[0])
    except StackError as error:
        # Nobody can say here what the digests are, so it is no fault that can be fixed here.
        detail = f"{len(by_tag)} in .env are named by tag: {error}"
        return Row(name=name, status="not checked", detail=detail)
    faults = tuple(f"{image} is named by tag: `glasshouse images --pin`" for image in by_tag)
    return Row(name=name, status="failed", detail=f"{len(faults)} to fix", faults=faults)


def _known(root: Path, locked: list[Part], osv: str) -> Row:
    name = "known vulnerabilities"
    judged = advisories.accepted(root, datetime.now(UTC).date())
    try:
        found = advisories.known(locked, osv=osv)
    except Unreachable as error:
        return Row(name=name, status="not checked", detail=f"{len(locked)} packages: {error}")
    faults = tuple(one.line for one in found if one.name not in judged)
    detail = f"{len(locked)} packages, {len(found) - len(faults)} advisories accepted"
    return Row(name=name, status="failed" if faults else "passed", detail=detail, faults=faults)


def _reached(checkout: Project, database: str) -> Row:
    name = "Go code that is called"
    module = parts.GO_DISTRIBUTION
    try:
        found = advisories.reached(checkout.root, module, checkout.state, database=database)
    except Unreachable as error:
        return Row(name=name, status="not checked", detail=f"{module}: {error}")
    return Row(
        name=name, status="failed" if found else "passed", detail=str(module), faults=tuple(found)
    )
