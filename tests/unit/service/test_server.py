"""Slow clients and many of them, over real sockets, with each parser that uvicorn may have."""

import asyncio
import contextlib
import importlib.util
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.api.app import create_app
from backend.api.server import MAX_HEAD_BYTES, ListenError, Parser, Server
from backend.platform.settings import ApiSettings
from support.callers import KEY
from support.ports import free
from support.waiting import until

from .conftest import HOST, MAX_BODY_BYTES

GET = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
TIMEOUT_S = 0.5
# For clients that are served: a slow machine may be late with what they send.
PATIENT_S = 5
# On a machine that is ten times slower, too.
WITHIN_S = 240
MAX_CONNECTIONS = 50
# More than the buffers of both sockets hold.
LARGE = b"x" * (32 << 20)


@dataclass
class App:
    """An application that answers at once, but where a path says otherwise."""

    bodies: list[int | None] = field(default_factory=list[int | None])
    may_answer: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        body = b"ok"
        if scope["path"] == "/read":
            await self._read(receive)
        elif scope["path"] == "/slow":
            # Set by another thread, which the loop's own kind of event does not bear.
            while not self.may_answer.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        elif scope["path"] in ("/large", "/parts"):
            body = LARGE
        size = 1 << 20 if scope["path"] == "/parts" else len(body)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        for start in range(0, len(body), size):
            more = start + size < len(body)
            part = body[start : start + size]
            await send({"type": "http.response.body", "body": part, "more_body": more})

    async def _read(self, receive: Receive) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.bodies.append(None)
                return
            size += len(message["body"])
            more = message["more_body"]
        self.bodies.append(size)


@contextlib.contextmanager
def serving(app: ASGIApp, settings: ApiSettings, parser: Parser = "auto") -> Iterator[Server]:
    server = Server(app, settings, parser=parser)
    thread = threading.Thread(target=server.run_on_ports)
    thread.start()
    try:
        until(lambda: (server.started or None, "starting"), what="the server is up")
        yield server
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(params=["h11", "httptools"])
def parser(request: pytest.FixtureRequest) -> Parser:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed, so uvicorn does not use it")
    return cast(Parser, request.param)


@pytest.fixture
def quick(settings: ApiSettings) -> ApiSettings:
    """Settings with short times."""
    changes = {
        "port": free(["api"])["api"],
        "head_timeout": TIMEOUT_S,
        "body_timeout": TIMEOUT_S,
        "max_connections": MAX_CONNECTIONS,
    }
    return settings.model_copy(update=changes)


@pytest.fixture
def patient(quick: ApiSettings) -> ApiSettings:
    """The same with longer times, for clients that send in time."""
    return quick.model_copy(update={"head_timeout": PATIENT_S, "body_timeout": PATIENT_S})


@pytest.fixture
def patient_port(application: App, patient: ApiSettings, parser: Parser) -> Iterator[int]:
    with serving(application, patient, parser):
        yield patient.port


@pytest.fixture
def application() -> App:
    return App()


@pytest.fixture
def port(application: App, quick: ApiSettings, parser: Parser) -> Iterator[int]:
    with serving(application, quick, parser):
        yield quick.port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)


