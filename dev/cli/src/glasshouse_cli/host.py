"""The machine itself: packages, service manager, memory, disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run, run_logged

_INSTALL_TIMEOUT_S = 900.0
# What a running stack may come to need: its data, and the logs of its containers.
STACK_DISK_BYTES = 5 * 1024**3


def is_root() -> bool:
    return os.geteuid() == 0


def can_install() -> bool:
    """Whether we may install packages: root, on a Debian or Ubuntu."""
    return is_root() and Path("/etc/debian_version").is_file() and bool(shutil.which("apt-get"))


def has_service_manager() -> bool:
    """Whether systemd runs this machine; in a container it usually does not."""
    return Path("/run/systemd/system").is_dir()


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


def has_package(name: str) -> bool:
    """Whether the package lists on this machine know `name`."""
    return run(["apt-cache", "show", "--no-all-versions", name], timeout=30).ok


def memory_bytes() -> tuple[int, int]:
    """Total and available memory, in bytes."""
    values: dict[str, int] = {}
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        key, _, rest = line.partition(":")
        values[key] = int(rest.split()[0]) * 1024
    return values["MemTotal"], values["MemAvailable"]


def free_disk_bytes(path: Path) -> int:
    """Free space, in bytes, where `path` is or would be made."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
