"""What containers have used: the counters of their control groups, as the engine reads them.

Asked over the engine's interface, not with `docker stats`: that has a share of the last second, not
what was used until now. And the engine knows where the counters are, also in a virtual machine.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from glasshouse_cli.engine.endpoint import Endpoint
from glasshouse_cli.errors import StackError

_TIMEOUT_S = 20.0
_TCP = "tcp://"
_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Container:
    """One that runs. service: its name in the compose file; image: what it was started from."""

    id: str
    service: str
    image: str


@dataclass(frozen=True, kw_only=True)
class Usage:
    """One look at one container.

    at_s: when, by a clock that never jumps. cpu_s: processor time since it started, in seconds,
    its health checks included. memory_bytes: what it holds, less inactive pages of files, which the
    kernel takes back at once; as `docker stats` counts. anonymous_bytes: of these, what no file
    backs.
    """

    at_s: float
    cpu_s: float
    memory_bytes: int
    anonymous_bytes: int


class Engine:
    """Asks the engine. Its methods raise StackError when it does not answer as it should."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def containers(self, project: str) -> list[Container]:
        """The running containers of a compose project, by service."""
        wanted = json.dumps({"label": [f"com.docker.compose.project={project}"]})
        found = [
            Container(
                id=one["Id"],
                service=one["Labels"].get("com.docker.compose.service", one["Names"][0]),
                image=one["Image"],
            )
            for one in self._get("/containers/json", filters=wanted)
        ]
        return sorted(found, key=lambda container: container.service)

    def usage(self, container: Container) -> Usage:
        """What it has used until now."""
        answer = self._get(f"/containers/{container.id}/stats", **{"stream": "0", "one-shot": "1"})
        try:
            return parse(answer, time.monotonic())
        except (KeyError, TypeError) as error:
            raise StackError(f"the engine has no counters of {container.service}") from error

    def image_bytes(self, image: str) -> int:
        """The size of an image on disk, uncompressed, its base included."""
        return self._get(f"/images/{image}/json")["Size"]

    def processes(self, container: Container) -> list[int]:
        """The numbers of its processes, as the engine's machine has them."""
        found = self._get(f"/containers/{container.id}/top", ps_args="-o pid")
        return [int(row[0]) for row in found["Processes"]]

    def _get(self, path: str, **parameters: str) -> Any:
        try:
            answer = self._http.get(path, params=parameters)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise StackError(f"the Docker engine does not answer {path}: {error}") from error


@contextlib.contextmanager
def connected(endpoint: Endpoint) -> Iterator[Engine]:
    """Open the engine's own interface. Raises StackError where only `docker` can reach it."""
    if socket := endpoint.socket:
        transport, base = httpx.HTTPTransport(uds=str(socket)), "http://docker"
    elif endpoint.address.startswith(_TCP):
        transport, base = None, "http://" + endpoint.address.removeprefix(_TCP)
    else:
        raise StackError(
            f"the engine at {endpoint.address} cannot be asked for counters: run this where its "
            "socket is, or set DOCKER_HOST to a unix:// or tcp:// address"
        )
    with httpx.Client(
        base_url=base, transport=transport, timeout=_TIMEOUT_S, trust_env=False
    ) as http:
        yield Engine(http)


def parse(found: Mapping[str, Any], at_s: float) -> Usage:
    """Return what an answer says, of control groups of version 1 or 2."""
    memory = found["memory_stats"]
    parts: Mapping[str, int] = memory.get("stats") or {}
    reclaimed = parts.get("total_inactive_file", parts.get("inactive_file", 0))
    return Usage(
        at_s=at_s,
        cpu_s=found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        memory_bytes=memory["usage"] - reclaimed,
        anonymous_bytes=parts.get("total_rss", parts.get("anon", 0)),
    )


def sleeps(processes: list[int], proc: Path = _PROC) -> int:
    """How often the threads of these processes have gone to sleep until now, and so woken.

    Only for an engine on this machine. Threads that have ended count no longer.
    """
    total = 0
    for process in processes:
        for file in (proc / str(process) / "task").glob("*/status"):
            total += _voluntary_switches(file)
    return total


def _voluntary_switches(file: Path) -> int:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the thread has just ended
        return 0
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == "voluntary_ctxt_switches":
            return int(value)
    return 0
