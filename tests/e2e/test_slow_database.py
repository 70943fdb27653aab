"""A database that becomes slow is seen as slow, by what dashboards ask of it and of requests."""

import concurrent.futures
import secrets
import time
from typing import Any

import httpx
import pytest

from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import (
    TimeRange,
    dashboards,
    expand,
    panels,
    query_of,
    variables,
)
from support.grafana import ask
from support.payments import pay
from support.stack import Stack
from support.waiting import until

# Seconds: in the bucket that ends at one second.
SLOW_S = 0.7
ROUNDS = 8
READERS = 8
READ = "/payments/{transactionId}"
Place = tuple[str, str, str]
# Which panel asks for a percentile of statements in seconds, in which of its series, and whose.
STATEMENTS: dict[Place, dict[str, str]] = {
    ("postgres", "Duration", "95th percentile"): {},
    ("postgres", "Duration by kind, 95th percentile", "{{db_operation_name}}"): {
        "db_operation_name": "SELECT"
    },
    ("api", "Database, 95th percentile", "{{db_operation_name}}"): {"db_operation_name": "SELECT"},
    (
        "service",
        "Database duration, 95th percentile",
        "{{db_system_name}} {{db_operation_name}}",
    ): {"db_system_name": "postgresql", "db_operation_name": "SELECT"},
    (
        "services",
        "Database calls, 95th percentile",
        "{{service_name}} → {{db_system_name}}",
    ): {"service_name": "backend-api", "db_system_name": "postgresql"},
}
# The same, of the requests that wait for these statements.
REQUESTS: dict[Place, dict[str, str]] = {
    ("api", "Duration", "95th percentile"): {},
    ("api", "Duration by route, 95th percentile", "{{http_route}}"): {"http_route": READ},
    ("service", "Duration", "95th percentile"): {},
    ("service", "Duration", "99th percentile"): {},
    (
        "service",
        "Duration by route, 95th percentile",
        "{{http_request_method}} {{http_route}}{{rpc_service}} {{rpc_method}}",
    ): {"http_route": READ, "http_request_method": "GET"},
    ("services", "Duration, 95th percentile", "{{service_name}}"): {"service_name": "backend-api"},
    ("start", "Latency, 95th percentile", "requests"): {},
}
PANELS = STATEMENTS | REQUESTS


def highest(
    http: httpx.Client,
    stack: Stack,
    place: Place,
    labels: dict[str, str],
    since: float,
) -> float:
    """Return the highest value that a panel has shown since then, in seconds; 0 for none."""
    uid, title, legend = place
    [dashboard] = [one for one in dashboards(FOLDER) if one["uid"].endswith(uid)]
    [target] = [
        target
        for panel in panels(dashboard)
        if panel["title"] == title
        for target in panel["targets"]
        if target["legendFormat"] == legend
    ]
    shown = TimeRange(start=since, end=time.time())
    query = expand(query_of(target), variables(dashboard), shown)
    found: list[Any] = ask(http, stack, "prometheus", target, query, shown)
    series = [one for one in found if labels.items() <= one["metric"].items()]
    values = [float(value) for one in series for _, value in one["values"]]
    return max((value for value in values if value == value), default=0.0)


def pay_and_read(http: httpx.Client, stack: Stack) -> str:
    """Make a payment and read it; return where."""
    transaction = pay(http, stack, "EUR", "slow-" + secrets.token_hex(8))
    path = f"{stack.api}/payments/{transaction}"
    assert http.get(path, headers=stack.caller).status_code == httpx.codes.OK
    return path


def slow_reads(http: httpx.Client, stack: Stack) -> None:
    """Read one payment again and again, while nobody may read payments for a moment."""
    path = pay_and_read(http, stack)
    held = f"BEGIN; LOCK TABLE payments; SELECT pg_sleep({SLOW_S}); COMMIT; " * ROUNDS
    command = ["psql", "-U", "postgres", "-d", "backend", "-qAt", "-c", held]

    def read() -> int:
        return http.get(path, headers=stack.caller).status_code

    with concurrent.futures.ThreadPoolExecutor(READERS + 1) as pool:
        lock = pool.submit(stack.compose.exec_in_container, command, "postgres")
        while not lock.done():
            assert {*pool.map(lambda _: read(), range(READERS))} == {httpx.codes.OK}
        answer, error, code = lock.result()
        assert code == 0, (answer, error)


@pytest.mark.alone  # a busy machine is a slow database, too
@pytest.mark.usefixtures("demo")
def test_percentiles_follow_the_database(http: httpx.Client, stack: Stack) -> None:
    def quiet() -> tuple[dict[Place, float] | None, object]:
        pay_and_read(http, stack)
        now = time.time()
        seen = {place: highest(http, stack, place, PANELS[place], now - 15) for place in PANELS}
        quick = all(0 < seen[place] < SLOW_S / 2 for place in STATEMENTS)
        # What a request takes besides is the machine's affair.
        return (seen if quick and all(value > 0 for value in seen.values()) else None), seen

    before = until(quiet, what="statements are quick")
    started = time.time()

    def slow() -> tuple[bool | None, object]:
        slow_reads(http, stack)
        seen = {place: highest(http, stack, place, PANELS[place], started) for place in PANELS}
        # With the SDK's buckets every statement took 4.75 s, quick or slow.
        moved = {
            place
            for place, value in seen.items()
            if max(SLOW_S / 2, before[place]) < value and (value < 4 or place in REQUESTS)
        }
        return (moved == {*PANELS}) or None, {place: seen[place] for place in {*PANELS} - moved}

    until(slow, what="the panels show slow statements and requests")
