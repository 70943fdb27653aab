"""The dashboards for any service, with services that are not ours.

One is a Node service whose exports were recorded (tests/data/otlp), one an example of the package
that runs here with Flask, the others send what the recorded one does not: old names, exponential
histograms, RPC, lines alone, spans alone.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support import backends, frameworks, otlp, recorded
from support.boards import Asking, eventually, titles
from support.http_server import Handler, serving
from support.otlp import Sender
from support.shop_panels import (
    BROKEN,
    DETAIL,
    LIST,
    PAYMENTS,
    REQUESTS,
    RUN,
    SHOP,
    TOTAL,
    Check,
    check_called,
    check_requests,
    check_spans,
    is_,
    lines,
    most,
    near,
    nothing,
    rates,
    spans_of,
    within,
)
from support.stack import Stack
from support.waiting import until

ORDERS = f"orders-{RUN}"


@pytest.fixture(scope="module")
def service_map(http: httpx.Client, stack: Stack) -> None:
    """Tempo draws its service map: it leaves out what is half a minute old when it starts to."""
    early = f"early-{RUN}"
    drawn = f'traces_service_graph_request_total{{server="{early}"}}'
    with Sender(stack.otlp, early, stack.sender) as sender:

        def probe() -> tuple[bool | None, object]:
            if backends.prometheus_query(http, stack.url("prometheus"), drawn):
                return True, "drawn"
            sender.spans([{**otlp.span("GET /early"), "kind": 2}])
            return None, "no service map"

        until(probe, what="the service map")


@pytest.fixture(scope="module")
def replayed(stack: Stack, service_map: None) -> list[recorded.Request]:
    """The recording, sent as of now."""
    requests = recorded.again(recorded.load("node-shop"), run=RUN, now=time.time())
    recorded.send(requests, stack.otlp, stack.sender)
    return requests


@pytest.fixture
def services(http: httpx.Client, stack: Stack) -> Asking:
    return Asking(http=http, stack=stack, uid="services", chosen={"service": SHOP})


@pytest.fixture
def shop(http: httpx.Client, stack: Stack) -> Asking:
    return Asking(http=http, stack=stack, uid="service", chosen={"service": SHOP})


@pytest.mark.parametrize(("uid", "checks"), [("service", DETAIL), ("services", LIST)])
def test_no_panel_is_left_out(uid: str, checks: Mapping[str, Check]) -> None:
    assert set(titles(uid)) == checks.keys()


@pytest.mark.usefixtures("replayed")
@pytest.mark.parametrize("title", DETAIL)
def test_a_panel_of_service_detail_shows_what_was_recorded(shop: Asking, title: str) -> None:
    eventually(lambda: DETAIL[title](shop), what=title)


@pytest.mark.usefixtures("replayed")
@pytest.mark.parametrize("title", LIST)
def test_a_panel_of_services_shows_what_was_recorded(services: Asking, title: str) -> None:
    eventually(lambda: LIST[title](services), what=title)


# Panels whose service map has no environment, and those that have nothing of the shop anyhow.
WITHOUT_ENVIRONMENT = {"Called by", "Calls to"}


@pytest.mark.usefixtures("replayed")
def test_another_service_shows_nothing_of_it(shop: Asking) -> None:
    """The control is the test above, where the same panels have it."""
    eventually(lambda: check_called(shop), what="the recording is there")
    other = shop.having(service=f"nobody-{RUN}")
    assert {title: other.answers(title) for title in DETAIL} == {title: [] for title in DETAIL}
    called = shop.having(service=PAYMENTS)

    def check() -> None:
        assert called.most("Rate by route").keys() == {"POST /charge"}
        assert called.rows("Called by", "client").keys() == {(SHOP,)}

    eventually(check, what="what the shop calls")
    assert called.lines("Lines") == []


@pytest.mark.usefixtures("replayed")
def test_the_environment_chooses(shop: Asking) -> None:
    eventually(lambda: check_requests(shop.having(environment="staging")), what="staging")
    eventually(lambda: check_spans(shop.having(environment="staging")), what="staging's spans")
    other = shop.having(environment="production")
    asked = DETAIL.keys() - WITHOUT_ENVIRONMENT
    assert {title: other.answers(title) for title in asked} == {title: [] for title in asked}


@pytest.mark.usefixtures("replayed")
def test_route_objective_and_limit_choose(shop: Asking) -> None:
    def check() -> None:
        orders = shop.having(route="/orders")
        assert orders.most("Rate by route").keys() == {"POST /orders"}
        assert orders.one("Without server error") == 1
        failed = REQUESTS.calls[BROKEN] / TOTAL
        lax = shop.having(objective="50", limit="1")
        assert lax.one("Budget left: errors") == pytest.approx(1 - failed / 0.5, abs=0.03)
        assert lax.one("Fast enough") == 1
        assert lax.answers("Slow traces") == []

    eventually(check, what="the choices")


# What the recorded service does not send.


def histogram(
    name: str, unit: str, items: otlp.Attributes, counts: list[int], bounds: list[float]
) -> Callable[[int, int], dict[str, Any]]:
    """Return a function that makes the histogram after ``times`` of these, at a time."""

    def made(times: int, at: int) -> dict[str, Any]:
        point = {
            "startTimeUnixNano": str(at - 10**12),
            "timeUnixNano": str(at),
            "count": str(times * sum(counts)),
            "sum": times * 1.0,
            "bucketCounts": [str(times * count) for count in counts],
            "explicitBounds": bounds,
            "attributes": otlp.attributes(items),
        }
        data = {"aggregationTemporality": 2, "dataPoints": [point]}
        return {"name": name, "unit": unit, "histogram": data}

    return made


def exponential(
    name: str, unit: str, items: otlp.Attributes, count: int
) -> Callable[[int, int], dict[str, Any]]:
    """Return the same as an exponential histogram, all of it between 0.25 and 0.297."""

    def made(times: int, at: int) -> dict[str, Any]:
        point = {
            "startTimeUnixNano": str(at - 10**12),
            "timeUnixNano": str(at),
            "count": str(times * count),
            "sum": times * 1.0,
            "scale": 2,
            "positive": {"offset": -8, "bucketCounts": [str(times * count)]},
            "attributes": otlp.attributes(items),
        }
        data = {"aggregationTemporality": 2, "dataPoints": [point]}
        return {"name": name, "unit": unit, "exponentialHistogram": data}

    return made


SECONDS = [0.1, 0.5, 1.0]
MILLISECONDS = [100.0, 500.0, 1000.0]
OLD_OK = {"http.method": "GET", "http.route": "/old", "http.status_code": 200}
OLD_BAD = {"http.method": "GET", "http.route": "/old", "http.status_code": 503}
OK = {"http.request.method": "GET", "http.route": "/old", "http.response.status_code": 200}
BAD = {
    "http.request.method": "GET", "http.route": "/old", "http.response.status_code": 503,
    "error.type": "503",
}  # fmt: skip
RPC_OK = {"rpc.system.name": "grpc", "rpc.method": "books.Shelf/Take"}
RPC_BAD = {**RPC_OK, "rpc.response.status_code": "INTERNAL", "error.type": "INTERNAL"}
OLD_RPC_OK = {"rpc.system": "grpc", "rpc.service": "books.Shelf", "rpc.method": "Take",
              "rpc.grpc.status_code": 0}  # fmt: skip
OLD_RPC_BAD = {**OLD_RPC_OK, "rpc.grpc.status_code": 13}
OLD_RPC_REFUSED = {**OLD_RPC_OK, "rpc.grpc.status_code": 5}
# Three of four between 0.1 and 0.5 s without error, one with.
OLD = [
    histogram("http.server.duration", "ms", OLD_OK, [0, 3, 0, 0], MILLISECONDS),
    histogram("http.server.duration", "ms", OLD_BAD, [0, 1, 0, 0], MILLISECONDS),
]
# Beside the stable names, and without a route, as some send them.
WITHOUT_ROUTE = [
    histogram(
        "http.server.duration",
        "ms",
        {name: value for name, value in items.items() if name != "http.route"},
        [0, count, 0, 0],
        MILLISECONDS,
    )
    for items, count in ((OLD_OK, 3), (OLD_BAD, 1))
]
STABLE = [
    histogram("http.server.request.duration", "s", OK, [0, 3, 0, 0], SECONDS),
    histogram("http.server.request.duration", "s", BAD, [0, 1, 0, 0], SECONDS),
]
SENT = {
    "old": OLD,
    "both": WITHOUT_ROUTE + STABLE,
    "native": [
        exponential("http.server.request.duration", "s", OK, 3),
        exponential("http.server.request.duration", "s", BAD, 1),
    ],
    "rpc": [
        histogram("rpc.server.call.duration", "s", RPC_OK, [0, 3, 0, 0], SECONDS),
        histogram("rpc.server.call.duration", "s", RPC_BAD, [0, 1, 0, 0], SECONDS),
    ],
    # As a Java agent does: HTTP by the stable names, RPC by the old ones.
    "mixed": [
        histogram("http.server.request.duration", "s", OK, [0, 2, 0, 0], SECONDS),
        histogram("rpc.server.duration", "ms", OLD_RPC_REFUSED, [0, 1, 0, 0], MILLISECONDS),
        histogram("rpc.server.duration", "ms", OLD_RPC_BAD, [0, 1, 0, 0], MILLISECONDS),
    ],
}
ROUTES = {
    "old": {"GET /old"},
    "both": {"GET /old"},
    "native": {"GET /old"},
    "rpc": {"books.Shelf/Take"},
    "mixed": {"GET /old", "books.Shelf Take"},
}


@pytest.fixture(scope="module")
def senders(stack: Stack) -> None:
    """Five services that answer four requests every five seconds, one of them with an error."""
    now = time.time_ns()
    for kind, metrics in SENT.items():
        with Sender(stack.otlp, f"{kind}-{RUN}", stack.sender) as sender:
            for times in (1, 2, 3, 4):
                at = now - (4 - times) * 5 * 10**9
                sender.metrics([made(times, at) for made in metrics])


@pytest.mark.usefixtures("senders")
@pytest.mark.parametrize("kind", SENT)
def test_a_service_with_other_names_or_histograms_is_shown_once(shop: Asking, kind: str) -> None:
    board = shop.having(service=f"{kind}-{RUN}")

    def check() -> None:
        # 4, 8, 12, 16: what came with the first export is not counted, half a step may be added.
        assert 12 <= board.one("Requests") <= 16.1
        assert board.one("Without server error") == pytest.approx(0.75)
        within(board.one("95th percentile"), (0.1, 0.5))
        assert board.one("Fast enough") == pytest.approx(1)
        assert set(board.most("Rate by route")) == ROUTES[kind]
        assert sum(board.most("Rate by route").values()) == pytest.approx(16 / 60, rel=0.3)
        rows = board.rows("Routes", "http_route", "rpc_method")
        assert all(set(row) == {"A", "B", "C"} for row in rows.values()), rows

    eventually(check, what=kind)


@pytest.mark.usefixtures("senders")
def test_who_sends_old_names_is_named(services: Asking) -> None:
    def check() -> None:
        rows = services.having(service=f"(old|both|mixed|rpc|native)-{RUN}").rows(
            "Old names", "service_name", "__name__"
        )
        assert {key: row["A"] for key, row in rows.items()} == {
            (f"old-{RUN}", "http_server_duration_milliseconds_count"): 2,
            (f"both-{RUN}", "http_server_duration_milliseconds_count"): 2,
            (f"mixed-{RUN}", "rpc_server_duration_milliseconds_count"): 2,
        }

    eventually(check, what="old names")


def test_a_service_that_only_logs_shows_its_lines(stack: Stack, shop: Asking) -> None:
    name = f"lines-{RUN}"
    with Sender(stack.otlp, name, stack.sender) as sender:
        sender.logs([otlp.log("the only line")])
    board = shop.having(service=name)
    eventually(lambda: lines("Lines", {"the only line": 1})(board), what="its line")
    assert "see the spans below" in board.empty_text("Requests")
    assert "No spans" in board.empty_text("Spans answered")


def test_a_service_that_only_sends_spans_shows_them(stack: Stack, shop: Asking) -> None:
    name = f"spans-{RUN}"
    made = [{**otlp.span("GET /only"), "kind": 2} for _ in range(3)]
    made.append({**otlp.span("GET /only"), "kind": 2, "status": {"code": 2}})
    made.append({**otlp.span("GET", {"server.address": "elsewhere"}), "kind": 3})
    with Sender(stack.otlp, name, stack.sender) as sender:
        sender.spans(made)
    board = shop.having(service=name)

    def check() -> None:
        assert spans_of(board, "Spans answered") == {"GET /only": 4}
        assert spans_of(board, "Failed spans") == {"GET /only": 1}
        assert spans_of(board, "Calls in spans") == {"elsewhere": 1}
        assert board.most("Duration of spans answered")["0.95"] <= 0.01
        assert len(board.answers("Failed traces")) == 1
        # It was called by somebody without spans, and that is in the service map.
        [(key, row)] = board.rows("Called by", "client").items()
        assert key == ("user",)
        assert row["B"] == pytest.approx(0.25)

    eventually(check, what="its spans")
    assert "see the spans below" in board.empty_text("Rate by route")


# An example of the package, with Flask.


class Warehouse(Handler):
    """What the example asks for its stock."""

    def do_GET(self) -> None:
        self.answer(b"{}", status=503 if self.path == "/stock/gone" else 200)


def ask_orders(client: httpx.Client, times: int) -> None:
    """Ask as often for each: an order, one whose stock is not known, one that fails."""
    for _ in range(times):
        assert client.get("/orders/here").status_code == httpx.codes.OK
        assert client.get("/orders/gone").status_code == httpx.codes.OK
        answer = client.get("/invite", params={"to": "somebody"})
        assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR


@pytest.fixture(scope="module")
def flask(
    http: httpx.Client, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The example with Flask, asked once for everything, and after its first export 5 times."""
    frameworks.make_environment()
    counted = f'http_server_request_duration_seconds_count{{service_name="{ORDERS}"}}'
    by_route = f"sum by (http_route) ({counted})"

    def exported(times: int) -> tuple[bool | None, object]:
        found = backends.prometheus_query(http, stack.url("prometheus"), by_route)
        counts = {one["labels"].get("http_route", ""): one["value"] for one in found}
        whole = counts.get(ORDER[1]) == 2 * times and counts.get(INVITE[1]) == times
        return (True if whole else None), counts

    with (
        serving(Warehouse) as warehouse,
        frameworks.running(
            ["flask", "--app", "flask_app", "run", "--port", "{port}"],
            tmp_path_factory.mktemp("flask"),
            endpoint=stack.otlp,
            ready="/nowhere",
            OTEL_SERVICE_NAME=ORDERS,
            OTEL_EXPORTER_OTLP_HEADERS=f"Authorization={quote(stack.sender['Authorization'])}",
            OTEL_METRIC_EXPORT_INTERVAL="1000",
            WAREHOUSE_URL=warehouse,
        ) as program,
        httpx.Client(base_url=program.url, trust_env=False, timeout=240) as client,
    ):
        ask_orders(client, 1)
        until(lambda: exported(1), what="its first export")
        ask_orders(client, 5)
        until(lambda: exported(6), what="its later exports")
        yield ORDERS


