"""Small HTTP servers inside the test process."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Handler(BaseHTTPRequestHandler):
    """Writes no log; connections are kept open."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        """Return the request's body."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(
        self, body: bytes = b"", *, status: int = 200, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Send the whole answer. A client that has gone is no error."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@contextlib.contextmanager
def serving(handler: type[Handler], port: int = 0, *, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve on a port, 0 for a free one; yield the address, as http://127.0.0.1:4318."""
    with ThreadingHTTPServer((host, port), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def echoing() -> Iterator[str]:
    """Serve what a third party would: each answer is the request's headers, names lower-case."""

    class Echo(Handler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.answer(json.dumps(headers).encode())

    with serving(Echo) as url:
        yield url
