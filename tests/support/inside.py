"""Checks of the network from inside a container, whatever its image holds."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glasshouse_cli import images
from glasshouse_cli.project import Project
from support.stack import Stack

# Run beside the container's own program, in its network. Prints what it finds as JSON.
_LISTENING = """
import json
ports = set()
for name in ("tcp", "tcp6"):
    for line in open(f"/proc/net/{name}").read().splitlines()[1:]:
        fields = line.split()
        address, port = fields[1].rsplit(":", 1)
        # Listening, and not on loopback (127.0.0.1 and ::1, in the order of the machine's bytes).
        loopback = address.endswith("7F") and len(address) == 8 or address.endswith("01000000")
        if fields[3] == "0A" and not loopback and int(port, 16) < 32768:
            ports.add(int(port, 16))
print(json.dumps(sorted(ports)))
"""
_CONNECTING = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
targets, timeout = json.load(sys.stdin)
def ask(target):
    try:
        socket.create_connection(target, timeout).close()
    except ConnectionRefusedError:
        return "refused"  # something is there and says no
    except OSError as error:
        return "unreachable"
    return "open"
with ThreadPoolExecutor(256) as pool:
    print(json.dumps(list(pool.map(ask, map(tuple, targets)))))
"""
_READING = """
import json, sys, urllib.request
print(json.dumps(urllib.request.urlopen(json.load(sys.stdin), timeout=60).read().decode()))
"""
_TIMEOUT_S = 120


def of(project: Project, stack: Stack, service: str) -> "Inside":
    """Return the running container of a service."""
    image = images.resolve(["backend"], checkout=project)["BACKEND_IMAGE"]
    return Inside(container=str(stack.compose.get_container(service).ID), image=image)


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A container of the stack. container: its id. image: one with Python, to look with."""

    container: str
    image: str

    def listening(self) -> list[int]:
        """Return the TCP ports that its programs listen on, for others than themselves."""
        return self._run(_LISTENING)

    def connect(self, targets: Sequence[tuple[str, int]], *, timeout_s: float) -> list[str]:
        """Connect to each host and port; return "open", "refused" or "unreachable" for each."""
        return self._run(_CONNECTING, [targets, timeout_s])

    def read(self, url: str) -> str:
        """Return what an address answers to a GET from there. Fails when it is not 2xx."""
        return self._run(_READING, url)

    def _run(self, code: str, given: object = None) -> Any:
        command = ["docker", "run", "--rm", "--interactive", "--label=dev.glasshouse.part=tests"]
        command += [f"--network=container:{self.container}", self.image, "python3", "-c", code]
        ran = subprocess.run(
            command,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)