ORDER, INVITE = ("GET", "/orders/<order>"), ("GET", "/invite")
# A path that is none has no route; it was asked once, before anything was counted.
ROUTES_OF_FLASK = Counter({ORDER: 10, INVITE: 5, ("GET",): 0})
LINES_OF_FLASK = {
    f"Order {name} is {what}": 6 for name in ("here", "gone") for what in ("read", "in stock")
}


def check_flask_budgets(board: Asking) -> None:
    assert board.one("Budget left: errors") == pytest.approx(1 - (1 / 3) / 0.001, rel=0.05)


def check_flask_shares(board: Asking) -> None:
    found = board.most("Server errors by route")
    assert found == {"GET /orders/<order>": 0, "GET /invite": pytest.approx(1)}


def check_flask_burn(board: Asking) -> None:
    assert board.most("Burn rate")["errors"] == pytest.approx((1 / 3) / 0.001, rel=0.2)


def check_flask_routes(board: Asking) -> None:
    rows = board.rows("Routes", "http_request_method", "http_route")
    assert rows[INVITE]["B"] == pytest.approx(1)
    assert rows[ORDER]["B"] == 0
    near(rows[ORDER]["A"], 10, 900)
    assert 0 < rows[ORDER]["C"] <= 10


def check_flask_callers(board: Asking) -> None:
    [(key, row)] = board.rows("Called by", "client", "connection_type").items()
    assert key == ("user", "virtual_node")
    near(row["A"], 19, 900)
    assert row["B"] == pytest.approx(6 / 19, rel=0.05)


