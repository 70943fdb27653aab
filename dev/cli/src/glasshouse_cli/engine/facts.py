"""What the engine says about itself and the machine that it runs on."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glasshouse_cli import host
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import Finished, run

_ASK_TIMEOUT_S = 30.0
# Names of one architecture: Docker says the kernel's, Podman Go's.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One engine. Sizes are in bytes; `name` is the name of the machine that it runs on."""

    version: str
    podman: bool
    name: str
    operating_system: str
    architecture: str
    memory_bytes: int
    root: str
    rootless: bool
    remaps_users: bool
    selinux: bool
    limits_processor: bool
    proxy: str

    @property
    def go_architecture(self) -> str:
        """The architecture as Go calls it: amd64, arm64."""
        return _ARCHITECTURES.get(self.architecture, self.architecture)

    @property
    def is_here(self) -> bool:
        """Whether the engine runs on this machine itself, not in a virtual one or elsewhere."""
        return (
            host.is_linux()
            and self.name == socket.gethostname()
            and self.operating_system not in ("Docker Desktop", "OrbStack")
            and Path(self.root).is_absolute()
        )


def read() -> Facts:
    """Ask the engine. Raises StackError when it does not answer."""
    answer = run(["docker", "info", "--format", "{{json .}}"], timeout=_ASK_TIMEOUT_S)
    found = _parsed(answer)
    # Some clients end with 0 although the engine does not answer.
    if not answer.ok or not found.get("ServerVersion"):
        errors = found.get("ServerErrors") or [answer.last_line]
        raise StackError(f"the Docker engine does not answer: {errors[0]}")
    options = {_option(one) for one in found.get("SecurityOptions") or ()}
    return Facts(
        version=str(found["ServerVersion"]),
        podman=is_podman(server()[0] or {}),
        name=str(found.get("Name", "")),
        operating_system=str(found.get("OperatingSystem", "")),
        architecture=str(found.get("Architecture", "")),
        memory_bytes=int(found.get("MemTotal") or 0),
        root=str(found.get("DockerRootDir", "")),
        rootless="rootless" in options,
        remaps_users="userns" in options,
        selinux="selinux" in options,
        limits_processor=bool(found.get("CpuCfsQuota", True)),
        proxy=str(found.get("HttpsProxy") or found.get("HttpProxy") or ""),
    )


def server() -> tuple[dict[str, Any] | None, Finished]:
    """The engine's versions as `docker version` gives them, None when it does not answer."""
    answer = run(["docker", "version", "--format", "{{json .Server}}"], timeout=_ASK_TIMEOUT_S)
    found = _parsed(answer)
    return (found if answer.ok and found.get("Version") else None), answer


def is_podman(found: dict[str, Any]) -> bool:
    """Whether these versions are Podman's."""
    return any("Podman" in str(one.get("Name")) for one in found.get("Components") or ())


def sentence(answer: Finished) -> str:
    """Why the client could not ask the engine, in its words."""
    # In JSON the answer of an engine that does not run is `null`, which explains nothing.
    return Finished(code=answer.code, out="", err=answer.err).last_line


def _option(text: str) -> str:
    # name=seccomp,profile=builtin
    return text.partition(",")[0].removeprefix("name=")


def _parsed(answer: Finished) -> dict[str, Any]:
    try:
        found = json.loads(answer.out)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
