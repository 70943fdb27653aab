"""A Valkey or Redis server for tests: an installed program, else a container."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator

from testcontainers.core.container import DockerContainer

from support import ports, published
from support.waiting import until

PROGRAMS = ("valkey-server", "redis-server")
PASSWORD = "hunter2"
_KEEPS_NOTHING = ("--save", "", "--appendonly", "no", "--requirepass", PASSWORD)


def program() -> str | None:
    """Return the server's program, ``None`` where none is installed."""
    found = (shutil.which(name) for name in PROGRAMS)
    return next((path for path in found if path), None)


@contextlib.contextmanager
def installed(path: str) -> Iterator[str]:
    """Run a server that keeps nothing; yield its address."""
    port = ports.free(["valkey"])["valkey"]
    options = ["--bind", "127.0.0.1", "--port", str(port), *_KEEPS_NOTHING]
    with subprocess.Popen([path, *options], stdout=subprocess.DEVNULL) as process:
        try:
            yield _ready("127.0.0.1", port)
        finally:
            process.terminate()


@contextlib.contextmanager
def contained(image: str) -> Iterator[str]:
    """Run a server in a container; yield its address."""
    command = ["valkey-server", "--protected-mode", "no", *_KEEPS_NOTHING]
    container = DockerContainer(image, labels={"dev.glasshouse.part": "test"})
    port = published.on_loopback(container, 6379)
    with container.with_command(command):
        yield _ready("127.0.0.1", port)


def _ready(host: str, port: int) -> str:
    """Return the server's address, with its password, once it answers."""

    def probe() -> tuple[bool | None, object]:
        try:
            with socket.create_connection((host, port), timeout=10) as connection:
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64)
        except OSError as error:
            return None, repr(error)
        # It wants the password first.
        return (True if answer.startswith(b"-NOAUTH") else None), answer

    until(probe, what="Valkey answers")
    return f"redis://:{PASSWORD}@{host}:{port}/0"