def check_flask_calls_in_spans(board: Asking) -> None:
    assert spans_of(board, "Calls in spans") == {"127.0.0.1": 12}


def check_flask_spans(board: Asking) -> None:
    assert spans_of(board, "Spans answered") == {
        "GET /orders/<order>": 12, "GET /invite": 6, "GET /nowhere": 1
    }  # fmt: skip


def check_flask_failed_spans(board: Asking) -> None:
    # Of the call to the warehouse, and of the request.
    assert spans_of(board, "Failed spans") == {"GET": 6, "GET /invite": 6}


def check_flask_failed_traces(board: Asking) -> None:
    names = Counter(one.labels["rootTraceName"] for one in board.answers("Failed traces"))
    assert names == {"GET /invite": 6, "GET /orders/<order>": 6}


def check_flask_severities(board: Asking) -> None:
    found = {one.legend: max(one.values) for one in board.answers("Lines by severity")}
    assert {"error", "warn"} <= found.keys()
    assert found["warn"] == pytest.approx(found["error"] * 4)


def check_flask_lines(board: Asking) -> None:
    found = Counter(line for line in board.lines("Lines") if line.startswith("Order "))
    assert found == LINES_OF_FLASK


def check_flask_bad_lines(board: Asking) -> None:
    found = Counter(board.lines("Errors and warnings"))
    assert LINES_OF_FLASK.items() <= found.items()
    assert sum(found.values()) == sum(LINES_OF_FLASK.values()) + 6  # one a failed request