def rest(connection: socket.socket) -> bytes:
    """Read until the server closes. Raises TimeoutError if it does not."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            received += part
    return received


def answer(connection: socket.socket) -> bytes:
    """Read one answer with the body ``ok``."""
    received = b""
    while not received.endswith(b"\r\n\r\nok"):
        part = connection.recv(1 << 16)
        assert part, received
        received += part
    return received


def test_a_connection_without_a_request_is_closed(port: int):
    with connect(port) as connection:
        assert rest(connection) == b""


def test_half_a_head_is_answered_and_closed(port: int):
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_a_head_that_comes_byte_by_byte_is_closed_all_the_same(port: int):
    with connect(port) as connection:
        connection.settimeout(0.05)
        received = b""

        def probe() -> tuple[bytes | None, object]:
            nonlocal received
            try:
                connection.sendall(b"X")
                received = connection.recv(1000)
            except TimeoutError:
                return None, "still open"
            except OSError as error:
                return b"", repr(error)
            return received, received

        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        until(probe, what="the connection is closed", deadline_s=WITHIN_S)


def test_half_a_body_is_answered_and_closed(port: int, application: App):
    with connect(port) as connection:
        connection.sendall(
            b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345"
        )
        assert rest(connection).startswith(b"HTTP/1.1 408 ")
    until(lambda: (application.bodies or None, "reading"), what="the application was notified")
    assert application.bodies == [None]


def test_half_a_head_after_an_answer_is_closed(port: int):
    with connect(port) as connection:
        connection.sendall(GET % b"")
        assert answer(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("path", [b"large", b"parts"])
def test_who_takes_no_answer_is_closed(
    quick: ApiSettings, application: App, parser: Parser, path: bytes
):
    with serving(application, quick, parser) as server, connect(quick.port) as connection:
        connection.sendall(GET % path)

        def probe() -> tuple[bool | None, object]:
            connections = server.server_state.connections
            return (not connections or None), len(connections)

        first = connection.recv(1)
        assert first == b"H"
        until(probe, what="the server has given up", deadline_s=WITHIN_S)
        # It got a part of it, and no more.
        assert len(rest(connection)) < len(LARGE)


def test_who_takes_no_answer_is_closed_though_it_may_keep_the_connection(
    quick: ApiSettings, application: App, parser: Parser
):
    # uvicorn closes it as idle long before, and waits for the answer to be taken.
    quick = quick.model_copy(update={"head_timeout": 0.1, "body_timeout": 3})
    with serving(application, quick, parser) as server, connect(quick.port) as connection:
        connections = server.server_state.connections
        server.config.timeout_keep_alive = 0
        connection.sendall(GET % b"large")
        assert connection.recv(1) == b"H"

        def probe() -> tuple[bool | None, object]:
            return (not connections or None), len(connections)

        until(probe, what="the server has given up", deadline_s=WITHIN_S)


def test_who_takes_it_slowly_gets_all(patient_port: int):
    with connect(patient_port) as connection:
        connection.sendall(GET % b"large")
        received = 0
        while received < len(LARGE):
            part = connection.recv(1 << 20)
            assert part, received
            received += len(part)


def test_our_own_time_has_no_end(quick: ApiSettings, application: App, parser: Parser):
    with serving(application, quick, parser) as server, connect(quick.port) as connection:
        connection.sendall(GET % b"slow")
        # One that is idle goes; by then the times are over several times.
        for _ in range(3):
            with connect(quick.port) as idle:
                assert rest(idle) == b""
        assert len(server.server_state.connections) == 1
        application.may_answer.set()
        assert answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_connection_may_be_used_long(patient_port: int):
    with connect(patient_port) as connection:
        padding = b"X: " + b"x" * 8000
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + padding + b"\r\n\r\n"
        # More than one head may have.
        for _ in range(2 * MAX_HEAD_BYTES // len(request)):
            connection.sendall(request)
            assert answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_head_without_end_is_refused(patient_port: int):
    with connect(patient_port) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * (4 * MAX_HEAD_BYTES))
        received = rest(connection)
    # A reset may overtake the answer.
    assert received == b"" or received.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


def test_idle_connections_make_way_for_requests(
    settings: ApiSettings, application: App, parser: Parser, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    changes = {"port": free(["api"])["api"], "max_connections": MAX_CONNECTIONS}
    # With the times of every day: only the number ends a connection.
    patient = settings.model_copy(update=changes)
    with serving(application, patient, parser) as server, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(patient.port)) for _ in range(MAX_CONNECTIONS)]
        for one in idle[1::2]:
            one.sendall(b"GET / HTTP/1.1\r\n")
        for number in range(3):
            good = stack.enter_context(connect(patient.port))
            good.sendall(GET % b"")
            assert answer(good).startswith(b"HTTP/1.1 200 "), number
        # The oldest went first.
        for one in idle[:3]:
            assert rest(one) == b""
        connections = server.server_state.connections
        until(
            lambda: (len(connections) <= MAX_CONNECTIONS or None, len(connections)),
            what="no more than the limit are open",
        )
        idle[3].sendall(b"Host: localhost\r\n\r\n")
        assert answer(idle[3]).startswith(b"HTTP/1.1 200 ")
    [line] = [one for one in caplog.records if one.name == "backend.api.server"]
    assert line.getMessage().startswith("MAX_CONNECTIONS are open")


def test_where_all_are_served_the_newest_is_closed(
    patient: ApiSettings, application: App, parser: Parser
):
    changes = {"max_connections": 10, "internal_port": free(["internal"])["internal"]}
    quick = patient.model_copy(update=changes)
    with serving(application, quick, parser) as server, contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connect(quick.port)) for _ in range(10)]
        for one in busy:
            one.sendall(GET % b"slow")
        tasks = server.server_state.tasks
        until(lambda: (len(tasks) == 10 or None, len(tasks)), what="all are served")
        with connect(quick.port) as newest:
            assert rest(newest) == b""
        assert quick.internal_port
        with connect(quick.internal_port) as probe:
            probe.sendall(GET % b"")
            assert answer(probe).startswith(b"HTTP/1.1 200 ")
        application.may_answer.set()
        for one in busy:
            assert answer(one).startswith(b"HTTP/1.1 200 ")


# The API itself


def chunked(size: int, **headers: str) -> bytes:
    lines = {"Host": HOST, "Authorization": f"Bearer {KEY}", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b" " * size)
    start = f"POST /payments HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n"
    return start.encode() + b"Content-Type: application/json\r\n\r\n" + body


def heads_of(connection: socket.socket, count: int) -> list[dict[str, Any]]:
    """Read so many answers; return their headers, names lower-case, with the status."""
    file = connection.makefile("rb")
    found: list[dict[str, Any]] = []
    for _ in range(count):
        headers: dict[str, Any] = {"status": int(file.readline().split()[1])}
        while (line := file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        file.read(int(headers["content-length"]))
        found.append(headers)
    return found


def test_nothing_of_a_refused_request_reaches_the_next_on_its_connection(
    settings: ApiSettings, parser: Parser
):
    settings = settings.model_copy(update={"port": free(["api"])["api"]})
    with serving(create_app(settings), settings, parser), connect(settings.port) as connection:
        connection.sendall(chunked(40 * MAX_BODY_BYTES, **{"X-Request-ID": "request-0001"}))
        [refused] = heads_of(connection, 1)
        assert (refused["status"], refused["x-request-id"]) == (413, "request-0001")
        for _ in range(3):
            connection.sendall(f"GET /livez HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        later = heads_of(connection, 3)
    assert [one["status"] for one in later] == [200, 200, 200]
    ids = {one["x-request-id"] for one in later}
    assert len(ids) == 3
    assert "request-0001" not in ids


def test_the_internal_port_is_a_second_one(settings: ApiSettings, parser: Parser):
    ports = free(["api", "internal"])
    changes = {"port": ports["api"], "internal_port": ports["internal"]}
    settings = settings.model_copy(update=changes)
    with serving(create_app(settings), settings, parser):
        for port, authority, status in (
            (ports["internal"], "10.0.0.1", 404),
            (ports["api"], f"{HOST}:{ports['internal']}", 401),
        ):
            with connect(port) as connection:
                request = f"GET /metrics HTTP/1.1\r\nHost: {authority}\r\n\r\n"
                connection.sendall(request.encode())
                assert heads_of(connection, 1)[0]["status"] == status


@pytest.mark.parametrize("setting", ["PORT", "INTERNAL_PORT"])
def test_a_port_that_is_taken_is_named_in_one_line(settings: ApiSettings, setting: str):
    ports = free(["PORT", "INTERNAL_PORT"])
    changes = {"port": ports["PORT"], "internal_port": ports["INTERNAL_PORT"]}
    server = Server(App(), settings.model_copy(update=changes))
    with socket.create_server(("127.0.0.1", ports[setting])):
        expected = f"{setting}: 127.0.0.1 port {ports[setting]} cannot be listened on \\(address"
        with pytest.raises(ListenError, match=expected):
            server.run_on_ports()
