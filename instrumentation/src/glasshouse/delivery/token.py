"""The token that the Collector asks senders for, from a file that may change while they run."""

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import requests
from requests.auth import AuthBase

from glasshouse.errors import ConfigurationError

TOKEN_FILE_VARIABLE: Final = "GLASSHOUSE_OTLP_TOKEN_FILE"  # noqa: S105 (a name)
_HEADER: Final = "Authorization"
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
# OpenTelemetry's exporters over gRPC read it for each call.
_METADATA: Final = "_headers"
_LONGEST_FILE: Final = 65_536


class Token:
    """One token in a file: the first word of the first line that is not empty.

    Nothing shows its value but the request that carries it.
    """

    def __init__(self, path: str) -> None:
        """Read the file.

        Raises:
            ConfigurationError: it cannot be read, or holds no token.
        """
        self._path = Path(path)
        self._state: object = self._state_of_file()
        self._value = self._read()

    def header(self) -> str:
        """Return the value of the header, as the file has it now. Never raises.

        What the file had before stays valid while it cannot be read.
        """
        state = self._state_of_file()
        if state is None or state != self._state:
            with contextlib.suppress(ConfigurationError):
                self._value = self._read()
                self._state = state
        return f"Bearer {self._value}"

    def refused(self) -> None:
        """Read the file again before the next request, whatever its time says."""
        self._state = None

    def _state_of_file(self) -> object:
        try:
            found = self._path.stat()
        except (OSError, ValueError):
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> str:
        try:
            with self._path.open("rb") as file:
                text = file.read(_LONGEST_FILE).decode("ascii", "replace")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "no path"
            raise ConfigurationError(
                f"{TOKEN_FILE_VARIABLE}: cannot read {self._path}: {why}"
            ) from None
        words = text.split()
        if not words:
            raise ConfigurationError(
                f"{TOKEN_FILE_VARIABLE}: {self._path} is empty: "
                "put a line of the Collector's otlp_token into it"
            )
        if not _TOKEN.fullmatch(words[0]):
            raise ConfigurationError(
                f"{TOKEN_FILE_VARIABLE}: the first line of {self._path} (not shown) is no token: "
                "use printable ASCII characters without blanks"
            )
        return words[0]


def token_from(environ: Mapping[str, str] = os.environ) -> Token | None:
    """Return the token of ``GLASSHOUSE_OTLP_TOKEN_FILE``; ``None`` where that is not set.

    Raises:
        ConfigurationError: as `Token`.
    """
    path = environ.get(TOKEN_FILE_VARIABLE, "").strip()
    return Token(path) if path else None


class _Bearer(AuthBase):
    """Puts the token on each request, unless a variable has given that header already."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers.setdefault(_HEADER, self._token.header())
        return r


def carry(session: requests.Session) -> Token | None:
    """Let each request of a session carry the token; return it, ``None`` where there is none.

    Raises:
        ConfigurationError: as `Token`.
    """
    token = token_from()
    if token is not None:
        session.auth = _Bearer(token)
    return token


class Metadata:
    """The headers of an exporter over gRPC, with the token among them."""

    def __init__(self, exporter: Any) -> None:
        """Note the headers that it has.

        Raises:
            ConfigurationError: as `Token`.
        """
        self._exporter = exporter
        module = type(exporter).__module__
        is_grpc = module.startswith("opentelemetry.exporter.otlp.proto.grpc")
        own: tuple[tuple[str, str], ...] = getattr(exporter, _METADATA, ()) if is_grpc else ()
        is_given = any(name.lower() == _HEADER.lower() for name, _ in own)
        self._own = own
        self._token = None if is_given or not is_grpc else token_from()

    def renew(self) -> None:
        """Put in what the file has now. Never raises."""
        if self._token is not None:
            headers = (*self._own, (_HEADER.lower(), self._token.header()))
            setattr(self._exporter, _METADATA, headers)
