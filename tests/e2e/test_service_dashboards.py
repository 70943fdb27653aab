"""The dashboards for any service, with services that are not ours.

One is a Node service whose exports were recorded (tests/data/otlp), one an example of the package
that runs here with Flask, the others send what the recorded one does not: old names, exponential
histograms, RPC, lines alone, spans alone.
"""

import secrets
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
from support.stack import Stack
from support.waiting import until

RUN = secrets.token_hex(4)
SHOP, PAYMENTS, ORDERS = f"shop-{RUN}", f"payments-{RUN}", f"orders-{RUN}"
DATABASE = "10.0.0.7"  # as the recording has it
RATE_S = 60  # $__rate_interval on a quarter of an hour

Check = Callable[[Asking], None]


@pytest.fixture(scope="module")
def replayed(stack: Stack) -> list[recorded.Request]:
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


class Counted:
    """What the recording's histogram counted between its first export and its last."""

    def __init__(self, service: str, metric: str, *attributes: str) -> None:
        first: dict[tuple[str, ...], dict[str, Any]] = {}
        last: dict[tuple[str, ...], dict[str, Any]] = {}
        bounds: list[float] = []
        for point in recorded.points(recorded.load("node-shop"), service, metric):
            labels = recorded.labels(point)
            place = tuple(sorted(labels.items()))
            first.setdefault(place, point)
            last[place] = point
            bounds = point["explicitBounds"]
        self.calls: Counter[tuple[str, ...]] = Counter()
        self._bounds = bounds
        self._added: dict[tuple[str, ...], list[int]] = {}
        self._all: dict[tuple[str, ...], list[int]] = {}
        for place, point in last.items():
            labels = dict(place)
            key = tuple(labels.get(name, "") for name in attributes)
            self.calls[key] += int(point["count"]) - int(first[place]["count"])
            for index, after in enumerate(point["bucketCounts"]):
                before = first[place]["bucketCounts"][index]
                self._added.setdefault(key, [0] * (len(bounds) + 1))[index] += int(after) - before
                self._all.setdefault(key, [0] * (len(bounds) + 1))[index] += int(after)

    def between(self, percent: float, *key: str) -> tuple[float, float]:
        """Return the bounds between which a percentile of the calls with these attributes lies.

        The lower one without what came with the first export, the upper one with it: Prometheus
        adds a part of it.
        """
        return (
            self._bucket(self._added, percent, key)[0],
            self._bucket(self._all, percent, key)[1],
        )

    def _bucket(
        self, buckets: dict[tuple[str, ...], list[int]], percent: float, key: tuple[str, ...]
    ) -> tuple[float, float]:
        chosen = [buckets[key]] if key else list(buckets.values())
        counts = [sum(column) for column in zip(*chosen, strict=True)]
        rank, seen = percent / 100 * sum(counts), 0
        for index, count in enumerate(counts):
            seen += count
            if seen >= rank:
                return ([0.0, *self._bounds][index], self._bounds[index])
        raise AssertionError("no calls")


REQUESTS = Counted("shop", "http.server.request.duration", "http.request.method", "http.route")
STATUSES = Counted("shop", "http.server.request.duration", "http.response.status_code")
PEERS = Counted("shop", "http.client.request.duration", "server.address")
STATEMENTS = Counted("shop", "db.client.operation.duration", "db.system.name", "db.operation.name")
SPANS = list(recorded.spans(recorded.load("node-shop"), "shop"))
SERVER = [span for span in SPANS if span["kind"] == 2]
TOTAL = sum(REQUESTS.calls.values())
BROKEN = ("GET", "/broken")


def as_rates(found: Mapping[str, float], counted: Counter[tuple[str, ...]], seconds: float) -> None:
    """Compare rates by legend with counts: Prometheus adds up to half a step at each end."""
    expected = {" ".join(key).strip(): count for key, count in counted.items()}
    assert found.keys() == expected.keys()
    for legend, count in expected.items():
        assert count / seconds * 0.99 <= found[legend] <= count / seconds * 1.5, legend


def within(value: float, bounds: tuple[float, float]) -> None:
    assert bounds[0] < value <= bounds[1], (value, bounds)


