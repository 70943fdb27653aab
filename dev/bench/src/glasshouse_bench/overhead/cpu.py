"""CPU time and memory of another process. Linux only."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from glasshouse_cli.errors import StackError

# <linux/posix-timers.h>: the clock of a process's CPU time is made of its id.
_SCHEDULER_CLOCK = 2
_KIB = 1024


def require() -> None:
    """Raise StackError where the kernel does not count as it is read here."""
    if sys.platform != "linux":
        raise StackError(f"the CPU time of a process is read from Linux, not {sys.platform}")


def used_ns(pid: int) -> int:
    """Return the CPU time of all threads, also of those that have ended, in nanoseconds."""
    return time.clock_gettime_ns((~pid << 3) | _SCHEDULER_CLOCK)


def main_thread_ns(pid: int) -> int:
    """Return the CPU time of the first thread, which runs the event loop, in nanoseconds."""
    text = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii")
    return int(text.split()[0])


def resident_bytes(pid: int) -> int:
    """Return the memory that the process holds now."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * _KIB
    raise StackError(f"/proc/{pid}/status has no VmRSS")
