"""Free ports on loopback, kept for this process."""

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

# Who connects, or asks for any port, is given one of these: one of them is soon somebody else's.
_GIVEN_AWAY: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_GIVEN_AWAY_FROM: Final = 32768
_FIRST: Final = 15000
# Of this user: another one's files cannot be opened.
_LOCKS: Final = Path(tempfile.gettempdir()) / f"glasshouse-test-ports-{os.getuid()}"
# Open files, each with the lock of one port; the system lets go of them when this process ends.
_kept: list[int] = []


def free(names: Iterable[str]) -> dict[str, int]:
    """Find a free port for each name, which nobody else is given while this process runs.

    It may be listened on later, and again: no other run of tests takes it, and no connection does.

    Raises OSError when none is left.
    """
    return {name: _keep() for name in names}


def _keep() -> int:
    _LOCKS.mkdir(exist_ok=True)
    ports = range(_FIRST, max(_given_away_from(), _FIRST + 1000))
    # In no order, so that two runs seldom try the same one.
    for port in random.sample(ports, len(ports)):
        lock = os.open(_LOCKS / str(port), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        _kept.append(lock)
        return port
    raise OSError(f"no port from {ports.start} to {ports.stop - 1} is free")


def _given_away_from() -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(_GIVEN_AWAY.read_text(encoding="ascii").split()[0])
    return _GIVEN_AWAY_FROM
