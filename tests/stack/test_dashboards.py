"""Every panel's query returns data from the running backends."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import backends
from support.payments import pay, wait_confirmed
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.stack

FOLDER = Path(__file__).parents[2] / "grafana" / "dashboards"


def targets() -> list[Any]:
    return [
        pytest.param(
            panel["datasource"]["uid"], target["expr"], id=f"{path.stem}: {panel['title']} {number}"
        )
        for path in sorted(FOLDER.glob("*.json"))
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for number, target in enumerate(panel["targets"])
    ]


@pytest.fixture(scope="module")
def some_payments(http: httpx.Client, stack: Stack) -> None:
    # Two, some seconds apart: a rate needs two samples that differ.
    for number in range(2):
        transaction = pay(http, stack, "EUR", f"dashboard-{number}")
        wait_confirmed(http, stack, transaction)


@pytest.mark.usefixtures("some_payments")
@pytest.mark.parametrize(("source", "query"), targets())
def test_a_panel_has_data(http: httpx.Client, stack: Stack, source: str, query: str) -> None:
    # What Grafana fills in before it asks.
    query = query.replace("$__rate_interval", "5m").replace("$__range", "1h")

    def probe() -> tuple[list[Any] | None, object]:
        if source == "loki":
            found: list[Any] = backends.loki_lines(http, stack.url("loki"), query)
        else:
            series = backends.prometheus_query(http, stack.url("prometheus"), query)
            found = [item for item in series if item["value"] == item["value"]]  # no NaN
        return (found or None), found

    until(probe, what=query, deadline_s=30)
