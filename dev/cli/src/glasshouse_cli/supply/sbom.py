"""Bills of materials in CycloneDX, of what an image really holds."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final

from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically
from glasshouse_cli.process import run
from glasshouse_cli.supply import licences
from glasshouse_cli.supply.parts import OURS_IN_GO, Part, h1_digits

SPECIFICATION: Final = "1.6"
_TIMEOUT_S: Final = 120.0
# How a program says that the Go linker wrote its modules into it.
_GO_BUILD: Final = b"\xff Go buildinf:"
_OURS: Final = "glasshouse"
# What is compiled into it is in no image.
WHEEL: Final = "glasshouse-native"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What an image holds: packages of others, and ours by name and version."""

    parts: tuple[Part, ...]
    ours: tuple[tuple[str, str], ...]


def write_wheel(file: Path, name: str, version: str, found: Iterable[Part]) -> None:
    """Write the document of a wheel and what is compiled into it."""
    root = f"pkg:pypi/{name}@{version}"
    component = {"type": "library", "bom-ref": root, "name": name, "version": version, "purl": root}
    components = [_component(part) for part in found]
    write_atomically(file, json.dumps(_document(component, components), indent=2) + "\n")


def write(file: Path, name: str, tag: str, contents: Contents) -> None:
    """Write the document of one image."""
    found = run(["docker", "image", "inspect", "--format", "{{.Id}}", tag], timeout=_TIMEOUT_S)
    if not found.ok:
        raise StackError(f"{tag}: {found.last_line}")
    text = json.dumps(document(name, tag, found.out.strip(), contents), indent=2) + "\n"
    write_atomically(file, text)


def document(name: str, tag: str, image_id: str, contents: Contents) -> dict[str, Any]:
    """The CycloneDX document of one image."""
    version = tag.rpartition(":")[2]
    root = f"image:{name}"
    components = [_component(part) for part in contents.parts]
    components += [
        {
            "type": "application",
            "bom-ref": f"pkg:generic/{ours}@{at}",
            "name": ours,
            "version": at,
            "purl": f"pkg:generic/{ours}@{at}",
            "licenses": [{"license": {"id": "Apache-2.0"}}],
        }
        for ours, at in contents.ours
    ]
    component = {
        "type": "container",
        "bom-ref": root,
        "name": tag.rpartition(":")[0],
        "version": version,
        "hashes": [{"alg": "SHA-256", "content": image_id.removeprefix("sha256:")}],
    }
    return _document(component, components)


def _document(component: dict[str, Any], components: list[dict[str, Any]]) -> dict[str, Any]:
    state = hashlib.sha256(json.dumps([component, components]).encode()).hexdigest()
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.UUID(state[:32], version=4)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": "glasshouse",
                        "version": importlib.metadata.version("glasshouse-cli"),
                    }
                ]
            },
            "component": component,
        },
        "components": components,
        "dependencies": [
            {"ref": component["bom-ref"], "dependsOn": [one["bom-ref"] for one in components]}
        ],
    }


