"""A second Docker engine: empty, with its own data, network and processes."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.registry import folder
from support.registry.namespace import Namespace
from support.waiting import until

_STARTED_WITHIN_S = 240
_ASKED_WITHIN_S = 240


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A running engine: its address, and the namespaces that it and its containers run in."""

    address: str
    namespace: Namespace
    log: Path

    def docker(self, *arguments: str, within: float = _ASKED_WITHIN_S) -> str:
        """Return what one `docker` command prints. Fails with what it says."""
        ran = subprocess.run(
            ["docker", "--host", self.address, *arguments],
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def facts(self) -> dict[str, Any]:
        return json.loads(self.docker("info", "--format", "{{json .}}"))


@contextlib.contextmanager
def running(
    place: Path,
    namespace: Namespace,
    *,
    mirror: str | None = None,
    options: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[Engine]:
    """Start an engine with its data in `place`. Its processes end with the namespace.

    mirror: address that stands for Docker Hub, as http://127.0.0.1:5000. variables: for its
    environment, such as HTTPS_PROXY.
    """
    place.mkdir()
    # Short: the path of a socket has at most 107 bytes.
    socket = place / "docker.sock"
    config = place / "daemon.json"
    config.write_text("{}", encoding="ascii")
    command = [
        "dockerd",
        f"--host=unix://{socket}",
        f"--data-root={place / 'data'}",
        f"--exec-root={place / 'exec'}",
        f"--pidfile={place / 'dockerd.pid'}",
        f"--config-file={config}",
        # Found and removed by its name, should a run be killed.
        f"--cgroup-parent=/{folder.NAME}",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        *((f"--registry-mirror={mirror}",) if mirror else ()),
        *options,
    ]
    log = place / "dockerd.log"
    with log.open("wb") as output:
        process = namespace.start(command, output, **(variables or {}))
    engine = Engine(address=f"unix://{socket}", namespace=namespace, log=log)

    def answers() -> tuple[bool | None, object]:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        asked = subprocess.run(
            ["docker", "--host", engine.address, "version"],
            capture_output=True,
            timeout=_ASKED_WITHIN_S,
            check=False,
        )
        return asked.returncode == 0 or None, asked.stderr

    until(answers, what="the second engine answers", deadline_s=_STARTED_WITHIN_S)
    yield engine
