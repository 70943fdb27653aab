"""Ports of this machine that containers are published on."""

import secrets
import socket
from collections.abc import Iterator
from typing import Final

LOOPBACK: Final = "127.0.0.1"
# Below those that Linux, macOS and Windows give to connections and engines to containers. Docker
# counts the latter up for loopback and for all addresses apart, and gives up on a container after
# ten in a row that are taken: with ours among them, the next that is published on all addresses.
FIRST: Final = 20_000
END: Final = 32_768
# As Docker, Docker Desktop and Podman say it.
_TAKEN: Final = (
    "address already in use",
    "port is already allocated",
    "ports are not available",
)


def free() -> int:
    """Return a port that nobody on this machine listens on at the moment.

    Raises:
        OSError: a thousand tries found none.
    """
    for port in _some(1000):
        with socket.socket() as sock:
            try:
                sock.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {FIRST} to {END - 1} is free on {LOOPBACK}")


def were_taken(explanation: str) -> bool:
    """Return whether an engine refused to start a container since a port is somebody else's."""
    return any(words in explanation.lower() for words in _TAKEN)


def _some(count: int) -> Iterator[int]:
    # In no order, so that two who search at once seldom try the same one.
    for _ in range(count):
        yield FIRST + secrets.randbelow(END - FIRST)