def _component(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    if part.licence and part.kind == "deb":
        # Debian's names are not SPDX's.
        found["licenses"] = [{"license": {"name": name}} for name in part.licence.split("; ")]
    elif part.licence:
        found["licenses"] = [{"expression": part.licence}]
    if part.kind in {"golang", "cargo"} and part.sha256:
        # Over all its files, as in go.sum; of the archive, as in Cargo.lock.
        found["hashes"] = [{"alg": "SHA-256", "content": part.sha256[0]}]
    elif part.kind == "golang" and part.name != "stdlib":
        found["pedigree"] = {"notes": "compiled with files laid over it: see dev/images"}
    return found


def read_image(tag: str) -> Contents:
    """What is in an image of the local engine. Raises StackError when it cannot be read."""
    made = run(["docker", "create", "--network", "none", tag, "-"], timeout=_TIMEOUT_S)
    if not made.ok:
        raise StackError(f"{tag}: {made.last_line}")
    container = made.out.strip()
    try:
        with subprocess.Popen(  # noqa: S603  # an argument list of ours, no shell
            ["docker", "export", container],  # noqa: S607  # as everywhere, found on PATH
            stdout=subprocess.PIPE,
        ) as export:
            assert export.stdout is not None  # noqa: S101  # it was given a pipe
            with tarfile.open(fileobj=export.stdout, mode="r|") as archive:
                return read_archive(archive)
    except tarfile.TarError as error:
        raise StackError(f"{tag}: its files cannot be read: {error}") from error
    finally:
        run(["docker", "rm", "--force", container], timeout=_TIMEOUT_S)


def read_archive(archive: tarfile.TarFile) -> Contents:
    """What is in the files of an image: Debian packages, Python packages, Go programs."""
    found: set[Part] = set()
    ours: set[tuple[str, str]] = set()
    release = ""
    copyrights: dict[str, str] = {}
    debian: list[str] = []
    for member in archive:
        if not member.isfile():
            continue
        name = member.name.removeprefix("./")
        if name.endswith(".dist-info/METADATA"):
            _python(_text(archive, member), found, ours)
        elif name == "var/lib/dpkg/status" or name.startswith("var/lib/dpkg/status.d/"):
            debian.append(_text(archive, member))
        elif name in {"etc/os-release", "usr/lib/os-release"}:
            release = _text(archive, member) or release
        elif copied := re.fullmatch(r"usr/share/doc/([^/]+)/copyright", name):
            copyrights[copied[1]] = _text(archive, member)
        elif member.mode & 0o111 and member.size > 1_000_000:
            _go(_bytes(archive, member), found, ours)
    for text in debian:
        found.update(_debian(text, release, copyrights))
    return Contents(parts=tuple(sorted(found)), ours=tuple(sorted(ours)))


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    return _bytes(archive, member).decode("utf-8", "replace")


def _python(text: str, found: set[Part], ours: set[tuple[str, str]]) -> None:
    data = HeaderParser().parsestr(text)
    name, version = str(data["Name"]), str(data["Version"])
    normal = re.sub(r"[-_.]+", "-", name).lower()
    if normal.startswith(_OURS):
        ours.add((normal, version))
        return
    try:
        installed = importlib.metadata.distribution(normal)
    except importlib.metadata.PackageNotFoundError:
        installed = None
    licence = str(data.get("License-Expression") or "")
    if not licence and installed is not None and installed.version == version:
        licence = licences.of_distribution(installed)
    found.add(Part(kind="pypi", name=normal, version=version, licence=licence))


def _go(program: bytes, found: set[Part], ours: set[tuple[str, str]]) -> None:
    if not program.startswith(b"\x7fELF") or _GO_BUILD not in program:
        return
    with tempfile.NamedTemporaryFile(prefix="glasshouse-") as file:
        file.write(program)
        file.flush()
        answer = run(["go", "version", "-m", file.name], timeout=_TIMEOUT_S)
    if not answer.ok:
        raise StackError(f"reading a Go program: {answer.last_line}: install Go 1.26")
    cache = Path(run(["go", "env", "GOMODCACHE"], timeout=_TIMEOUT_S).out.strip())
    for kind, name, version, h1 in modules(answer.out):
        if kind == "go":
            found.add(Part(kind="golang", name="stdlib", version=version, licence="BSD-3-Clause"))
        elif name.startswith(OURS_IN_GO):
            ours.add((name.removeprefix(OURS_IN_GO), version.strip("()")))
        else:
            folder = re.sub(r"[A-Z]", lambda letter: f"!{letter[0].lower()}", name)
            digits = h1_digits(h1)
            found.add(
                Part(
                    kind="golang",
                    name=name,
                    version=version,
                    licence=licences.of_folder(cache / f"{folder}@{version}"),
                    sha256=(digits,) if digits else (),
                )
            )


def modules(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield kind ("go", "mod", "dep"), module, version and digest of `go version -m`.

    A module that another replaces is yielded as the other; one that a folder replaces keeps its
    name, and has no digest.
    """
    first, _, rest = text.partition("\n")
    if toolchain := re.search(r": go(\S+)$", first):
        yield "go", "stdlib", toolchain[1], ""
    previous: tuple[str, str, str, str] | None = None
    for line in rest.splitlines():
        fields = [*line.split("\t")[1:5], "", "", "", ""]
        kind, name, version, h1 = fields[0], fields[1], fields[2], fields[3]
        if kind == "=>" and previous is not None:
            if name.startswith((".", "/")):
                previous = (previous[0], previous[1], previous[2], "")
            else:
                previous = ("dep", name, version, h1)
        elif kind in {"mod", "dep"}:
            if previous:
                yield previous
            previous = (kind, name, version, h1)
    if previous:
        yield previous


def _debian(text: str, release: str, copyrights: dict[str, str]) -> Iterable[Part]:
    number = re.search(r'^VERSION_ID="?([\w.]+)', release, re.MULTILINE)
    for paragraph in re.split(r"\n\n+", text.strip()):
        data = HeaderParser().parsestr(paragraph)
        # In status.d, which images without dpkg have, there is no status.
        if str(data.get("Status", "install ok installed")) != "install ok installed":
            continue
        if data["Package"] is None:
            continue
        suffix = f"?arch={data['Architecture']}"
        if number:
            suffix += f"&distro=debian-{number[1]}"
        yield Part(
            kind="deb",
            name=str(data["Package"]),
            version=str(data["Version"]),
            licence=_of_copyright(copyrights.get(str(data["Package"]), "")),
            suffix=suffix,
        )


def _of_copyright(text: str) -> str:
    """The licences by Debian's names that a machine-readable copyright file has."""
    return "; ".join(sorted(set(re.findall(r"^License: *(\S.*?) *$", text, re.MULTILINE))))
