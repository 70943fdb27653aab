"""What dashboards read over days is recorded, with the labels that they ask for."""

import re
from pathlib import Path
from typing import Any

import pytest

from glasshouse_dashboards import recording
from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import TimeRange, dashboards, expand, panels, query_of, variables
from glasshouse_dashboards.queries import history

BOARDS = dashboards(FOLDER)
SELECTOR = re.compile(r'(?:\{__name__=~"(?P<pattern>[^"]+)",|(?P<name>[a-z][a-z0-9_:]+)\{)'
                      r'(?P<labels>(?:[^"}]|"[^"]*")*)\}\[(?P<window>[^]]+)\]')  # fmt: skip
LABEL = re.compile(r'(\w+)(?:=~|!~|!=|=)"')
BY = re.compile(r"by \(([^)]*)\)")
# As the increase of a rule itself, whatever time is chosen.
SHORT = "5m"


def targets() -> list[Any]:
    return [
        pytest.param(query_of(target), id=f"{board['uid']}: {panel['title']} {target['refId']}")
        for board in BOARDS
        for panel in panels(board)
        if panel["datasource"]["uid"] == "prometheus"
        for target in panel["targets"]
    ]


def named(found: re.Match[str]) -> set[str]:
    """Return the counters whose samples or records a selector reads."""
    pattern = found["name"] or found["pattern"]
    every = {*history.RECORDED, *map(history.recorded, history.RECORDED)}
    return {one for one in every if re.fullmatch(pattern, one)}


def test_the_committed_rules_are_the_rendered_ones() -> None:
    committed = recording.FILE.read_text(encoding="utf-8")
    assert committed == recording.render(), "run `make dashboards` and commit"


@pytest.mark.parametrize("query", targets())
def test_over_days_no_sample_of_a_recorded_counter_is_read(query: str) -> None:
    for found in SELECTOR.finditer(query):
        if named(found) and found["window"] != SHORT:
            assert f'{history.VARIABLE}=~"${history.VARIABLE}"' in found["labels"], found[0]


@pytest.mark.parametrize("query", targets())
def test_what_is_recorded_keeps_the_labels_that_a_panel_asks_for(query: str) -> None:
    kept: set[str] = set()
    for found in SELECTOR.finditer(query):
        for metric in named(found):
            if ":" not in metric:
                continue
            labels = set(history.RECORDED[metric.partition(":")[0]])
            kept |= labels
            other = {history.VARIABLE} | {
                # Of HTTP where RPC is meant, and the other way round: absent in both.
                one
                for one in LABEL.findall(found["labels"])
                if one not in labels
            } & _of_its_kind(metric)
            assert set(LABEL.findall(found["labels"])) <= labels | other, found[0]
    if kept:
        asked = {label.strip() for by in BY.findall(query) for label in by.split(",")}
        assert asked <= kept | {"__name__"}


def _of_its_kind(metric: str) -> set[str]:
    if not metric.startswith(("http_", "rpc_")):
        return set()
    side = "_server_" if "_server_" in metric else "_client_"
    return {
        label
        for name, labels in history.RECORDED.items()
        if name.startswith(("http_", "rpc_")) and side in name
        for label in labels
    }


def test_a_recorded_counter_is_one_that_a_panel_reads() -> None:
    read = {
        metric
        for board in BOARDS
        for panel in panels(board)
        for target in panel["targets"]
        for found in SELECTOR.finditer(query_of(target))
        for metric in named(found)
    }
    missing = {metric for metric in history.RECORDED if history.recorded(metric) not in read}
    assert missing == set()


@pytest.mark.parametrize(
    ("range_s", "resolution"),
    [
        (900, history.SAMPLES),
        (history.SAMPLES_UP_TO_S, history.SAMPLES),
        (history.SAMPLES_UP_TO_S + 1, history.EVERY),
        (30 * 24 * 3600, history.EVERY),
    ],
)
def test_the_chosen_time_decides_what_is_read(range_s: int, resolution: str) -> None:
    time_range = TimeRange(start=0, end=range_s)
    assert expand("$resolution", {}, time_range) == resolution
    assert f'"{resolution}"' in history.asked()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
def test_nobody_sees_or_shares_the_variable(board: dict[str, Any]) -> None:
    found = [one for one in board["templating"]["list"] if one["name"] == history.VARIABLE]
    queries = [query_of(target) for panel in panels(board) for target in panel["targets"]]
    assert bool(found) == any("$resolution" in query for query in queries)
    for one in found:
        assert (one["hide"], one["skipUrlSync"]) == (2, True)
        assert one["refresh"] == 2  # when another time is chosen
        assert one["current"]["value"] == history.SAMPLES
    assert history.VARIABLE not in variables(board)


def test_a_rule_file_names_each_counter_once() -> None:
    records = re.findall(r"record: (\S+)", Path(recording.FILE).read_text(encoding="utf-8"))
    assert len(set(records)) == len(records) == len(history.RECORDED) + 1