def share_failed() -> Any:
    # Each series is extended to its ends by itself.
    return pytest.approx(REQUESTS.calls[BROKEN] / TOTAL, rel=0.05)


def check_share_by_route(board: Asking) -> None:
    found = board.most("Server errors by route")
    assert found == {
        "GET /books/:id": 0, "POST /orders": 0, "GET /slow": 0, "GET /broken": pytest.approx(1)
    }  # fmt: skip


def check_percentiles(board: Asking) -> None:
    found = board.most("Duration")
    assert found.keys() == {"50th percentile", "95th percentile", "99th percentile"}
    # The highest in time: the only slow one counts more where few others are in the window.
    low, _ = REQUESTS.between(50)
    assert low < found["50th percentile"] <= found["95th percentile"] <= found["99th percentile"]
    within(found["99th percentile"], REQUESTS.between(99.9))


def check_burn(board: Asking) -> None:
    found = board.most("Burn rate")
    assert found["errors"] == pytest.approx(REQUESTS.calls[BROKEN] / TOTAL / 0.001, rel=0.2)
    assert found["too slow"] > 0  # one of /slow


def check_routes(board: Asking) -> None:
    rows = board.rows("Routes", "http_request_method", "http_route")
    as_rates({" ".join(key): row["A"] for key, row in rows.items()}, REQUESTS.calls, 900)
    assert {key: row["B"] for key, row in rows.items()} == {
        key: pytest.approx(float(key == BROKEN)) for key in REQUESTS.calls
    }
    for key, row in rows.items():
        within(row["C"], REQUESTS.between(95, *key))


def check_route_durations(board: Asking) -> None:
    found = board.most("Duration by route, 95th percentile")
    assert found.keys() == {" ".join(key) for key in REQUESTS.calls}
    within(found["GET /slow"], REQUESTS.between(95, "GET", "/slow"))


def check_callers(board: Asking) -> None:
    rows = board.rows("Called by", "client", "connection_type")
    [(key, row)] = rows.items()
    assert key == ("user", "virtual_node")
    assert row["A"] == pytest.approx(len(SERVER) / 900, rel=0.15)
    failed = sum(1 for span in SERVER if span["status"]["code"] == 2)
    assert row["B"] == pytest.approx(failed / len(SERVER), rel=0.05)
    assert 0.01 < row["C"] <= 1


def check_called(board: Asking) -> None:
    rows = board.rows("Calls to", "server", "connection_type")
    assert rows.keys() == {(PAYMENTS, ""), (DATABASE, "database")}
    calls = sum(PEERS.calls[key] for key in PEERS.calls if key == ("payments.internal",)) + 1
    assert rows[(PAYMENTS, "")]["A"] == pytest.approx(calls / 900, rel=0.15)
    assert {row["B"] for row in rows.values()} == {0}
    # The other answers after 20 ms.
    assert 0.02 < rows[(PAYMENTS, "")]["C"] <= 0.1


def check_peer_durations(board: Asking) -> None:
    found = board.most("Duration by peer, 95th percentile")
    within(found["payments.internal"], PEERS.between(99.9, "payments.internal"))


def check_statement_durations(board: Asking) -> None:
    found = board.most("Database duration, 95th percentile")
    assert found.keys() == {"postgresql INSERT", "postgresql SELECT"}
    within(found["postgresql SELECT"], (0, STATEMENTS.between(99.9, "postgresql", "SELECT")[1]))


def last_point(metric: str) -> float:
    """Return the sum of a metric's last export."""
    points = list(recorded.points(recorded.load("node-shop"), "shop", metric))
    newest = max(point["timeUnixNano"] for point in points)
    return sum(float(point["asDouble"]) for point in points if point["timeUnixNano"] == newest)


def check_processor(board: Asking) -> None:
    found = {answer.legend: answer for answer in board.answers("Processor")}
    assert found.keys() == {"process", "event loop"}
    assert 0 < found["process"].most < 0.5
    assert found["event loop"].last == pytest.approx(last_point("nodejs.eventloop.utilization"))


