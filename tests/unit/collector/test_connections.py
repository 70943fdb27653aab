"""Clients that open connections and say nothing, or not all, to the Collector's published ports."""

import contextlib
import resource
import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support import collector_process, deployed, otlp
from support.collector_process import Collector, Place
from support.otlp_sink import Sink
from support.waiting import until

CONFIG = deployed.CONFIG.read_text(encoding="utf-8")
IDLE, HALF = 1000, 300
GRPC, HTTP, HEALTH = "4317", "4318", "13133"
MOST = {GRPC: 512, HTTP: 512, HEALTH: 64}
# The bounds are 10 s, and 40 s for what has begun to speak HTTP/2; a slow machine is slower.
CUT_OFF_WITHIN_S = 120
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
HALF_FRAME = b"\x00\x10\x00\x01\x04\x00\x00\x00\x01half of a header"
HALF_HEADERS = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: appl"


@pytest.fixture(scope="module", autouse=True)
def enough_files() -> Iterator[None]:
    """As many open files as the hostile clients of this module need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def at(tmp_path: Path) -> Place:
    return collector_process.place(tmp_path, CONFIG)


@pytest.fixture
def collector(program: Path, sink: Sink, at: Place) -> Iterator[Collector]:
    with collector_process.running(program, at, CONFIG, sink=sink.url) as running:
        yield running


class Clients:
    """Connections of somebody hostile. open: how many the other side has not ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stack = contextlib.ExitStack()
        self._ready = selectors.DefaultSelector()
        self._open: set[socket.socket] = set()

    def connect(self, count: int, says: bytes = b"") -> None:
        for _ in range(count):
            one = self._stack.enter_context(socket.create_connection(("127.0.0.1", self._port), 60))
            # The Collector may have ended it already.
            with contextlib.suppress(OSError):
                one.sendall(says)
            one.setblocking(False)
            self._ready.register(one, selectors.EVENT_READ)
            self._open.add(one)

    @property
    def open(self) -> int:
        for key, _ in self._ready.select(0):
            one = key.fileobj
            assert isinstance(one, socket.socket)
            if self._is_over(one):
                self._ready.unregister(one)
                self._open.discard(one)
        return len(self._open)

    @staticmethod
    def _is_over(one: socket.socket) -> bool:
        try:
            while one.recv(65536):
                pass
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        self._ready.close()
        self._stack.close()


@pytest.fixture
def hostile(at: Place) -> Iterator[dict[str, Clients]]:
    """By the port of the deployed configuration."""
    made = {port: Clients(at.ports[port]) for port in MOST}
    yield made
    for clients in made.values():
        clients.close()


def wait_until_cut_off(clients: Clients, to: int) -> None:
    until(
        lambda: ((left := clients.open) <= to or None, f"{left} are open"),
        what=f"at most {to} of them are open",
        deadline_s=CUT_OFF_WITHIN_S,
    )


def send(to: Collector, body: str) -> None:
    with otlp.Sender(to.otlp, "good", to.sender) as sender:
        sender.logs([otlp.log(body)])


def wait_for(sink: Sink, *bodies: str) -> None:
    def probe() -> tuple[bool | None, object]:
        found = {one["body"]["stringValue"] for one in sink.log_records()}
        return found == set(bodies) or None, found

    until(probe, what=f"{bodies} arrive")


def own_metric(at: Place, name: str, port: str) -> float:
    text = httpx.get(f"{at.url('8888')}/metrics", timeout=60, trust_env=False).text
    label = f'port="{at.ports[port]}"'
    [line] = [one for one in text.splitlines() if one.startswith(name + "{") and label in one]
    return float(line.rsplit(" ", 1)[1])


@pytest.mark.parametrize("port", [GRPC, HTTP, HEALTH])
def test_idle_connections_are_cut_off_while_others_are_served(
    collector: Collector, at: Place, sink: Sink, hostile: dict[str, Clients], port: str
) -> None:
    with otlp.Sender(collector.otlp, "good", collector.sender) as kept:
        kept.logs([otlp.log("before")])
        hostile[port].connect(IDLE)
        # Over the bound they go at once, and the first of them first.
        wait_until_cut_off(hostile[port], MOST[port])
        kept.logs([otlp.log("beside, on a connection from before")])
        send(collector, "beside, on a new connection")
        health = httpx.get(at.url(HEALTH), timeout=60, trust_env=False)
        assert health.status_code == httpx.codes.OK
        wait_for(
            sink,
            "before",
            "beside, on a connection from before",
            "beside, on a new connection",
        )
    wait_until_cut_off(hostile[port], 0)
    assert own_metric(at, "otelcol_extension_otlp_limits_connections_capacity", port) == MOST[port]
    closed = own_metric(at, "otelcol_extension_otlp_limits_connections_closed_total", port)
    assert IDLE - MOST[port] <= closed <= IDLE


@pytest.mark.parametrize(
    ("port", "says"),
    [
        (HTTP, HALF_HEADERS),
        (HTTP, b"P"),
        (GRPC, PREFACE[:12]),
        (GRPC, PREFACE),
        (GRPC, PREFACE + SETTINGS),
        (GRPC, PREFACE + SETTINGS + HALF_FRAME),
        (HEALTH, HALF_HEADERS),
    ],
    ids=[
        "http-headers",
        "http-letter",
        "grpc-half",
        "grpc-preface",
        "grpc-idle",
        "grpc-frame",
        "health",
    ],
)
def test_what_begins_and_does_not_go_on_is_cut_off(
    collector: Collector, sink: Sink, hostile: dict[str, Clients], port: str, says: bytes
) -> None:
    hostile[port].connect(HALF, says)
    send(collector, "beside")
    wait_for(sink, "beside")
    wait_until_cut_off(hostile[port], 0)
    send(collector, "after")
    wait_for(sink, "beside", "after")


def test_who_was_answered_stays_and_who_said_nothing_goes(
    collector: Collector, at: Place, hostile: dict[str, Clients]
) -> None:
    token = collector.sender["Authorization"]
    request = f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", at.ports[HTTP]), 60) as kept:
        kept.sendall(request)
        assert kept.recv(65536).startswith(b"HTTP/1.1 404 ")
        hostile[HTTP].connect(IDLE)
        wait_until_cut_off(hostile[HTTP], MOST[HTTP])
        # The same connection, which was there before all of them.
        kept.sendall(request)
        assert kept.recv(65536).startswith(b"HTTP/1.1 404 ")
