"""What was measured, where and when: without it a figure is nobody's."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """Return what kind of machine this is; nothing by which it could be found."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def now() -> str:
    """Return the moment in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def load_average() -> list[float]:
    """Return the load of the last 1, 5 and 15 minutes."""
    return [round(one, 2) for one in os.getloadavg()]


def commit(root: Path) -> dict[str, Any]:
    """Return the commit that is checked out, and whether code of it was changed since."""
    try:
        name = _git(root, "rev-parse", "--short=12", "HEAD")
        # What is measured; a result that is being written is no change of it.
        changed = _git(root, "status", "--porcelain", "--", "instrumentation", "service", "uv.lock")
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "changed": None}
    return {"commit": name, "changed": bool(changed)}


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 (our own command)
        ["git", "-C", root, *words],  # noqa: S607 (the one on the path)
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    named = [one.partition(":")[2].strip() for one in lines if one.startswith("model name")]
    return named[0] if named else platform.machine()
