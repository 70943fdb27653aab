"""As much of a websocket client (RFC 6455) as the tests need."""

import base64
import os
import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_TEXT, _CLOSE = 0x1, 0x8
_TIME_OUT_S = 240


class WebSocket:
    """Speaks short texts with one server. headers: of its answer, lower-case, one a line."""

    def __init__(self, url: str, path: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), _TIME_OUT_S)
        self._stream = self._socket.makefile("rb")
        lines = {
            "Host": parts.netloc,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        status = self._stream.readline().decode()
        assert " 101 " in status, status
        self.headers: dict[str, str] = {}
        while line := self._stream.readline().decode().strip():
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    def say(self, text: str) -> str:
        """Send a text of up to 125 bytes; return the text that comes back."""
        self._send(_TEXT, text.encode())
        _, length = self._stream.read(2)
        return self._stream.read(length).decode()

    def _send(self, kind: int, content: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(content))
        self._socket.sendall(bytes([0x80 | kind, 0x80 | len(content)]) + mask + masked)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say that it is over (1000), and wait until the server has closed."""
        self._send(_CLOSE, (1000).to_bytes(2, "big"))
        self._stream.read()
        self._stream.close()
        self._socket.close()
