"""The parts of others in what is shipped, read from the lock files."""

from __future__ import annotations

import base64
import binascii
import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from packaging.markers import Marker

from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run
from glasshouse_cli.supply import licences

Kind = Literal["pypi", "golang", "cargo", "deb"]
GO_DISTRIBUTION: Final = Path("collector", "distribution")
# Of these packages are the wheels and images that a release publishes, and the sandbox's image.
PACKAGES: Final = ("glasshouse-backend", "glasshouse-cli", "glasshouse-fakes")
OURS_IN_GO: Final = "glasshouse.example/"
_GO_TIMEOUT_S: Final = 600.0
# Where the images run: markers of the lock are judged for it, not for this machine.
_IMAGE: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
    "extra": "",
}


@dataclass(frozen=True, kw_only=True, order=True)
class Part:
    """One package of somebody else.

    licence: an SPDX expression, empty when unknown. sha256: of its files, in hexadecimal digits.
    """

    kind: Kind
    name: str
    version: str
    licence: str = ""
    sha256: tuple[str, ...] = field(default=(), compare=False)
    suffix: str = field(default="", compare=False)

    @property
    def purl(self) -> str:
        """Its package URL."""
        space = "debian/" if self.kind == "deb" else ""
        version = self.version.replace("+", "%2B")
        return f"pkg:{self.kind}/{space}{self.name}@{version}{self.suffix}"


@cache
def lock(root: Path) -> dict[str, dict[str, Any]]:
    """The packages of `uv.lock` by name. Raises StackError when it cannot be read."""
    file = root / "uv.lock"
    try:
        packages = tomllib.loads(file.read_text(encoding="utf-8"))["package"]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise StackError(f"{file}: {error}: restore it, `git checkout uv.lock`") from error
    found: dict[str, dict[str, Any]] = {}
    for package in packages:
        # Two versions of one package differ by marker; what is shipped has one.
        found.setdefault(package["name"], package)
    return found


def python(root: Path, package: str) -> list[Part]:
    """The Python packages that an image with `package` has, ours left out."""
    packages = lock(root)
    names: set[str] = set()
    waiting = [(package, "")]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        entry = packages[name]
        if "registry" in entry["source"]:
            names.add(name)
        needed = entry.get("optional-dependencies", {}).get(extra, []) if extra else []
        needed = needed or entry.get("dependencies", [])
        for one in needed:
            marker = one.get("marker")
            if marker is None or Marker(marker).evaluate(_IMAGE):
                waiting.append((one["name"], ""))
                waiting += [(one["name"], wanted) for wanted in one.get("extra", ())]
    return sorted(_python_part(packages[name]) for name in names)


def _python_part(entry: dict[str, Any]) -> Part:
    name, version = entry["name"], entry["version"]
    try:
        installed = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise StackError(f"{name} is not installed: `make venv` installs it") from None
    if installed.version != version:
        raise StackError(f"{name} is {installed.version}, the lock has {version}: `make venv`")
    files = [*entry.get("wheels", ()), *([entry["sdist"]] if "sdist" in entry else [])]
    return Part(
        kind="pypi",
        name=name,
        version=version,
        licence=licences.of_distribution(installed),
        sha256=tuple(file["hash"].removeprefix("sha256:") for file in files),
    )


def go(root: Path, module: Path = GO_DISTRIBUTION) -> list[Part]:
    """The Go modules that are compiled into the program of `module`, ours left out.

    Raises StackError when Go is missing or cannot read the module.
    """
    template = "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}"
    env = {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64"}
    command = ["go", "list", "-mod=readonly", "-deps", "-f", template, "."]
    answer = run(command, timeout=_GO_TIMEOUT_S, cwd=root / module, env=env)
    if not answer.ok:
        raise StackError(f"{module}: {answer.last_line}: install Go 1.26, see CONTRIBUTING.md")
    sums = go_sums((root / module / "go.sum").read_text(encoding="utf-8"))
    found: set[Part] = set()
    for line in set(answer.out.splitlines()):
        path, _, rest = line.partition("\t")
        version, _, folder = rest.partition("\t")
        if path and version and not path.startswith(OURS_IN_GO):
            digest = sums.get((path, version))
            found.add(
                Part(
                    kind="golang",
                    name=path,
                    version=version,
                    licence=licences.of_folder(Path(folder)),
                    sha256=(digest,) if digest else (),
                )
            )
    return sorted(found)


def go_sums(text: str) -> dict[tuple[str, str], str]:
    """(module, version) -> SHA-256 over its files, of the lines of a go.sum."""
    return {
        (name, version): digest
        for name, version, h1 in (
            line.split() for line in text.splitlines() if len(line.split()) == 3
        )
        if (digest := h1_digits(h1))
    }


def h1_digits(h1: str) -> str:
    """The hexadecimal digits of Go's `h1:` digest; empty when it is none."""
    try:
        return base64.b64decode(h1.removeprefix("h1:"), validate=True).hex()
    except binascii.Error:
        return ""


def required(go_mod: str) -> Iterator[tuple[str, str]]:
    """Yield module and version of each requirement of a go.mod; a replaced one as replaced."""
    replaced: dict[str, tuple[str, str]] = {}
    wanted: list[tuple[str, str]] = []
    block = ""
    for raw in go_mod.splitlines():
        line = raw.partition("//")[0].strip()
        if opened := re.fullmatch(r"(\w+) \(", line):
            block = opened[1]
            continue
        if line == ")":
            block = ""
            continue
        word, _, rest = line.partition(" ")
        directive, entry = (block, line) if block else (word, rest)
        if directive == "require" and len(entry.split()) == 2:
            name, version = entry.split()
            wanted.append((name, version))
        elif directive == "replace" and "=>" in entry:
            old, _, new = entry.partition("=>")
            target = new.split()
            replaced[old.split()[0]] = (target[0], target[1] if len(target) > 1 else "")
    for name, version in wanted:
        path, at = replaced.get(name, (name, version))
        if at:
            yield path, at


def by_image(root: Path, packages: Iterable[str] = PACKAGES) -> dict[Part, list[str]]:
    """Each Python package that is shipped, with the packages of ours that bring it."""
    found: dict[Part, list[str]] = {}
    for package in packages:
        for part in python(root, package):
            found.setdefault(part, []).append(package)
    return dict(sorted(found.items()))
