"""Unit, buckets and panel of every histogram fit: what is shown is what was measured."""

from typing import Any

import pytest
import yaml

from glasshouse import buckets
from glasshouse_cli import slos
from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import dashboards, panels, query_of
from support import histograms, plausible, promql
from support.histograms import Asked, Stored

ROOT = histograms.ROOT
# Runtimes whose metrics no Python process makes.
OTHERS = ("aspnetcore.", "kestrel.", "signalr.", "jvm.", "v8js.", "go.")
MADE = [*histograms.made_by_sources(), *histograms.made_by_conventions()]
SLOS = slos.load(ROOT / "prometheus" / "slos.yaml")
STORED = histograms.stored()
# Rules record buckets under names of their own.
RECORDED = {
    one.record: use.histogram
    for one in SLOS.records
    for use in promql.uses(one.expr, STORED)
    if use.part == "_bucket"
}
KNOWN = STORED | RECORDED
# Grafana's units for a value in the unit of a histogram.
SHOWN = {"s": {"s"}, "ms": {"ms"}, "By": {"bytes", "decbytes"}, "1": {"percentunit"}}
NUMBER = {"short", "locale", "none"}
SHARE = {"percentunit"}


def unit_of(panel: dict[str, Any], target: dict[str, Any]) -> str:
    """Return the unit in which a panel shows a target: a table's column has one of its own."""
    if panel["type"] == "table":
        renamed = {
            name: heading
            for one in panel["transformations"]
            for name, heading in one["options"].get("renameByName", {}).items()
        }
        heading = renamed.get(f"Value #{target['refId']}")
        for override in panel["fieldConfig"]["overrides"]:
            if override["matcher"]["options"] == heading:
                for one in override["properties"]:
                    if one["id"] == "unit":
                        return one["value"]
    return panel["fieldConfig"]["defaults"]["unit"]


def targets() -> list[Any]:
    return [
        pytest.param(panel, target, board, id=f"{board['uid']}: {panel['title']} {target['refId']}")
        for board in dashboards(FOLDER)
        for panel in panels(board)
        for target in panel["targets"]
        if "expr" in target and list(promql.uses(query_of(target), KNOWN))
    ]


