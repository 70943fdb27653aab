"""Whether the engine has what the stack needs: memory, disk, and control of processor time."""

from __future__ import annotations

import re
from pathlib import Path

from glasshouse_cli import host
from glasshouse_cli.engine import provider
from glasshouse_cli.engine.endpoint import Endpoint
from glasshouse_cli.engine.facts import Facts
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run

STACK_MEMORY_BYTES = 2 * 1024**3
# Firmware, kernel and the virtual machine keep some for themselves.
MEMORY_SHARE = 0.9
_GIB = 1024**3
_DISK_TIMEOUT_S = 120.0


def check(facts: Facts, endpoint: Endpoint, needed: int = STACK_MEMORY_BYTES) -> None:
    """Raise StackError, naming the setting, when memory or control groups cannot be enough.

    needed: bytes of memory.
    """
    who = provider.of(endpoint, facts)
    if facts.memory_bytes < needed * MEMORY_SHARE:
        raise StackError(
            f"the stack needs {needed // _GIB} GiB of memory, the engine ({who.name}) has "
            f"{facts.memory_bytes / _GIB:.1f}: {who.memory}"
        )
    if not facts.limits_processor:
        raise StackError(
            f"the engine ({who.name}) may not limit processor time, which the stack asks for: "
            "give your user the controller cpu (Delegate=cpu cpuset io memory pids in "
            "/etc/systemd/system/user@.service.d/delegate.conf), then log in again"
        )


def check_disk(free: int | None, facts: Facts, endpoint: Endpoint) -> None:
    """Raise StackError when `free`, in bytes, is too little; None says nothing."""
    if free is not None and free < host.STACK_DISK_BYTES:
        who = provider.of(endpoint, facts)
        where = f" at {facts.root}" if facts.is_here else ""
        raise StackError(
            f"the stack needs 5 GiB of free disk, the engine ({who.name}) has "
            f"{free / _GIB:.1f}{where}: {who.disk}"
        )


def free_disk_bytes(facts: Facts) -> int | None:
    """Free space where the engine keeps images and volumes; None when only the engine knows."""
    return host.free_disk_bytes(Path(facts.root)) if facts.is_here else None


def ask_free_disk_bytes(image: str) -> int | None:
    """As above, from inside: a container of `image` sees the engine's disk. None if it cannot."""
    command = ["docker", "run", "--rm", "--network=none", "--label=dev.glasshouse.part=stack"]
    command += ["--cap-drop=ALL", "--log-driver=none", "--entrypoint=df", image, "-Pk", "/"]
    answer = run(command, timeout=_DISK_TIMEOUT_S)
    # Filesystem 1024-blocks Used Available Capacity Mounted on
    found = re.search(r"^\S+ +\d+ +\d+ +(\d+) +\d+% +/$", answer.out, re.MULTILINE)
    return int(found[1]) * 1024 if answer.ok and found else None
