"""The committed dashboards are what the code makes, and keep to what people rely on."""

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_cli import slos
from glasshouse_dashboards.__main__ import DASHBOARDS, FOLDER, render_all
from glasshouse_dashboards.empty_states import EMPTY_REASONS
from glasshouse_dashboards.expand import (
    TimeRange,
    dashboards,
    expand,
    panels,
    query_of,
    variables,
)

ROOT = Path(__file__).parents[2]
SOURCES = yaml.safe_load(
    (ROOT / "grafana/provisioning/datasources/stack.yaml").read_text(encoding="utf-8")
)["datasources"]
BOARDS = {dashboard["uid"]: dashboard for dashboard in dashboards(FOLDER)}
EVERY_BOARD = pytest.mark.parametrize("uid", list(DASHBOARDS))
# PromQL functions that make a rate of a counter, or ask when it was last seen.
RATED = re.compile(r'(rate|increase|timestamp)\((\{__name__=~"[^"]*)?$')
# Not `$1`, which is a group in label_replace().
VARIABLE = re.compile(r"\$(?!\d)")
# Not what is recorded of one.
COUNTER = re.compile(r"\b[a-z_]+_total\b(?!:)")


def every_panel() -> list[Any]:
    return [
        pytest.param(panel, id=f"{uid}: {panel['title']}")
        for uid, board in BOARDS.items()
        for panel in panels(board)
    ]


def query_variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in board["templating"]["list"] if one["type"] == "query"]


