"""The machine that the command runs on: which kind it is, and what may be installed on it.

Nothing here says what the engine has: on macOS, in WSL and behind DOCKER_HOST that is another
machine, or another part of this one.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run, run_logged

_INSTALL_TIMEOUT_S = 900.0
_MEMORY = Path("/proc/meminfo")
_SYSTEMD = Path("/run/systemd/system")
_DEBIAN = Path("/etc/debian_version")
# What a running stack may come to need: its data, and the logs of its containers.
STACK_DISK_BYTES = 5 * 1024**3


class Kind(StrEnum):
    """The kinds of machine that need other words, as people call them."""

    LINUX = "Linux"
    WSL = "WSL2"
    MACOS = "macOS"
    OTHER = "this system"


def kind() -> Kind:
    """Which kind this machine is. WSL2 is a Linux of its own, but its engine is often Windows'."""
    match platform.system():
        case "Linux":
            # Microsoft's kernel has its name in the release: 5.15.153.1-microsoft-standard-WSL2.
            return Kind.WSL if "microsoft" in platform.release().lower() else Kind.LINUX
        case "Darwin":
            return Kind.MACOS
        case _:
            return Kind.OTHER


def is_linux() -> bool:
    """Whether programs of Linux can run here: also in WSL2."""
    return kind() in (Kind.LINUX, Kind.WSL)


def is_root() -> bool:
    return os.geteuid() == 0


def can_install() -> bool:
    """Whether we may install packages: root, on a Debian or Ubuntu."""
    return is_linux() and is_root() and _DEBIAN.is_file() and bool(shutil.which("apt-get"))


def has_service_manager() -> bool:
    """Whether systemd runs this machine; in a container it usually does not."""
    return is_linux() and _SYSTEMD.is_dir()


def install(packages: Sequence[str], log: Path) -> None:
    """Install Debian packages. Raises StackError when that fails."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if run_logged(install, log=log, timeout=_INSTALL_TIMEOUT_S, env=quiet) == 0:
        return
    # The package lists may be missing or old.
    update = ["apt-get", "update"]
    codes = [
        run_logged(c, log=log, timeout=_INSTALL_TIMEOUT_S, env=quiet) for c in (update, install)
    ]
    if codes[1] != 0:
        raise StackError(f"cannot install {' '.join(packages)}, see {log}", log=log)


def how_to_install(package: str) -> str:
    """The command that installs a package, which has the same name everywhere, on this machine."""
    if kind() is Kind.MACOS:
        return f"`brew install {package}`"
    if is_linux() and shutil.which("dnf"):
        return f"`sudo dnf install {package}`"
    return f"`sudo apt-get install {package}`"


def has_package(name: str) -> bool:
    """Whether the package lists on this machine know `name`."""
    return run(["apt-cache", "show", "--no-all-versions", name], timeout=30).ok


def available_memory_bytes() -> int | None:
    """Memory that programs may still take on this machine; None where Linux does not say it."""
    if not is_linux():
        return None
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, rest = line.partition(":")
        if key == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return None


def free_disk_bytes(path: Path) -> int:
    """Free space, in bytes, where `path` is or would be made on this machine."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
