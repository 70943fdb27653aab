"""Signals of the programs that tests start."""

import signal
from pathlib import Path


def with_default_signals() -> None:
    """Give a child its signals' default actions: for `preexec_fn`.

    One that is started in the background, by `nohup` or without a terminal, would ignore some.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def catches(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal (Linux: proc_pid_status(5))."""
    status = Path("/proc", str(pid), "status").read_text(encoding="ascii")
    [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (number - 1) & 1)
