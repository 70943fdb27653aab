"""What the dashboards for any service have to show of the recorded Node service.

The expected numbers are counted from the recording (tests/data/otlp), not read from a dashboard.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from glasshouse_dashboards.expand import TimeRange
from support import recorded
from support.boards import Asking
from support.words import fresh

RUN = fresh()
SHOP, PAYMENTS = f"shop-{RUN}", f"payments-{RUN}"
DATABASE = "10.0.0.7"  # as the recording has it
RATE_S = 60  # $__rate_interval on a quarter of an hour
RANGE_S = 900
SERVED, CLIENT = 2, 3  # kinds of spans
# Between two points of a graph of a quarter of an hour.
STEP_S = TimeRange(start=0, end=RANGE_S).step

Check = Callable[[Asking], None]


class Counted:
    """What the recording's histogram counted between its first export and its last."""

    def __init__(self, service: str, metric: str, *attributes: str) -> None:
        first: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        last: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
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
SERVER = [span for span in SPANS if span["kind"] == SERVED]
TOTAL = sum(REQUESTS.calls.values())
BROKEN = ("GET", "/broken")


def near(value: float, count: float, seconds: float) -> None:
    """Compare a rate with a count: Prometheus adds up to half a step at each end."""
    assert count / seconds * 0.99 <= value <= count / seconds * 1.5, (value, count / seconds)


def as_rates(found: Mapping[str, float], counted: Counter[tuple[str, ...]], seconds: float) -> None:
    """Compare rates by legend with counts."""
    expected = {" ".join(key).strip(): count for key, count in counted.items()}
    assert found.keys() == expected.keys()
    for legend, count in expected.items():
        near(found[legend], count, seconds)


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
    as_rates({" ".join(key): row["A"] for key, row in rows.items()}, REQUESTS.calls, RANGE_S)
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
    [(key, row)] = board.rows("Called by", "client", "connection_type").items()
    assert key == ("user", "virtual_node")
    near(row["A"], len(SERVER), RANGE_S)
    assert row["B"] == pytest.approx(10 / len(SERVER), rel=0.05)
    within(row["C"], (0.005, 1))


def check_called(board: Asking) -> None:
    rows = board.rows("Calls to", "server", "connection_type")
    assert rows.keys() == {(PAYMENTS, ""), (DATABASE, "database")}
    near(rows[PAYMENTS, ""]["A"], 10, RANGE_S)
    calls = [one for one in SPANS if "db.system.name" in recorded.labels(one)]
    near(rows[DATABASE, "database"]["A"], len(calls), RANGE_S)
    assert {row["B"] for row in rows.values()} == {0}
    # The other one answers after 20 ms.
    within(rows[PAYMENTS, ""]["C"], (0.01, 0.1))
    within(rows[DATABASE, "database"]["C"], (0, 0.05))


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
    return {one.legend: round(sum(one.values) * STEP_S) for one in board.answers(title)}


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


def check_calls_in_spans(board: Asking) -> None:
    addresses = [
        recorded.labels(span)["server.address"] for span in SPANS if span["kind"] == CLIENT
    ]
    assert spans_of(board, "Calls in spans") == Counter(addresses)


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
    "Calls in spans": check_calls_in_spans,
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
    assert TOTAL * 0.99 / RANGE_S <= row["A"] <= TOTAL * 1.5 / RANGE_S
    assert row["B"] == share_failed()
    within(row["C"], REQUESTS.between(95))


def check_calls_between(board: Asking) -> None:
    rows = board.rows("Calls between services", "client", "server", "connection_type")
    assert rows.keys() == {
        ("user", SHOP, "virtual_node"), (SHOP, PAYMENTS, ""), (SHOP, DATABASE, "database")
    }  # fmt: skip
    failing = rows["user", SHOP, "virtual_node"]
    assert failing["B"] == pytest.approx(10 / len(SERVER), rel=0.05)
    within(rows[SHOP, PAYMENTS, ""]["C"], (0.01, 0.1))


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
    "Requests": lambda board: as_rates(
        {"": board.one("Requests")}, Counter({("",): TOTAL}), RANGE_S
    ),
    "Worst share of errors": is_(share_failed(), "Worst share of errors"),
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
