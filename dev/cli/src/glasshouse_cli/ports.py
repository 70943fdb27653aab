"""Finds out, before anything starts, whether somebody else holds one of our ports."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from glasshouse_cli.process import run


@dataclass(frozen=True, kw_only=True)
class Clash:
    """A port that cannot be used, and why."""

    variable: str
    port: int
    holder: str

    def __str__(self) -> str:
        return (
            f"port {self.port} ({self.variable}) is taken by {self.holder}: "
            f"stop it, or change {self.variable} in .env"
        )


def clashes(wanted: Mapping[str, int], ours: Iterable[int] = ()) -> list[Clash]:
    """The ports in `wanted` (by variable) that are used twice or taken by another.

    ours: ports that our own running containers hold; they are no clash.
    """
    own = set(ours)
    found: list[Clash] = []
    seen: dict[int, str] = {}
    for variable, port in wanted.items():
        if port in seen:
            found.append(Clash(variable=variable, port=port, holder=f"{seen[port]} in .env"))
            continue
        seen[port] = variable
        if port not in own and _taken(port):
            found.append(Clash(variable=variable, port=port, holder=_holder(port)))
    return found


def _taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections that are closing do not hold a port; programs that listen do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _holder(port: int) -> str:
    containers = run(
        ["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}}"], timeout=10
    )
    if containers.ok and containers.out.strip():
        return f"the container {containers.out.split()[0]}"
    sockets = run(["ss", "-Hltnp", f"sport = :{port}"], timeout=10)
    if match := re.search(r'users:\(\("([^"]+)",pid=(\d+)', sockets.out):
        return f"{match[1]} (process {match[2]})"
    return "another program"
