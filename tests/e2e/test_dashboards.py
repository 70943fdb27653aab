"""Every panel of every dashboard, asked as Grafana asks: no error, and data."""

import time
from importlib.metadata import version
from typing import Any

import httpx
import pytest

from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.empty_states import EMPTY_REASONS
from glasshouse_dashboards.expand import (
    TimeRange,
    dashboards,
    expand,
    panels,
    query_of,
    variables,
)
from glasshouse_dashboards.queries import history
from support.grafana import ask
from support.stack import Stack
from support.waiting import until

WINDOW_S = 900
# Everything since the stack was started, however slow the machine is.
WHOLE_RUN_S = 3 * 3600
# Variables: on one machine nobody has a tenant.
MAY_BE_EMPTY = {"tenant"}


def targets() -> list[Any]:
    return [
        pytest.param(
            dashboard, panel, target, id=f"{dashboard['uid']}: {panel['title']} {target['refId']}"
        )
        for dashboard in dashboards(FOLDER)
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def recent(demo: Any) -> TimeRange:
    """Return the last quarter of an hour, or more: the demo is in it, however long it is ago."""
    now = time.time()
    return TimeRange(start=min(now - WINDOW_S, demo.began), end=now)


@pytest.mark.parametrize(("dashboard", "panel", "target"), targets())
def test_a_panel_has_data(
    http: httpx.Client,
    stack: Stack,
    demo: Any,
    dashboard: dict[str, Any],
    panel: dict[str, Any],
    target: dict[str, Any],
) -> None:
    source = panel["datasource"]["uid"]
    may_be_empty = (dashboard["uid"], panel["title"]) in EMPTY_REASONS

    def probe() -> tuple[list[Any] | None, object]:
        time_range = recent(demo)
        query = expand(query_of(target), variables(dashboard), time_range)
        found = ask(http, stack, source, target, query, time_range)
        return (found if found or may_be_empty else None), query

    # A rate needs two scrapes, and the slowest rules are evaluated every two minutes.
    until(probe, what=f"{dashboard['uid']}: {panel['title']}")


@pytest.mark.parametrize("dashboard", dashboards(FOLDER), ids=lambda dashboard: dashboard["uid"])
def test_variables_and_marks_can_be_asked(
    http: httpx.Client, stack: Stack, demo: Any, dashboard: dict[str, Any]
) -> None:
    prometheus = stack.url("prometheus")
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        query = expand(variable["query"]["query"], variables(dashboard), recent(demo))
        if query.startswith("query_result("):
            # The hidden one, which follows from the chosen time.
            moment = {"query": query.removeprefix("query_result(").removesuffix(")")}
            answer = http.get(f"{prometheus}/api/v1/query", params=moment)
            [one] = answer.json()["data"]["result"]
            assert one["metric"] == {history.VARIABLE: history.SAMPLES}
            continue
        inner = query.removeprefix("label_values(").removesuffix(")")
        selector, label = inner.rsplit(",", 1)
        url = f"{prometheus}/api/v1/label/{label.strip()}/values"

        def values(
            url: str = url, selector: str = selector, name: str = variable["name"]
        ) -> tuple[object | None, object]:
            answer = http.get(url, params={"match[]": selector}).json()
            may_be_empty = name in MAY_BE_EMPTY and answer.get("status") == "success"
            return answer.get("data") or may_be_empty or None, answer

        until(values, what=f"{variable['name']}: {inner}")
    marks = {mark["name"]: mark for mark in dashboard["annotations"]["list"]}
    assert marks.keys() == {"Alerts", "Starts"}
    now = time.time()
    time_range = TimeRange(start=now - WHOLE_RUN_S, end=now)
    params: dict[str, Any] = {"start": time_range.start, "end": time_range.end, "step": 15}
    for name, mark in marks.items():
        answer = http.get(
            f"{prometheus}/api/v1/query_range",
            params={"query": expand(mark["expr"], variables(dashboard), time_range), **params},
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        if name == "Starts":  # the stack has just been started
            series = answer.json()["data"]["result"]
            started = {one["metric"]["service_name"] for one in series}
            # Service detail marks those of one service.
            assert {"backend-api", "backend-worker"} & started
            # Other tests send as other services.
            versions = {
                one["metric"].get("service_version")
                for one in series
                if one["metric"]["service_name"].startswith("backend-")
            }
            assert versions == {version("glasshouse-backend")}
