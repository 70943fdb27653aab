"""The HTTP server: uvicorn, with what it lacks against slow and many clients.

uvicorn closes a connection that is idle between two requests, and nothing else: not one that never
sends a request, nor one that sends it byte by byte, nor one that does not take its answer. Here
every phase of a connection has a time, whichever of uvicorn's parsers reads it; and where no more
connections are let in, the one that has waited longest without a request is closed.
"""

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections.abc import Callable
from typing import Any, Final, Literal

import uvicorn
from starlette.types import ASGIApp

from backend.platform.settings import ApiSettings

GRACEFUL_SHUTDOWN_S: Final = 5
# uvicorn ticks ten times a second.
TICKS_PER_LOOK: Final = 5
# httptools has no limit of its own; h11's is 16 KiB.
MAX_HEAD_BYTES: Final = 64 * 1024
Parser = Literal["auto", "h11", "httptools"]
_REFUSAL: Final = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TOO_SLOW: Final = _REFUSAL % b"408 Request Timeout"
_HEAD_TOO_LONG: Final = _REFUSAL % b"431 Request Header Fields Too Large"

_logger = logging.getLogger(__name__)


class ListenError(Exception):
    """A port cannot be listened on. The message is one line and names the setting."""


class _Known:
    """One connection: its phase, the request it belongs to, since when, and bytes of its head."""

    def __init__(self, now: float) -> None:
        self.phase = "head"
        self.cycle: object = None
        self.since = now
        self.head_bytes = 0
        self.is_blocked = False


class Watch:
    """The connections of one server, oldest first, and how long each may stay in its phase.

    A connection waits for the head of a request (``head``), for its body (``body``), for the
    client to take our answer (``answer``; ``closing`` if it is the last), or for us (``served``),
    which alone has no end here. Its protocol is one of uvicorn's; they agree on ``cycle``, the
    request that was read last.
    """

    def __init__(self, settings: ApiSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._max = settings.max_connections
        self._internal_port = settings.internal_port
        self._limits = {
            "head": settings.head_timeout,
            "body": settings.body_timeout,
            "answer": settings.body_timeout,
            "closing": settings.body_timeout,
            "served": float("inf"),
        }
        self._clock = clock
        self._known: dict[Any, _Known] = {}
        self._said_at = float("-inf")

    def admit(self, protocol: Any) -> None:
        """Note a new connection. One too many ends the longest waiting one, else itself.

        Those of the internal port are never too many: a busy service is not to look dead.
        """
        self._known[protocol] = _Known(self._clock())
        is_internal = bool(protocol.server) and protocol.server[1] == self._internal_port
        if len(self._known) <= self._max or is_internal:
            return
        waiting = (one for one in self._known if one is not protocol and _waits_for_head(one))
        self._end(next(waiting, protocol))
        if self._clock() - self._said_at >= self._limits["head"]:
            self._said_at = self._clock()
            _logger.warning("MAX_CONNECTIONS are open: those without a request are closed")

    def forget(self, protocol: Any) -> None:
        """A connection has ended."""
        self._known.pop(protocol, None)

    def received(self, protocol: Any, size: int) -> None:
        """Note what has come in, once it is read: the head of a request may have an end."""
        known = self._known.get(protocol)
        if known is None:
            return
        cycle = protocol.cycle
        # What comes after an early answer is the rest of that request's body.
        is_head = cycle is None or (cycle.response_complete and not cycle.more_body)
        known.head_bytes = known.head_bytes + size if is_head else 0
        if known.head_bytes > MAX_HEAD_BYTES:
            self._end(protocol, _HEAD_TOO_LONG)

    def blocked(self, protocol: Any, *, is_blocked: bool) -> None:
        """The client takes nothing any more, or again."""
        if known := self._known.get(protocol):
            known.is_blocked = is_blocked

    def look(self) -> None:
        """End the connections that are too slow."""
        now = self._clock()
        for protocol, known in list(self._known.items()):
            phase = _phase_of(protocol, known)
            if phase != known.phase or protocol.cycle is not known.cycle:
                known.phase, known.cycle, known.since = phase, protocol.cycle, now
            elif now - known.since > self._limits[phase]:
                self._end(protocol, _TOO_SLOW if phase == "body" or known.head_bytes else b"")

    def _end(self, protocol: Any, answer: bytes = b"") -> None:
        transport: asyncio.Transport = protocol.transport
        if answer and not (self._known[protocol].is_blocked or transport.is_closing()):
            transport.write(answer)
            # Ends once the answer is taken, for which there is a time, too.
            transport.close()
        else:
            del self._known[protocol]
            transport.abort()


def _waits_for_head(protocol: Any) -> bool:
    return protocol.cycle is None or protocol.cycle.response_complete


def _phase_of(protocol: Any, known: _Known) -> str:
    if known.is_blocked:
        return "answer"
    if protocol.transport.is_closing():
        return "closing"
    if _waits_for_head(protocol):
        return "head"
    return "body" if protocol.cycle.more_body else "served"


def _watched(base: Any, watch: Watch) -> Any:
    """Return one of uvicorn's protocols, which reports to ``watch``."""

    class Watched(base):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            watch.admit(self)

        def connection_lost(self, exc: Exception | None) -> None:
            watch.forget(self)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            watch.received(self, len(data))

        def pause_writing(self) -> None:
            watch.blocked(self, is_blocked=True)
            super().pause_writing()

        def resume_writing(self) -> None:
            watch.blocked(self, is_blocked=False)
            super().resume_writing()

    return Watched


class Server(uvicorn.Server):
    """Serves ``app`` as the settings say, on one port or two.

    ``parser``: uvicorn's ``http``, by default httptools where it is installed, else h11.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings, *, parser: Parser = "auto") -> None:
        config = uvicorn.Config(
            app,
            http=parser,
            # uvicorn's own configuration would cut its loggers off from ours.
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
            # Who asks every 5 seconds, uvicorn's own time, would meet a connection that closes.
            timeout_keep_alive=math.ceil(settings.head_timeout),
            # None is served: an upgraded connection would leave our watch.
            ws="none",
            # A connection's next request would begin in the context of the one before.
            reset_contextvars=True,
            # Whoever may name an address chooses the bucket that his requests are counted in.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
        )
        config.load()
        self._watch = Watch(settings)
        config.http_protocol_class = _watched(config.http_protocol_class, self._watch)
        self._settings = settings
        super().__init__(config)

    def run_on_ports(self) -> None:
        """Serve until a signal.

        Raises:
            ListenError: a port cannot be listened on.
        """
        settings = self._settings
        with contextlib.ExitStack() as stack:
            sockets = _bind(settings.host, settings.port, "PORT", stack)
            if settings.internal_port is not None:
                sockets += _bind(settings.host, settings.internal_port, "INTERNAL_PORT", stack)
            for one in sockets:
                host, port, *_ = one.getsockname()
                _logger.info("Listening", extra={"host": host, "port": port})
            self.run(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_PER_LOOK == 0:
            self._watch.look()
        return await super().on_tick(counter)


def _bind(host: str, port: int, setting: str, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Return a socket for each address of ``host``, closed by ``stack``. None listens yet."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = stack.enter_context(socket.socket(family, kind, protocol))
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ListenError(
            f"{setting}: {host} port {port} cannot be listened on ({reason}): set another, or HOST"
        ) from None
    return sockets
