"""What the bench asks is what Grafana asks: steps, windows, and each query once."""

import json
import re

import pytest
import yaml

from glasshouse_bench.dashboards import asking, grafana, prometheus, series
from glasshouse_dashboards import expand
from support.deployed import ROOT

BOARDS = expand.dashboards(ROOT / "grafana" / "dashboards")
DAY_S = 24 * 3600


# As rangeutil.calculateInterval of @grafana/data 13.2.3 has them, with "15s" as the least.
@pytest.mark.parametrize(
    ("range_s", "width", "step"),
    [
        (3600, 608, 15),
        (3600, 100, 30),
        (DAY_S, 608, 120),
        (DAY_S, 1888, 60),
        (7 * DAY_S, 608, 900),
        (30 * DAY_S, 608, 3600),
        (30 * DAY_S, 1888, 1200),
        (365 * DAY_S, 200, 86_400),
    ],
)
def test_a_step_is_as_wide_as_grafana_makes_it(range_s: int, width: int, step: int) -> None:
    assert grafana.step_s(range_s, width) == step


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
def test_each_query_of_a_dashboard_is_asked_once(board: dict[str, object]) -> None:
    asked = list(grafana.requests(board, 30 * DAY_S, prometheus.END))
    shown = [
        (title, target["refId"])
        for title, panel in grafana.named(board)
        for target in panel["targets"]
    ]
    of_panels = [one for one in asked if not one.panel.startswith(("variable: ", "mark: "))]
    assert [(one.panel, one.ref) for one in of_panels] == shown
    assert len(set(shown)) == len(shown)
    assert len(grafana.named(board)) == len(list(expand.panels(board)))
    assert len([one for one in asked if one.panel.startswith("mark: ")]) == 2
    for one in asked:
        assert "$" not in re.sub(r'"\$\d"', "", one.query), one.query
        assert one.end <= prometheus.END
        if one.kind == "range":
            assert one.start % one.step == one.end % one.step == 0
            assert (one.end - one.start) / one.step <= 11_000


def test_the_rate_of_a_graph_is_over_its_step_and_a_scrape() -> None:
    [board] = [one for one in BOARDS if one["uid"] == "api"]
    asked = {one.panel: one for one in grafana.requests(board, 30 * DAY_S, prometheus.END)}
    assert "[10815s]" in asked["Rate by route"].query
    assert "[10800s]) / scalar" in asked["Rate by route"].query
    assert "[2592000s]" in asked["Requests"].query
    asked = {one.panel: one for one in grafana.requests(board, 3600, prometheus.END)}
    assert "[60s]" in asked["Rate by route"].query


@pytest.mark.parametrize(
    ("range_s", "resolution"), [(3600, "samples|"), (11 * 3600, "samples|"), (12 * 3600, "5m")]
)
def test_what_is_recorded_is_asked_beyond_half_a_day(range_s: int, resolution: str) -> None:
    [board] = [one for one in BOARDS if one["uid"] == "api"]
    asked = {one.panel: one for one in grafana.requests(board, range_s, prometheus.END)}
    assert f'resolution=~"{resolution}"' in asked["Rate by route"].query
    # Each five minutes: a shorter step would find nothing.
    assert resolution != "5m" or asked["Rate by route"].step >= 300


def test_every_rule_is_asked() -> None:
    files = (ROOT / "prometheus" / "rules").glob("*.yaml")
    rules = [
        rule["expr"]
        for path in files
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    assert sorted(one.query for one in asking.rules(ROOT, prometheus.END)) == sorted(rules)


def test_series_are_the_same_for_a_seed_and_each_there_once() -> None:
    made = [json.dumps(one, sort_keys=True) for one in series.written(ROOT, 19)]
    assert made == [json.dumps(one, sort_keys=True) for one in series.written(ROOT, 19)]
    assert made != [json.dumps(one, sort_keys=True) for one in series.written(ROOT, 20)]
    labels = [json.dumps(json.loads(one)["labels"], sort_keys=True) for one in made]
    assert len(set(labels)) == len(labels) > 3000


def test_the_series_of_a_histogram_draw_the_same_events() -> None:
    made = list(series.written(ROOT, 19))
    buckets = [
        one
        for one in made
        if one["labels"]["__name__"] == "payment_confirmation_delay_seconds_bucket"
        and one["labels"]["currency"] == "EUR"
    ]
    assert len({one["seed"] for one in buckets}) == 1
    shares = [one["share"] for one in buckets]
    assert shares == sorted(shares)
    assert buckets[-1]["labels"]["le"] == "+Inf"
    assert shares[-1] == 1


# Of other senders, or of what has not happened to the stack: panels explain their absence.
ABSENT = re.compile(
    r"rpc_|jvm_|v8js_|nodejs_|dotnet_|^go_|_milliseconds|^http_(server|client)_request_duration"
    r"_seconds(:increase5m)?$|stack:without_backend|^otelcol_(kafka|extension_tenants)_"
    r"|^db_client_operation_duration_seconds(:increase5m)?$"
)


def test_every_metric_that_a_rule_or_panel_names_is_made() -> None:
    names = {one["labels"]["__name__"] for one in series.written(ROOT, 19)}
    queries = [one.query for one in asking.rules(ROOT, prometheus.END)]
    for board in BOARDS:
        queries += [
            one.query
            for one in grafana.requests(board, DAY_S, prometheus.END)
            if one.source == "prometheus"
        ]
    named = {
        name
        for query in queries
        for name in re.findall(r"\b([a-z][a-z0-9_:]*[_:][a-z0-9_:]+)\s*[{\[]", query)
    }
    assert len(named) > 50
    assert {name for name in named - names if not ABSENT.search(name)} == set()