def positive(title: str, *legends: str) -> Check:
    def check(board: Asking) -> None:
        found = board.most(title)
        assert found.keys() == set(legends)
        assert all(0 < value <= 10 for value in found.values()), found

    return check


FLASK: dict[str, Check] = {
    "Requests": lambda board: near(board.one("Requests"), 15, 1),
    "Without server error": is_(pytest.approx(2 / 3, rel=0.05), "Without server error"),
    "Fast enough": is_(pytest.approx(1, abs=0.5), "Fast enough"),
    "95th percentile": lambda board: within(board.one("95th percentile"), (0, 10)),
    "Budget left: errors": check_flask_budgets,
    "Budget left: too slow": lambda board: within(board.one("Budget left: too slow"), (-20, 1)),
    "Rate by route": rates("Rate by route", ROUTES_OF_FLASK),
    "Server errors by route": check_flask_shares,
    "Duration": positive("Duration", "50th percentile", "95th percentile", "99th percentile"),
    "Burn rate": check_flask_burn,
    "Routes": check_flask_routes,
    "Duration by route, 95th percentile": positive(
        "Duration by route, 95th percentile", *(" ".join(route) for route in (ORDER, INVITE))
    ),
    "By status": rates("By status", Counter({("200",): 10, ("404",): 0, ("500",): 5})),
    "Called by": check_flask_callers,
    # Whom it calls sends no spans.
    "Calls to": nothing("Calls to", "Nobody that it called sends spans"),
    "Calls by peer": rates("Calls by peer", Counter({("127.0.0.1",): 10})),
    "Failed calls by peer": most(
        "Failed calls by peer", {"127.0.0.1": pytest.approx(0.5, rel=0.05)}
    ),
    "Duration by peer, 95th percentile": positive("Duration by peer, 95th percentile", "127.0.0.1"),
    "Database calls": nothing("Database calls", "db.client.operation.duration"),
    "Database errors": nothing("Database errors", "No database call failed"),
    "Database duration, 95th percentile": nothing(
        "Database duration, 95th percentile", "db.client.operation.duration"
    ),
    **{
        title: nothing(title, "no such runtime metric")
        for title in ("Processor", "Memory", "Threads and files", "Garbage collections", "Pauses")
    },
    "Spans answered": check_flask_spans,
    "Calls in spans": check_flask_calls_in_spans,
    "Failed spans": check_flask_failed_spans,
    "Duration of spans answered": positive("Duration of spans answered", "0.5", "0.95"),
    "Failed traces": check_flask_failed_traces,
    "Slow traces": lambda board: None,
    "Lines by severity": check_flask_severities,
    "Errors and warnings": check_flask_bad_lines,
    "Lines": check_flask_lines,
}


@pytest.mark.parametrize("title", titles("service"))
def test_a_panel_of_service_detail_shows_the_example(shop: Asking, flask: str, title: str) -> None:
    eventually(lambda: FLASK[title](shop.having(service=flask)), what=title)