def check_memory(board: Asking) -> None:
    found = {answer.legend: answer.last for answer in board.answers("Memory")}
    assert found == {
        "process": pytest.approx(last_point("process.memory.usage")),
        "V8 heap": pytest.approx(last_point("v8js.memory.heap.used")),
    }


def check_pauses(board: Asking) -> None:
    found = {answer.legend: answer for answer in board.answers("Pauses")}
    assert found["event loop"].last == pytest.approx(last_point("nodejs.eventloop.delay.p99"))


def spans_of(board: Asking, title: str) -> dict[str, int]:
    """Return how many spans a graph of rates stands for, by name."""
    step = 900 // 240
    return {one.legend: round(sum(one.values) * step) for one in board.answers(title)}


def check_span_durations(board: Asking) -> None:
    found = board.most("Duration of spans answered")
    longest = max(int(one["endTimeUnixNano"]) - int(one["startTimeUnixNano"]) for one in SERVER)
    assert found.keys() == {"0.5", "0.95"}
    # In powers of two.
    assert longest / 2e9 <= found["0.95"] <= longest * 2 / 1e9


def check_failed_traces(board: Asking) -> None:
    found = board.answers("Failed traces")
    failed = {span["traceId"] for span in SPANS if span["status"]["code"] == 2}
    assert len(found) == len(failed)
    assert {one.labels["rootTraceName"] for one in found} == {"GET /broken"}


def check_slow_traces(board: Asking) -> None:
    found = board.answers("Slow traces")
    assert [one.labels["rootTraceName"] for one in found] == ["GET /slow"] * 2


def check_severities(board: Asking) -> None:
    found = {one.legend: sum(one.values) for one in board.answers("Lines by severity")}
    assert found.keys() == {"error", "info"}
    assert found["error"] == found["info"]


def is_(value: Any, title: str) -> Check:
    def check(board: Asking) -> None:
        assert board.one(title) == value

    return check


def in_bounds(percent: int, title: str) -> Check:
    return lambda board: within(board.one(title), REQUESTS.between(percent))


def rates(title: str, counted: Counter[tuple[str, ...]]) -> Check:
    return lambda board: as_rates(board.most(title), counted, RATE_S)


def most(title: str, expected: Mapping[str, Any]) -> Check:
    def check(board: Asking) -> None:
        assert board.most(title) == expected

    return check


def lines(title: str, expected: Mapping[str, int]) -> Check:
    def check(board: Asking) -> None:
        assert Counter(board.lines(title)) == expected

    return check


def nothing(title: str, words: str) -> Check:
    def check(board: Asking) -> None:
        assert words in board.empty_text(title)

    return check


def check_requests(board: Asking) -> None:
    assert TOTAL * 0.99 <= board.one("Requests") <= TOTAL * 1.5


def check_collections(board: Asking) -> None:
    found = board.most("Garbage collections")
    assert "V8 minor" in found
    assert all(legend.startswith("V8 ") for legend in found)


def check_spans(board: Asking) -> None:
    assert spans_of(board, "Spans answered") == Counter(span["name"] for span in SERVER)


def check_failed_spans(board: Asking) -> None:
    assert spans_of(board, "Failed spans") == {"GET /broken": 10}


