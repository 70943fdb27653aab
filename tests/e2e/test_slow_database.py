"""A database that becomes slow is seen as slow, by what the dashboards ask."""

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

# Seconds: in the bucket that ends at half a second.
SLOW_S = 0.3
ROUNDS = 8
READERS = 8
# Which panel asks for a percentile of statements in seconds, and in which of its series.
PANELS = {
    ("postgres", "Duration", "95th percentile"): {},
    ("postgres", "Duration by kind, 95th percentile", "{{db_operation_name}}"): {
        "db_operation_name": "SELECT"
    },
}


def highest(
    http: httpx.Client,
    stack: Stack,
    place: tuple[str, str, str],
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


def slow_reads(http: httpx.Client, stack: Stack) -> None:
    """Read one payment again and again, while nobody may read payments for a moment."""
    transaction = pay(http, stack, "EUR", "slow-" + secrets.token_hex(8))
    path = f"{stack.api}/payments/{transaction}"
    held = f"BEGIN; LOCK TABLE payments; SELECT pg_sleep({SLOW_S}); COMMIT"
    command = ["psql", "-U", "postgres", "-d", "backend", "-qAt", "-c", held]

    def read() -> int:
        return http.get(path, headers=stack.caller).status_code

    with concurrent.futures.ThreadPoolExecutor(READERS + 1) as pool:
        for _ in range(ROUNDS):
            lock = pool.submit(stack.compose.exec_in_container, command, "postgres")
            while not lock.done():
                assert {*pool.map(lambda _: read(), range(READERS))} == {httpx.codes.OK}
            answer, error, code = lock.result()
            assert code == 0, (answer, error)


@pytest.mark.alone  # a busy machine is a slow database, too
@pytest.mark.usefixtures("demo")
def test_percentiles_of_statements_follow_the_database(http: httpx.Client, stack: Stack) -> None:
    def quiet() -> tuple[bool | None, object]:
        now = time.time()
        seen = {place[1]: highest(http, stack, place, PANELS[place], now - 15) for place in PANELS}
        return all(0 < value < SLOW_S / 2 for value in seen.values()) or None, seen

    until(quiet, what="statements are quick", deadline_s=120)
    started = time.time()

    def slow() -> tuple[bool | None, object]:
        slow_reads(http, stack)
        seen = {place[1]: highest(http, stack, place, PANELS[place], started) for place in PANELS}
        # With the SDK's buckets every value was 4.75, quick or slow.
        return all(SLOW_S / 2 < value < 4 for value in seen.values()) or None, seen

    until(slow, what="the panels show slow statements", deadline_s=120)
