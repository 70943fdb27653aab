"""Finds out, before anything starts, whether somebody else holds one of our ports."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from glasshouse_cli.process import run

_ANSWER_S = 1.0
_CONTAINER = '{{.Names}}\t{{.Label "com.docker.compose.project.working_dir"}}'
_ELSE = "stop what uses it, or change {variable} in .env"
# What engines write, and what to do.
_REFUSALS = {
    "privileged port": "a rootless engine may use those from 1024 on: change {variable} in .env",
    "forbidden by its access permissions": "Windows reserves it: change {variable} in .env",
    "Ports are not available": f"another program has it: {_ELSE}",
    "port is already allocated": f"another container has it: {_ELSE}",
    "address already in use": f"another program has it: {_ELSE}",
}


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


def explain(text: str, wanted: Mapping[str, int]) -> str | None:
    """The port that the engine could not publish, in what it wrote; None when it is none.

    For what this machine cannot see: ports that Windows holds while we run in WSL2, or that the
    engine may not use.
    """
    by_port = {port: variable for variable, port in wanted.items()}
    for line in text.splitlines():
        if (cause := next((one for one in _REFUSALS if one in line), None)) is None:
            continue
        for number in re.findall(r"\d+", line):
            if (variable := by_port.get(int(number))) is not None:
                remedy = _REFUSALS[cause].format(variable=variable)
                return f"port {number} ({variable}) cannot be published: {remedy}"
    return None


def _taken(port: int) -> bool:
    return not _can_bind(port) or _answers(port)


def _answers(port: int) -> bool:
    # On macOS an address of its own can be bound although a program listens on all of them.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_S)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections that are closing do not hold a port; programs that listen do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def _holder(port: int) -> str:
    listed = run(
        ["docker", "ps", "--filter", f"publish={port}", "--format", _CONTAINER], timeout=10
    )
    if listed.ok and listed.out.strip():
        name, _, folder = listed.out.splitlines()[0].partition("\t")
        return f"the container {name}" + (f" of {folder}" if folder else "")
    # Linux has the one, macOS the other.
    sockets = run(["ss", "-Hltnp", f"sport = :{port}"], timeout=10)
    if match := re.search(r'users:\(\("([^"]+)",pid=(\d+)', sockets.out):
        return f"{match[1]} (process {match[2]})"
    # As letters before each value, a line each: p123, cname.
    listeners = run(["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"], timeout=10)
    if match := re.search(r"^p(\d+)\nc(.+)$", listeners.out, re.MULTILINE):
        return f"{match[2]} (process {match[1]})"
    return "another program"
