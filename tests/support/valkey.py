"""A Valkey or Redis server for tests: an installed program, else a container."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator

from testcontainers.core.container import DockerContainer

from support import ports
from support.waiting import until

PROGRAMS = ("valkey-server", "redis-server")


def program() -> str | None:
    """Return the server's program, ``None`` where none is installed."""
    found = (shutil.which(name) for name in PROGRAMS)
    return next((path for path in found if path), None)


@contextlib.contextmanager
def installed(path: str) -> Iterator[str]:
    """Run a server that keeps nothing; yield its address."""
    port = ports.free(["valkey"])["valkey"]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen([path, *options], stdout=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_answers("127.0.0.1", port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


@contextlib.contextmanager
def contained(image: str) -> Iterator[str]:
    """Run a server in a container; yield its address."""
    container = DockerContainer(image, labels={"dev.glasshouse.part": "test"})
    with container.with_exposed_ports(6379):
        port = int(container.get_exposed_port(6379))
        _wait_until_it_answers("127.0.0.1", port)
        yield f"redis://127.0.0.1:{port}/0"


def _wait_until_it_answers(host: str, port: int) -> None:
    def probe() -> tuple[bool | None, object]:
        try:
            with socket.create_connection((host, port), timeout=10) as connection:
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64)
        except OSError as error:
            return None, repr(error)
        return (True if answer.startswith(b"+PONG") else None), answer

    until(probe, what="Valkey answers", deadline_s=60)