# Panels of "Service detail", each with what it has to show of the recorded service.
DETAIL: dict[str, Check] = {
    "Requests": check_requests,
    "Without server error": is_(
        pytest.approx(1 - REQUESTS.calls[BROKEN] / TOTAL, rel=0.05), "Without server error"
    ),
    "Fast enough": is_(
        pytest.approx(
            1 - REQUESTS.calls["GET", "/slow"] / (TOTAL - REQUESTS.calls[BROKEN]), rel=0.05
        ),
        "Fast enough",
    ),
    "95th percentile": in_bounds(95, "95th percentile"),
    "Budget left: errors": is_(
        pytest.approx(1 - REQUESTS.calls[BROKEN] / TOTAL / 0.001, rel=0.05), "Budget left: errors"
    ),
    "Budget left: too slow": is_(
        pytest.approx(
            1 - REQUESTS.calls["GET", "/slow"] / (TOTAL - REQUESTS.calls[BROKEN]) / 0.05, abs=0.2
        ),
        "Budget left: too slow",
    ),
    "Rate by route": rates("Rate by route", REQUESTS.calls),
    "Server errors by route": check_share_by_route,
    "Duration": check_percentiles,
    "Burn rate": check_burn,
    "Routes": check_routes,
    "Duration by route, 95th percentile": check_route_durations,
    "By status": rates("By status", STATUSES.calls),
    "Called by": check_callers,
    "Calls to": check_called,
    "Calls by peer": rates("Calls by peer", PEERS.calls),
    "Failed calls by peer": most(
        "Failed calls by peer", {" ".join(peer): 0 for peer in PEERS.calls}
    ),
    "Duration by peer, 95th percentile": check_peer_durations,
    "Database calls": rates("Database calls", STATEMENTS.calls),
    "Database errors": nothing("Database errors", "No database call failed"),
    "Database duration, 95th percentile": check_statement_durations,
    "Processor": check_processor,
    "Memory": check_memory,
    "Threads and files": nothing("Threads and files", "no such runtime metric"),
    "Garbage collections": check_collections,
    "Pauses": check_pauses,
    "Spans answered": check_spans,
    "Failed spans": check_failed_spans,
    "Duration of spans answered": check_span_durations,
    "Failed traces": check_failed_traces,
    "Slow traces": check_slow_traces,
    "Lines by severity": check_severities,
    "Errors and warnings": lines("Errors and warnings", {"the shelf is gone": 10}),
    "Lines": lines("Lines", {"the shelf is gone": 10, "an order was paid": 10}),
}


def check_services(board: Asking) -> None:
    [(key, row)] = board.rows("Services that answer", "service_name").items()
    assert key == (SHOP,)
    assert TOTAL * 0.99 / 900 <= row["A"] <= TOTAL * 1.5 / 900
    assert row["B"] == share_failed()
    within(row["C"], REQUESTS.between(95))


def check_calls_between(board: Asking) -> None:
    rows = board.rows("Calls between services", "client", "server", "connection_type")
    assert rows.keys() == {
        ("user", SHOP, "virtual_node"), (SHOP, PAYMENTS, ""), (SHOP, DATABASE, "database")
    }  # fmt: skip
    failing = rows["user", SHOP, "virtual_node"]
    assert failing["B"] == pytest.approx(10 / len(SERVER), rel=0.05)
    assert 0.02 < rows[SHOP, PAYMENTS, ""]["C"] <= 0.1


def check_peers(board: Asking) -> None:
    found = board.most("Calls to peers, 95th percentile")
    assert found.keys() == {f"{SHOP} → {peer}" for [peer] in PEERS.calls}
    within(found[f"{SHOP} → payments.internal"], PEERS.between(99.9, "payments.internal"))


def check_senders(board: Asking) -> None:
    [answer] = board.answers("Senders of metrics")
    assert answer.labels == {
        "service_name": SHOP,
        "service_version": "1.4.0",
        "deployment_environment_name": "staging",
        "telemetry_sdk_language": "nodejs",
        "telemetry_sdk_version": "2.12.0",
    }


def one_service(title: str, check: Callable[[float], bool], *, name: str = SHOP) -> Check:
    """Return a check that a graph has one line, of that name, with such a largest value."""

    def checked(board: Asking) -> None:
        found = board.most(title)
        assert found.keys() == {name}
        assert check(found[name]), found

    return checked


def check_all_spans(board: Asking) -> None:
    assert spans_of(board, "Spans by service") == {SHOP: len(SPANS)}


