"""What was measured, where and when: without it a figure is nobody's."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

# Of a minute or five before a run: above it, something else was at work.
MOST_LOAD: Final = 1.0
# Over a run of a quarter of an hour: one of it is the bench's own.
_MOST_LOAD_DURING: Final = 1.5
# user, nice, system, idle, iowait, irq, softirq, steal: proc_stat(5). Guests are part of user.
_IDLE: Final = (3, 4)
_COUNTED: Final = 8


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


def busy(load_average: Mapping[str, Sequence[float] | None], *, is_long: bool = False) -> float:
    """Return the load before a run; 0 for that of a quiet machine.

    is_long: of a quarter of an hour or more. What ended just before such a run began is no load of
    it, which shows in the averages after it.
    """
    before, after = (load_average[moment] or () for moment in ("before", "after"))
    if is_long and after and after[-1] <= _MOST_LOAD_DURING:
        return 0.0
    found = max(before[:2], default=0.0)
    return found if found > MOST_LOAD else 0.0


def others_cores(seconds: float = 3.0) -> float:
    """Return how many cores are in use while the caller waits: all of it is others' work."""
    used, idle = _ticks()
    time.sleep(seconds)
    used_then, idle_then = _ticks()
    worked = used_then - used
    every = worked + idle_then - idle
    return round((os.cpu_count() or 1) * worked / every, 2) if every else 0.0


def _ticks() -> tuple[int, int]:
    """Return what all cores worked and did not, since the machine started."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    counts = [int(one) for one in first[1 : 1 + _COUNTED]]
    idle = sum(counts[one] for one in _IDLE)
    return sum(counts) - idle, idle


def commit_of(source: Mapping[str, Any]) -> str:
    """Return what `commit` found, in words."""
    return f"commit {source['commit']}{', with changes' if source['changed'] else ''}"


def averages(values: Sequence[float] | None) -> str:
    """Return a load average in words."""
    return " / ".join(f"{one:.2f}" for one in values or ()) or "unknown"


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