@functools.cache
def alerts() -> frozenset[str]:
    rules = [
        rule
        for path in (ROOT / "prometheus/rules").glob("*.yaml")
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    return frozenset(rule["alert"] for rule in rules if "alert" in rule)


def test_the_committed_dashboards_are_the_rendered_ones() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert committed == render_all(), "run `make dashboards` and commit"


@EVERY_BOARD
def test_a_dashboard_survives_the_types_of_the_sdk(uid: str) -> None:
    text = (FOLDER / f"{uid}.json").read_text(encoding="utf-8")
    again = JSONEncoder(sort_keys=True, indent=2).encode(Dashboard.from_json(json.loads(text)))
    assert again + "\n" == text


@EVERY_BOARD
def test_a_dashboard_has_what_each_one_has(uid: str) -> None:
    board = BOARDS[uid]
    assert board["uid"] == uid  # the file's name
    assert board["editable"] is False
    assert board["description"].endswith(("?", "."))
    assert board["tags"] == ["glasshouse"]
    headings = [panel["title"].split(":")[0] for panel in board["panels"] if panel["type"] == "row"]
    assert headings == ["Symptom", "Cause", "Detail"]
    assert board["panels"][0]["type"] == "row"
    titles = [panel["title"] for panel in panels(board)]
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    # Twice only where a number and its graph say the same.
    assert all(titles.count(title) <= 2 for title in titles)


@EVERY_BOARD
def test_the_links_of_a_dashboard_lead_somewhere(uid: str) -> None:
    links = [link["url"] for link in BOARDS[uid]["links"]]
    down = [url.removeprefix("/d/") for url in links if url.startswith("/d/")]
    pages = [url for url in links if not url.startswith("/d/")]
    assert down, "no dashboard to open next"
    assert pages, "no runbook"
    assert set(down) <= set(DASHBOARDS) - {uid}
    for url in pages:
        [name] = re.fullmatch(r"\$\{prometheus\}/user/(\w+)\.md", url).groups()  # type: ignore[union-attr]
        assert name in alerts(), f"{name} is no alert"


def test_a_click_on_a_service_opens_its_details() -> None:
    urls = [
        link["url"]
        for board in BOARDS.values()
        for panel in panels(board)
        for link in [
            *panel.get("fieldConfig", {}).get("defaults", {}).get("links", []),
            *(
                link
                for override in panel.get("fieldConfig", {}).get("overrides", [])
                for one in override["properties"]
                if one["id"] == "links"
                for link in one["value"]
            ),
        ]
    ]
    assert urls
    for url in urls:
        [uid, name] = re.match(r"/d/(\w+)\?var-(\w+)=", url).groups()  # type: ignore[union-attr]
        assert name in variables(BOARDS[uid])
        assert "${__url_time_range}" in url


def test_a_group_of_a_regular_expression_is_no_variable() -> None:
    time_range = TimeRange(start=0, end=900)
    assert expand('"$1" $route ${route}', {"route": "x"}, time_range) == '"$1" x x'
    with pytest.raises(KeyError):
        expand("$nobody", {}, time_range)


@EVERY_BOARD
def test_panels_neither_overlap_nor_leave_the_grid(uid: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[uid]["panels"]:
        place = panel["gridPos"]
        cells = {
            (place.get("x", 0) + x, place.get("y", 0) + y)
            for x in range(place["w"])
            for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells), panel["title"]
        taken |= cells


@pytest.mark.parametrize("panel", every_panel())
def test_a_panel_is_described_and_reads_a_provisioned_data_source(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["datasource"]["uid"] in {source["uid"] for source in SOURCES}
    assert panel["type"] == "logs" or panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)


@pytest.mark.parametrize("panel", every_panel())
def test_a_query_keeps_to_what_linters_ask(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        query = query_of(target)
        if panel["datasource"]["uid"] != "prometheus":
            continue
        # A rate over a fixed window goes empty or noisy when somebody zooms.
        if panel["type"] == "timeseries":
            windows = re.findall(r"\b(?:rate|increase)\([^\[]*\[([^\]]+)\]", query)
            assert set(windows) <= {"$__rate_interval"}, query
        # A bare counter shows its age, not what happens.
        for found in COUNTER.finditer(query):
            assert RATED.search(query[: found.start()]), query
        # Without an aggregation two processes are two lines.
        if "rate(" in query or "increase(" in query:
            assert re.search(r"\b(sum|max|min|count|avg)\b", query), query


@EVERY_BOARD
def test_every_variable_in_a_query_is_defined_and_used(uid: str) -> None:
    board = BOARDS[uid]
    values = variables(board)
    time_range = TimeRange(start=0, end=3600)
    queries = [query_of(target) for panel in panels(board) for target in panel["targets"]]
    marks = [mark["expr"] for mark in board["annotations"]["list"]]
    filled = [variable["query"]["query"] for variable in query_variables(board)]
    for query in [*queries, *marks, *filled]:
        assert not VARIABLE.search(expand(query, values, time_range))
    for name in values.keys() - {"prometheus"}:  # that one is for links
        used = re.compile(rf"\$(?:{name}\b|\{{{name}\}})")
        assert any(used.search(query) for query in queries), f"{name} filters nothing"


def test_what_may_be_empty_exists_and_says_why() -> None:
    titles = {(uid, panel["title"]) for uid, board in BOARDS.items() for panel in panels(board)}
    assert set(EMPTY_REASONS) <= titles
    for uid, board in BOARDS.items():
        for panel in panels(board):
            shown = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue")
            assert shown == EMPTY_REASONS.get((uid, panel["title"]))


def test_thresholds_are_the_promises() -> None:
    read = {slo.name: slo for slo in slos.load(ROOT / "prometheus/slos.yaml").slos}
    promised = {name: slo.objective / 100 for name, slo in read.items()}
    fast, confirmed = read["api-latency"], read["payment-confirmation"]
    shown = {
        "api-availability": ("api", "Without server error"),
        "api-latency": ("api", f"Faster than {fast.within_text}"),
        "payment-confirmation": ("payments", f"Confirmed within {confirmed.within_text}"),
        "notification-delivery": ("notifications", "Delivered of ended"),
        "automation-sla": ("automation", "Within their SLA"),
    }
    assert promised.keys() == shown.keys()
    for name, (uid, title) in shown.items():
        [panel] = [panel for panel in panels(BOARDS[uid]) if panel["title"] == title]
        _, bad, _ = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert bad["value"] == pytest.approx(promised[name]), name
    limits = {
        ("api", "Duration"): fast.within,
        ("api", "Duration by route, 95th percentile"): fast.within,
        ("start", "Latency, 95th percentile"): fast.within,
        ("payments", "Confirmation delay"): confirmed.within,
    }
    for (uid, title), seconds in limits.items():
        [panel] = [panel for panel in panels(BOARDS[uid]) if panel["title"] == title]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] == seconds, (
            title
        )


def test_no_query_asks_for_the_fakes() -> None:
    """A panel that names a host of the local stack is empty everywhere else."""
    asked = [
        query_of(target)
        for board in BOARDS.values()
        for p in panels(board)
        for target in p["targets"]
    ]
    for path in (ROOT / "prometheus/rules").glob("*.yaml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            asked += [rule["expr"] for rule in group["rules"]]
    assert [query for query in asked if "sandbox" in query] == []
