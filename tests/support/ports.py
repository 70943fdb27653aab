"""Free ports on loopback."""

import contextlib
import socket
from collections.abc import Iterable


def free(names: Iterable[str]) -> dict[str, int]:
    """Find a free port for each name. All sockets stay open until the last is found."""
    with contextlib.ExitStack() as opened:
        found: dict[str, int] = {}
        for name in names:
            sock = opened.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            found[name] = sock.getsockname()[1]
        return found
