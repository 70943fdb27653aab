"""Counts the bytes of connections: a relay between two parts, which changes none of them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_CHUNK = 1 << 16


class Wire:
    """A relay on a port of its own. sent: bytes from those who connect, as the network has them."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._to)
            except OSError:
                near.close()
                continue
            for source, target, counts in ((near, far, True), (far, near, False)):
                threading.Thread(
                    target=self._pass_on, args=(source, target, counts), daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                if counts:
                    with self._lock:
                        self.sent += len(chunk)
                target.sendall(chunk)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()


@contextlib.contextmanager
def relay(port: int) -> Iterator[Wire]:
    """Yield a relay to a port of this machine."""
    wire = Wire(("127.0.0.1", port))
    try:
        yield wire
    finally:
        wire.close()
