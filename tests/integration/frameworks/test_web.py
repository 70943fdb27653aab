"""A stranger's web service under its own server: what arrives, and what does not leave."""

import re
from collections import Counter

import pytest

from support import web_cells
from support.cells import Cells
from support.frameworks import SERVICE, STOCK
from support.received import Span
from support.web_cells import (
    BODY,
    CALLERS_ID,
    CELLS,
    HEADER,
    PERSON,
    READY,
    SECTION,
    TAIL,
    Cell,
    Seen,
)

REQUEST, CORRELATION = "X-Request-ID", "X-Correlation-ID"
MASK = re.compile(r"\[email:[0-9a-f]{16}\]")
CUT_MAIL = f"cannot mail {MASK.pattern}"


@pytest.fixture(scope="module", params=CELLS, ids=lambda cell: cell.name)
def cell(request: pytest.FixtureRequest) -> Cell:
    return request.param


@pytest.fixture(scope="module")
def seen(cell: Cell, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One run of the service, for all checks."""
    return web_cells.look(cell, tmp_path_factory.mktemp("web"))


def above(span: Span, spans: list[Span]) -> list[str]:
    """Return the ids of what a span is inside of."""
    parents = {one.id: one.parent for one in spans if one.trace == span.trace}
    found: list[str] = []
    while span_id := parents.get(found[-1] if found else span.id, ""):
        found.append(span_id)
    return found


def test_one_trace_goes_through_it(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "one trace", section=SECTION):
        [server] = seen.servers("/orders/first")
        [called] = [
            span
            for span in seen.spans
            if span.kind == "CLIENT" and str(span.attributes.get("url.full")).endswith("/first")
        ]
        assert called.trace == server.trace
        assert above(called, seen.spans)[-1] == server.id
        inside = [span for span in seen.spans if span.trace == server.trace and span != server]
        assert {above(span, seen.spans)[-1] for span in inside} == {server.id}
        assert server.attributes["http.response.status_code"] == 200
        assert server.attributes["http.request.method"] == "GET"
        assert "{order}" in server.name or "<order>" in server.name


def test_nothing_comes_twice(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "nothing twice", section=SECTION):
        assert Counter(span.id for span in seen.spans).most_common(1)[0][1] == 1
        served = Counter(
            str(span.attributes["url.path"]) for span in seen.spans if span.kind == "SERVER"
        )
        assert served == Counter(
            [READY, *(answer.request.url.path for answer in seen.answers.values())]
        )
        for words in ("Order first is read", "Order first is in stock"):
            assert len(seen.saying(words)) == 1
            assert seen.console.count(words) == 1
        assert seen.console.count("ValueError: cannot mail") == cell.prints_errors
        # Of exceptions: one record of the framework's, and one of the server's that logs it, too.
        tracebacks = [log.logger for log in seen.logs if "exception.stacktrace" in log.attributes]
        assert set(Counter(tracebacks).values()) <= {1}
        assert sum(point.value for point in seen.points) == len(seen.answers) + 1


def test_ids_are_in_answers_spans_and_logs(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "ids", section=SECTION):
        for answer in seen.answers.values():
            assert re.fullmatch(r"[A-Za-z0-9_-]{8,64}", answer.headers[REQUEST])
            assert answer.headers[CORRELATION] == answer.headers[REQUEST]
        assert seen.answers["kept"].headers[REQUEST] == CALLERS_ID
        ids = [answer.headers[REQUEST] for answer in seen.answers.values()]
        assert len(set(ids)) == len(ids)
        for name in ("first", "kept", "refused"):
            expected = seen.answers[name].headers[REQUEST]
            [server] = seen.servers(f"/orders/{name}")
            of_trace = [span for span in seen.spans if span.trace == server.trace]
            assert {span.attributes.get("request.id") for span in of_trace} == {expected}
            for log in seen.saying(f"Order {name} is"):
                assert log.attributes.get("request.id") == expected


def test_log_lines_carry_the_trace(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "logs", section=SECTION):
        [server] = seen.servers("/orders/first")
        lines = seen.saying("Order first is")
        assert [log.body for log in lines] == ["Order first is read", "Order first is in stock"]
        assert [log.trace for log in lines] == [server.trace, server.trace]
        assert lines[1].logger == f"{lines[0].logger}.stock"


def test_an_exception_is_exported_and_redacted(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "exceptions", section=SECTION):
        assert seen.answers["failed"].status_code == 500
        [server] = seen.servers("/invite")
        assert server.status == "ERROR"
        exported = [
            item.attributes
            for item in (*seen.logs, *(event for span in seen.spans for event in span.events))
            if item.attributes.get("exception.type") == "ValueError"
        ]
        assert exported
        for attributes in exported:
            assert re.search(CUT_MAIL, str(attributes["exception.message"]))
            assert re.search(CUT_MAIL, str(attributes["exception.stacktrace"]))
        if cell.prints_errors:
            assert re.search(f"ValueError: {CUT_MAIL}", seen.console)
        assert PERSON not in seen.text
        assert f"cannot mail {PERSON}" not in seen.console


def test_no_address_of_a_request_is_written(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "requests", section=SECTION):
        [server] = seen.servers("/nowhere")
        assert MASK.search(str(server.attributes["url.query"]))
        if cell.prints_access:
            [line] = [line for line in seen.console.splitlines() if "/nowhere?" in line]
            assert MASK.search(line)
        assert PERSON not in seen.text + seen.console
        assert PERSON.replace("@", "%40") not in seen.text + seen.console


def test_no_body_and_no_header_is_recorded(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "bodies, headers", section=SECTION):
        assert seen.answers["posted"].json() == {"fields": 1}
        [posted] = seen.servers("/orders")
        assert posted.attributes["http.response.status_code"] == 200
        for quiet in (BODY, HEADER):
            assert quiet not in seen.text + seen.console


def test_every_answer_has_its_span_with_its_status(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "404, 405, HEAD", section=SECTION):
        for name, code in (("missing", 404), ("not allowed", 405), ("head", None)):
            answer = seen.answers[name]
            assert code is None or answer.status_code == code
            spans = seen.servers(answer.request.url.path)
            of_method = [
                span
                for span in spans
                if span.attributes["http.request.method"] == answer.request.method
            ]
            assert [one.attributes["http.response.status_code"] for one in of_method] == [
                answer.status_code
            ]
            assert answer.headers[REQUEST]


def test_the_last_requests_before_sigterm_arrive(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "tail", section=SECTION):
        for number in range(TAIL):
            assert len(seen.servers(f"/orders/tail{number}")) == 1
            assert len(seen.saying(f"Order tail{number} is read")) == 1
        served = [
            point.value
            for point in seen.points
            if "order" in str(point.attributes.get("http.route"))
        ]
        assert sum(served) >= TAIL


def test_it_ends_as_without_telemetry(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "exit code", section=SECTION):
        assert seen.code == seen.bare_code


def test_everything_has_the_service_s_name(cell: Cell, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(cell.name, "service name", section=SECTION):
        assert seen.spans
        assert seen.points
        assert set(seen.services) == {SERVICE}


def test_the_stock_distro_shows_the_address(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The control: were it not shown, nothing above would be redacted."""
    seen = web_cells.look(CELLS[0], tmp_path_factory.mktemp("stock"), distro=STOCK)
    assert f"cannot mail {PERSON}" in seen.text
    assert f"cannot mail {PERSON}" in seen.console
    assert PERSON in seen.servers("/nowhere")[0].attributes["url.query"]
