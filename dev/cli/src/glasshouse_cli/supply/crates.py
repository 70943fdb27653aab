"""The Rust crates that the native wheel is built of, read from its lock file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run
from glasshouse_cli.supply.parts import Part

NATIVE: Final = Path("native")
LOCK: Final = NATIVE / "Cargo.lock"
_TIMEOUT_S: Final = 120.0
_DIGITS: Final = 64

# Licence by name and version.
Licences = Mapping[tuple[str, str], str]


def of(root: Path, known: Licences) -> list[Part]:
    """Every crate of the lock file, ours left out: what is compiled in, and what only builds it.

    known: for where there is no Cargo, which nothing else here needs; a version's licence stays.
    Raises StackError when the lock file cannot be read, or a licence is known to neither.
    """
    stated, fault = _stated(root)
    licences = {**known, **stated}
    found: list[Part] = []
    for entry in locked(root):
        crate = (entry["name"], entry["version"])
        if crate not in licences:
            raise StackError(
                f"{LOCK}: the licence of {crate[0]} {crate[1]} is not known here ({fault}): "
                f"install Rust, then `cargo fetch --locked --manifest-path {NATIVE / 'Cargo.toml'}`"
            )
        found.append(
            Part(
                kind="cargo",
                name=crate[0],
                version=crate[1],
                licence=licences[crate],
                sha256=tuple(_digest(entry)),
            )
        )
    return sorted(found)


def locked(root: Path) -> list[dict[str, Any]]:
    """The entries of the lock file that come from elsewhere. Raises StackError."""
    file = root / LOCK
    try:
        packages = tomllib.loads(file.read_text(encoding="utf-8"))["package"]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise StackError(f"{file}: {error}: restore it, `git checkout {LOCK}`") from error
    return [one for one in packages if "source" in one]


def unsummed(root: Path) -> Iterator[str]:
    """A line for each crate without a SHA-256 in the lock file."""
    for entry in locked(root):
        if not [*_digest(entry)]:
            yield (
                f"{entry['name']} {entry['version']} has no checksum in {LOCK}: take it from a "
                "registry, then `cargo update --workspace` there"
            )


def _digest(entry: Mapping[str, Any]) -> Iterator[str]:
    digest = str(entry.get("checksum", ""))
    if len(digest) == _DIGITS and not set(digest) - set("0123456789abcdef"):
        yield digest


def _stated(root: Path) -> tuple[Licences, str]:
    """What the crates themselves state, by Cargo; or nothing, and why."""
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    answer = run(command, timeout=_TIMEOUT_S, cwd=root / NATIVE)
    if not answer.ok:
        return {}, answer.last_line
    packages = json.loads(answer.out)["packages"]
    # Older crates write a stroke for OR.
    licences = {
        (one["name"], one["version"]): str(one["license"] or "").replace("/", " OR ")
        for one in packages
    }
    return licences, "Cargo does not name it"
