"""The token that the Collector asks senders for, from a file that may change while they run."""

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from glasshouse.errors import ConfigurationError

if TYPE_CHECKING:
    import requests

TOKEN_FILE_VARIABLE: Final = "GLASSHOUSE_OTLP_TOKEN_FILE"  # noqa: S105 (a name)
_HEADER: Final = "Authorization"
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
# OpenTelemetry's exporters over gRPC read it for each call.
_METADATA: Final = "_headers"
_TARGET: Final = "_endpoint"
_SIGNALS: Final = ("TRACES_", "METRICS_", "LOGS_")
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_{}ENDPOINT"
_HEADERS: Final = "OTEL_EXPORTER_OTLP_{}HEADERS"
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


def _is_for_collector(endpoint: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the token may go to an endpoint: nobody else is to have it.

    It goes to the host of the variable for all signals, so not to that of a signal which goes
    elsewhere. Where there is no such variable, it goes to a signal's own endpoint, unless that has
    headers of its own: those are for somebody else's service.
    """
    general = environ.get(_ENDPOINT.format(""), "").strip()
    if general:
        return _host(endpoint) == _host(general)
    for signal in _SIGNALS:
        own = environ.get(_ENDPOINT.format(signal), "").strip()
        if own and _host(own) == _host(endpoint) and environ.get(_HEADERS.format(signal)):
            return False
    return True


def _host(endpoint: str) -> str:
    return urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").netloc.lower()


class _Bearer:  # requests takes any function
    """Puts the token on each request, unless a variable has given that header already."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, r: "requests.PreparedRequest") -> "requests.PreparedRequest":
        if _is_for_collector(r.url or ""):
            r.headers.setdefault(_HEADER, self._token.header())
        return r


def carry(session: "requests.Session") -> Token | None:
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
        goes_there = is_grpc and _is_for_collector(str(getattr(exporter, _TARGET, "")))
        self._own = own
        self._token = token_from() if goes_there and not is_given else None

    def renew(self) -> None:
        """Put in what the file has now. Never raises."""
        if self._token is not None:
            headers = (*self._own, (_HEADER.lower(), self._token.header()))
            setattr(self._exporter, _METADATA, headers)