def rules() -> list[Any]:
    return [
        pytest.param(rule["expr"], id=f"{path.stem}: {rule.get('alert') or rule['record']}")
        for path in sorted((ROOT / "prometheus" / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "_bucket" in rule["expr"] or list(promql.uses(rule["expr"], KNOWN))
    ]


def test_the_sources_of_histograms_were_found() -> None:
    found = {one.where.partition("/")[0] for one in histograms.made_by_sources()}
    assert {"fastapi", "opentelemetry", "redis"} <= found
    assert len(histograms.made_by_conventions()) > 40
    assert {one.name for one in histograms.derived()} >= {"payment_confirmation_delay_seconds"}
    assert len(targets()) > 50
    assert len(rules()) > 3
    assert list(RECORDED) == ["api:request_duration_bucket:rate5m"]


@pytest.mark.parametrize("name", histograms.ADVISED)
def test_a_metric_of_the_conventions_has_their_boundaries(name: str) -> None:
    advised = histograms.ADVISED[name]
    if name.startswith(OTHERS) or advised["boundaries"] is None:
        assert name not in buckets.OF_METRICS, "the conventions leave them to others"
        return
    [limits] = histograms.boundaries([Asked(where="", name=name, unit=advised["unit"])])
    assert list(limits) == advised["boundaries"]


def test_no_boundaries_are_given_that_the_conventions_do_not_advise() -> None:
    assert set(buckets.OF_METRICS) <= set(histograms.ADVISED)


@pytest.mark.parametrize("unit", [*buckets.OF_UNITS, "ms", "{thing}"])
def test_boundaries_of_a_unit_fit_a_duration_a_size_or_a_count(unit: str) -> None:
    [limits] = histograms.boundaries([Asked(where="", name="shop.checkout", unit=unit)])
    assert not plausible.misfits("shop.checkout", unit, limits)


def test_boundaries_of_every_histogram_that_is_made_fit() -> None:
    wrong = {
        f"{one.where}: {one.name}": plausible.misfits(one.name, one.unit, limits)
        for one, limits in zip(MADE, histograms.boundaries(MADE), strict=True)
        if limits  # a single bucket, as the conventions ask, is its sum and count
    }
    assert not {name: said for name, said in wrong.items() if said}


@pytest.mark.parametrize("one", [*histograms.derived(), *histograms.service_graph()], ids=str)
def test_boundaries_of_what_the_stack_derives_fit(one: Stored) -> None:
    assert not plausible.misfits(one.name, one.unit, one.boundaries)
    assert histograms.unit_of(one.name) == one.unit


@pytest.mark.parametrize(
    ("unit", "limits"),
    [
        # As the SDK has them for what says nothing.
        ("s", (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)),
        ("ms", buckets.OF_METRICS["http.server.request.duration"]),
        ("By", buckets.OF_UNITS["s"]),
        ("s", (0.0001, 0.0002, 0.0005, 0.001)),
        ("s", (0.005, 10)),
        ("{thing}", (10_000, 20_000, 50_000)),
    ],
)
def test_boundaries_of_another_unit_are_noticed(unit: str, limits: tuple[float, ...]) -> None:
    assert plausible.misfits("shop.checkout", unit, limits)


@pytest.mark.parametrize(("panel", "target", "board"), targets())
def test_a_panel_shows_a_histogram_in_its_unit(
    panel: dict[str, Any], target: dict[str, Any], board: dict[str, Any]
) -> None:
    query, shown = query_of(target), unit_of(panel, target)
    for call in promql.calls(query, "histogram_quantile"):
        for use in promql.uses(call.argument, KNOWN):
            unit = use.histogram.unit
            if unit == "ms":
                assert call.after.startswith(" / 1000"), f"{use.histogram.name} is not in seconds"
                unit = "s"
            else:
                assert not call.after.startswith(" / "), f"{use.histogram.name}: divided"
            assert use.part in {"_bucket", ""}, f"{use.histogram.name}{use.part} has no buckets"
            if promql.is_percentile(query):
                assert shown in SHOWN.get(unit, NUMBER), f"{use.histogram.name} in {shown}"
                limits = use.histogram.boundaries
                steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
                for value in [one["value"] for one in steps if panel["type"] != "table"]:
                    if value is not None:
                        assert limits[0] <= value <= limits[-1], f"{value}: never or always over"
                most = panel["fieldConfig"]["defaults"].get("max")
                assert most is None or limits[0] < most <= 2 * limits[-1], "the axis shows nothing"
    limits_of = {one["name"]: one for one in board["templating"]["list"]}
    for call in promql.calls(query, "histogram_fraction"):
        assert shown in SHARE | NUMBER, "a share"
        _, limit, _ = (one.strip() for one in call.argument.split(",", 2))
        for use in promql.uses(call.argument, KNOWN):
            scaled = limit.endswith(" * 1000")
            assert scaled == (use.histogram.unit == "ms"), f"{use.histogram.name}: limit {limit}"
            variable = limits_of[limit.removesuffix(" * 1000").removeprefix("$")]
            chosen = [float(one["value"]) * (1000 if scaled else 1) for one in variable["options"]]
            assert set(chosen) <= set(use.histogram.boundaries), f"{use.histogram.name}: {chosen}"
    for use in promql.uses(query, KNOWN):
        assert_each_bound_is_one(use)
        if use.part == "_sum" and "_count" not in query:
            assert shown in NUMBER | SHARE, "seconds a second are how many at once"


def assert_each_bound_is_one(use: promql.Use) -> None:
    """Check that a query selects a bound in each way in which it is written, and no other."""
    for bound in map(float, use.le()):
        written = use.histogram.bound(bound)
        assert written, f"{use.histogram.name} has no {bound}"
        assert written <= set(use.le()), f"{use.histogram.name}: {bound} is written {written}"


@pytest.mark.parametrize("query", rules())
def test_a_rule_asks_for_boundaries_that_exist(query: str) -> None:
    for use in promql.uses(query, KNOWN):
        assert_each_bound_is_one(use)


@pytest.mark.parametrize(
    "slo",
    [one for one in SLOS.slos if one.within],
    ids=lambda slo: slo.name,
)
def test_a_bucket_ends_at_the_limit_of_an_objective(slo: slos.Slo) -> None:
    [use] = [one for one in promql.uses(slo.bad, KNOWN) if one.le()]
    assert set(use.le()) == use.histogram.bound(slo.within) != set()
    assert slo.within in use.histogram.boundaries
    assert slo.le in use.histogram.le(), "as its series are written"
