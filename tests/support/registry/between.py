"""What may stand between an engine and its registry: one that refuses an image, a forward proxy."""

import contextlib
import re
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection

from support.http_server import Handler, serving
from support.registry.namespace import Namespace, leave

_TIMEOUT_S = 120
_CHUNK = 1024**2
_REPOSITORY = re.compile(r"/v2/(?P<name>.+)/(manifests|blobs)/")


@contextlib.contextmanager
def _serving_inside(
    namespace: Namespace, handler: type[Handler], port: int, host: str = "127.0.0.1"
) -> Iterator[str]:
    server = serving(handler, port, host=host)
    # Its threads are started by one in the namespace, so their sockets are in it, too.
    address = namespace.call(server.__enter__)
    try:
        yield address
    finally:
        namespace.call(lambda: server.__exit__(None, None, None))


@dataclass
class Refusing:
    """Passes on what a registry answers, but for the repositories in `refused`: status by name."""

    name: str = ""
    refused: dict[str, int] = field(default_factory=dict[str, int])


@contextlib.contextmanager
def refusing(namespace: Namespace, registry: str, port: int) -> Iterator[Refusing]:
    """Serve on a port of the namespace's loopback what `registry` (NAME:PORT) has."""
    state = Refusing()

    class Gate(Handler):
        def do_GET(self) -> None:
            found = _REPOSITORY.match(self.path)
            status = state.refused.get(found["name"]) if found else None
            if status:
                self.answer(_error(status), status=status, headers={"Content-Type": _JSON})
                return
            connection = HTTPConnection(registry, timeout=_TIMEOUT_S)
            accepted = self.headers.get_all("Accept") or ["*/*"]
            connection.request(self.command, self.path, headers={"Accept": ", ".join(accepted)})
            with contextlib.closing(connection), connection.getresponse() as response:
                self.send_response(response.status)
                for name, value in response.getheaders():
                    self.send_header(name, value)
                self.end_headers()
                while self.command == "GET" and (chunk := response.read(_CHUNK)):
                    self.wfile.write(chunk)

        do_HEAD = do_GET

    with _serving_inside(namespace, Gate, port) as address:
        state.name = address.removeprefix("http://")
        yield state


_JSON = "application/json"
_CODES = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 429: "TOOMANYREQUESTS"}


def _error(status: int) -> bytes:
    """Return the body of a refusal, as a registry writes it."""
    code = _CODES.get(status, "UNKNOWN")
    return f'{{"errors": [{{"code": "{code}", "message": "refused by the test"}}]}}'.encode()


@dataclass
class Forwarding:
    """A proxy: its address, and the NAME:PORT that it was asked to connect to, in order.

    closed: whether it answers 407, as one that wants a password.
    """

    address: str = ""
    asked: list[str] = field(default_factory=list[str])
    closed: bool = False


Connect = Callable[[str], socket.socket | None]


def to_loopback(targets: Mapping[str, int]) -> Connect:
    """Return what connects to ports of loopback: NAME:PORT -> port. Nothing else is known."""

    def connect(name: str) -> socket.socket | None:
        port = targets.get(name)
        return socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) if port else None

    return connect


def to_outside(name: str) -> socket.socket | None:
    """Connect by TLS's port with the network of this machine, as a company's proxy does."""
    host, _, port = name.rpartition(":")
    if port != "443":
        return None
    leave()
    return socket.create_connection((host, int(port)), _TIMEOUT_S)


@contextlib.contextmanager
def forwarding(
    namespace: Namespace, connect: Connect, host: str = "127.0.0.1"
) -> Iterator[Forwarding]:
    """Serve CONNECT at an address of the namespace; `connect` opens what is asked for."""
    state = Forwarding()

    class Proxy(Handler):
        def do_CONNECT(self) -> None:
            state.asked.append(self.path)
            if state.closed:
                self.answer(status=407, headers={"Proxy-Authenticate": 'Basic realm="proxy"'})
                return
            there = connect(self.path)
            if there is None:
                self.answer(status=502)
                return
            with there:
                self.send_response(200)
                self.end_headers()
                _relay(self.connection, there)
            self.close_connection = True

    with _serving_inside(namespace, Proxy, 0, host) as state.address:
        yield state


def _relay(here: socket.socket, there: socket.socket) -> None:
    other = {here: there, there: here}
    while True:
        ready, _, _ = select.select([here, there], [], [], _TIMEOUT_S)
        if not ready:
            return
        for one in ready:
            try:
                chunk = one.recv(_CHUNK)
                if chunk:
                    other[one].sendall(chunk)
            except ConnectionError:
                return
            if not chunk:
                return
