"""What lasts longer than a request: streams, background tasks, websockets, mounted services."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from support import frameworks, otlp_sink, received
from support.cells import Cells
from support.otlp_sink import Sink
from support.received import Log, Span
from support.waiting import until
from support.websocket import WebSocket

SECTION = "Longer than a request, FastAPI under uvicorn"
PERSON = "ivo.marek@example.net"
CALLERS_ID = "from-a-browser-0001"


@dataclass(frozen=True, kw_only=True)
class Running:
    """The service, and what has arrived of it so far."""

    url: str
    sink: Sink

    def get(self, method: str, path: str) -> httpx.Response:
        return httpx.request(method, self.url + path, timeout=240, trust_env=False)

    def record(self, body: str) -> Log:
        """Return the one log record with this body, when it has arrived."""

        def probe() -> tuple[list[Log] | None, object]:
            found = [log for log in received.logs(self.sink) if log.body == body]
            return found or None, [log.body for log in received.logs(self.sink)]

        [record] = until(probe, what=f"the record {body!r}")
        return record

    def server(self, path: str) -> Span:
        """Return the one span of the server for a path, when it has arrived."""

        def probe() -> tuple[list[Span] | None, object]:
            spans = received.spans(self.sink)
            found = [
                span
                for span in spans
                if span.kind == "SERVER"
                and path in (span.attributes.get("url.path"), span.attributes.get("http.route"))
            ]
            return found or None, [span.name for span in spans]

        [span] = until(probe, what=f"the span of {path}")
        return span


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    command = ("uvicorn", "fastapi_streams_app:app", "--port", "{port}")
    folder = tmp_path_factory.mktemp("streams")
    with (
        otlp_sink.running() as sink,
        frameworks.running(command, folder, endpoint=sink.url, ready="/ready") as program,
    ):
        yield Running(url=program.url, sink=sink)


def test_a_websocket_s_lines_carry_trace_and_ids(service: Running, recorded: Cells) -> None:
    with recorded.checking("websocket", "trace and ids", section=SECTION):
        with WebSocket(service.url, "/chat", {"X-Request-ID": CALLERS_ID}) as socket:
            assert socket.say(f"hello {PERSON}") == f"hello {PERSON}"
            assert socket.say("good bye") == "good bye"
        record = service.record("good bye is said")
        server = service.server("/chat")
        assert record.trace == server.trace
        assert record.attributes["request.id"] == CALLERS_ID
        assert server.attributes["request.id"] == CALLERS_ID


def test_a_websocket_s_lines_are_redacted(service: Running, recorded: Cells) -> None:
    with recorded.checking("websocket", "redacted", section=SECTION):
        with WebSocket(service.url, "/chat") as socket:
            socket.say(f"mail {PERSON}")
            socket.say("that is all")
        assert service.record("that is all is said")
        assert "mail [email:" in received.text(service.sink)
        assert PERSON not in received.text(service.sink)


def test_two_websockets_have_ids_of_their_own(service: Running, recorded: Cells) -> None:
    with recorded.checking("websocket", "trace and ids", section=SECTION):
        for text in ("one", "two"):
            with WebSocket(service.url, "/chat") as socket:
                socket.say(text)
        ids = [
            service.record(f"{text} is said").attributes["request.id"] for text in ("one", "two")
        ]
        assert len(set(ids)) == 2


def test_a_stream_s_lines_carry_trace_and_ids(service: Running, recorded: Cells) -> None:
    with recorded.checking("stream", "trace and ids", section=SECTION):
        answer = service.get("GET", "/lines")
        assert answer.text == "1\n2\n3\n"
        server = service.server("/lines")
        for number in (1, 2, 3):
            record = service.record(f"Line {number} is written")
            assert record.trace == server.trace
            assert record.attributes["request.id"] == answer.headers["X-Request-ID"]


def test_a_background_task_s_line_carries_trace_and_ids(service: Running, recorded: Cells) -> None:
    with recorded.checking("background task", "trace and ids", section=SECTION):
        answer = service.get("POST", f"/later?to={PERSON}")

        def probe() -> tuple[Log | None, object]:
            logs = received.logs(service.sink)
            found = [log for log in logs if str(log.body).endswith("is sent later")]
            return (found[0] if found else None), [log.body for log in logs]

        record = until(probe, what="the task's record")
        assert record.trace == service.server("/later").trace
        assert record.attributes["request.id"] == answer.headers["X-Request-ID"]
    with recorded.checking("background task", "redacted", section=SECTION):
        assert str(record.body).startswith("Mail to [email:")
        assert PERSON not in received.text(service.sink)


def test_a_mounted_service_is_one_server_with_the_one_around_it(
    service: Running, recorded: Cells
) -> None:
    with recorded.checking("mounted service", "trace and ids", section=SECTION):
        answer = service.get("GET", "/admin/reports/sales")
        server = service.server("/admin/reports/sales")
        assert server.attributes["http.route"] == "/admin/reports/{name}"
        record = service.record("Report sales is made")
        assert record.trace == server.trace
        assert record.attributes["request.id"] == answer.headers["X-Request-ID"]
        assert answer.headers.get_list("X-Request-ID") == [answer.headers["X-Request-ID"]]


def test_a_client_that_goes_away_leaves_a_whole_span(service: Running, recorded: Cells) -> None:
    with recorded.checking("client that goes", "trace and ids", section=SECTION):
        path = "/lines?pause=60"
        with httpx.stream("GET", service.url + path, timeout=240, trust_env=False) as answer:
            assert next(answer.iter_text()) == "1\n"
            expected = answer.headers["X-Request-ID"]

        def probe() -> tuple[Span | None, object]:
            spans = [span for span in received.spans(service.sink) if span.kind == "SERVER"]
            found = [span for span in spans if span.attributes.get("url.query") == "pause=60"]
            return (found[0] if found else None), [dict(span.attributes) for span in spans]

        assert until(probe, what="the span").attributes["request.id"] == expected