LIST: dict[str, Check] = {
    "Services": is_(1, "Services"),
    "Requests": lambda board: as_rates({"": board.one("Requests")}, Counter({("",): TOTAL}), 900),
    "Worst share of errors": lambda board: is_(share_failed(), "Worst share of errors")(board),
    "Slowest, 95th percentile": in_bounds(95, "Slowest, 95th percentile"),
    "Services that answer": check_services,
    "Rate": lambda board: as_rates(board.most("Rate"), Counter({(SHOP,): TOTAL}), RATE_S),
    "Errors": one_service("Errors", lambda share: 0.15 < share < 0.25),
    "Duration, 95th percentile": one_service("Duration, 95th percentile", lambda s: 0.01 < s <= 1),
    "Calls between services": check_calls_between,
    "Calls to peers, 95th percentile": check_peers,
    "Database calls, 95th percentile": one_service(
        "Database calls, 95th percentile", lambda s: 0 < s <= 0.05, name=f"{SHOP} → postgresql"
    ),
    "Spans by service": check_all_spans,
    "Lines by service": one_service("Lines by service", lambda rate: 0.5 < rate <= 20 / 15),
    "Senders of metrics": check_senders,
    "Old names": nothing("Old names", "All services send the stable names"),
}


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
    assert called.most("Rate by route").keys() == {"POST /charge"}
    assert called.rows("Called by", "client").keys() == {(SHOP,)}
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
STABLE = [
    histogram("http.server.request.duration", "s", OK, [0, 3, 0, 0], SECONDS),
    histogram("http.server.request.duration", "s", BAD, [0, 1, 0, 0], SECONDS),
]
SENT = {
    "old": OLD,
    "both": OLD + STABLE,
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
    with Sender(stack.otlp, name, stack.sender) as sender:
        sender.spans(made)
    board = shop.having(service=name)

    def check() -> None:
        assert spans_of(board, "Spans answered") == {"GET /only": 4}
        assert spans_of(board, "Failed spans") == {"GET /only": 1}
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

    def exported(least: int) -> tuple[bool | None, object]:
        found = backends.prometheus_query(http, stack.url("prometheus"), counted)
        total = sum(one["value"] for one in found)
        return (True if total >= least else None), found

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
        httpx.Client(base_url=program.url, trust_env=False, timeout=60) as client,
    ):
        ask_orders(client, 1)
        until(lambda: exported(3), what="its first export")
        ask_orders(client, 5)
        until(lambda: exported(18), what="its later exports")
        yield ORDERS


def check_flask_rates(board: Asking) -> None:
    as_rates(
        board.most("Rate by route"),
        Counter({("GET", "/orders/<order>"): 10, ("GET", "/invite"): 5, ("GET",): 0}),
        RATE_S,
    )


def check_flask_routes(board: Asking) -> None:
    rows = board.rows("Routes", "http_request_method", "http_route")
    assert rows["GET", "/invite"]["B"] == pytest.approx(1)
    assert rows["GET", "/orders/<order>"]["B"] == 0
    assert 0 < rows["GET", "/orders/<order>"]["C"] < 10


def check_flask_logs(board: Asking) -> None:
    counts = Counter(line for line in board.lines("Lines") if line.startswith("Order "))
    assert counts == {
        f"Order {name} is {what}": 6 for name in ("here", "gone") for what in ("read", "in stock")
    }


def check_flask_calls(board: Asking) -> None:
    assert board.most("Failed calls by peer") == {"127.0.0.1": pytest.approx(0.5, rel=0.05)}


def check_flask_failed(board: Asking) -> None:
    assert {one.labels["rootTraceName"] for one in board.answers("Failed traces")} == {
        "GET /invite", "GET /orders/<order>"
    }  # fmt: skip


FLASK: dict[str, Check] = {
    "Requests": lambda board: as_rates({"": board.one("Requests")}, Counter({("",): 15}), 1),
    "Without server error": is_(pytest.approx(2 / 3, rel=0.05), "Without server error"),
    "Rate by route": check_flask_rates,
    "Routes": check_flask_routes,
    "By status": rates("By status", Counter({("200",): 10, ("404",): 0, ("500",): 5})),
    "Calls by peer": rates("Calls by peer", Counter({("127.0.0.1",): 10})),
    "Failed calls by peer": check_flask_calls,
    "Lines": check_flask_logs,
    "Failed traces": check_flask_failed,
}


@pytest.mark.parametrize("title", titles("service"))
def test_a_panel_of_service_detail_shows_the_example(shop: Asking, flask: str, title: str) -> None:
    board = shop.having(service=flask)
    eventually(lambda: FLASK.get(title, lambda _: None)(board), what=title)
    print("DEBUG", title, [(a.legend, a.labels, a.values[-3:]) for a in board.answers(title)][:4])
