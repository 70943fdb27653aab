"""A panel shows the same of what rules record as of samples: by a Prometheus and generated data.

Prometheus' own `promtool` evaluates the rules over the data, as the running one does over time.
"""

import math
import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from glasshouse_bench.dashboards import prometheus, series
from glasshouse_dashboards import recording
from glasshouse_dashboards.expand import TimeRange, dashboards, expand, panels, query_of, variables
from glasshouse_dashboards.queries import history
from support.deployed import ROOT

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")

SEED = random.SystemRandom().randrange(10**6)
DATA_S = 14 * 3600
# As the least that is asked of what is recorded.
RANGE_S = 12 * 3600
# Everything starts anew each four hours, with another instance.
BLOCK_MS = 4 * 3600 * 1000
BACKFILLED_WITHIN_S = 1800
ASKED_WITHIN_S = 300
# A query whose sums are in another order differs in the last digits.
EQUAL = 1e-9
# Over a longer window an event may fall between two turns of the rule, with this chance at most:
# that of what comes every 15 s. The others count for that much more. Of n events so many are off,
# with six standard deviations, and as many at the edges.
BETWEEN = 15 / history.EVERY_S
DEVIATIONS = 6
EDGES = 3
# A percentile or a share is within this of itself, or of nothing.
OF_SHARES = 0.1
A_SHARE = 0.05


def targets() -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    for board in dashboards(ROOT / "grafana" / "dashboards"):
        for panel in panels(board):
            for target in panel["targets"]:
                if panel["datasource"]["uid"] == "prometheus" and "$resolution" in query_of(target):
                    name = f"{board['uid']}: {panel['title']} {target['refId']}"
                    yield name, target, variables(board)


EVERY = pytest.mark.parametrize(
    ("target", "chosen"),
    [pytest.param(target, chosen, id=name) for name, target, chosen in targets()],
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A Prometheus that has both, and when its last turn of the rule was, in Unix seconds."""

    http: httpx.Client
    end: float


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("history")
    programs = ROOT / ".glasshouse" / "bench" / "programs"
    program, writer = prometheus.build(ROOT, programs)
    promtool = prometheus.build_promtool(ROOT, programs)
    read = [
        one for one in series.written(ROOT, SEED) if one["labels"]["__name__"] in history.RECORDED
    ]
    data, records = folder / "data", folder / "records"
    prometheus.write(writer, data, read, DATA_S, f"-block={BLOCK_MS}")
    with prometheus.running(ROOT, program, data) as running:
        begun = prometheus.END - DATA_S
        times = [f"--start={begun}", f"--end={prometheus.END}", f"--url={running.url}"]
        command = [promtool, "tsdb", "create-blocks-from", "rules", *times]
        done = subprocess.run(
            [*command, f"--output-dir={records}", str(recording.FILE)],
            capture_output=True,
            text=True,
            timeout=BACKFILLED_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    for block in records.iterdir():
        shutil.move(block, data)
    with (
        prometheus.running(ROOT, program, data) as running,
        httpx.Client(base_url=running.url, timeout=ASKED_WITHIN_S, trust_env=False) as client,
    ):
        query = {"query": f"{history.COVERED}[{DATA_S}s]", "time": prometheus.END}
        [turns] = client.get("/api/v1/query", params=query).json()["data"]["result"]
        yield Asked(http=client, end=turns["values"][-1][0])


def ask(
    asked: Asked, target: Mapping[str, Any], chosen: Mapping[str, str], resolution: str, step: int
) -> dict[tuple[tuple[str, str], ...], dict[float, float]]:
    """Return what a panel shows at its times, with the same windows whichever is read."""
    end = asked.end
    windows = {"__rate_interval": f"{step}s", "__interval": f"{step}s"}
    values = {**chosen, **windows, history.VARIABLE: resolution}
    query = expand(query_of(target), values, TimeRange(start=end - RANGE_S, end=end))
    if target.get("instant"):
        answer = asked.http.post("/api/v1/query", data={"query": query, "time": end})
    else:
        times = {"start": end - RANGE_S + step, "end": end, "step": step}
        answer = asked.http.post("/api/v1/query_range", data={"query": query, **times})
    assert answer.is_success, answer.text
    return {
        tuple(sorted(one["metric"].items())): {
            moment: float(value)
            for moment, value in one.get("values") or [one["value"]]
            if not math.isnan(float(value))
        }
        for one in answer.json()["data"]["result"]
    }


@EVERY
def test_over_the_same_window_both_are_the_same(
    asked: Asked, target: dict[str, Any], chosen: dict[str, str]
) -> None:
    if target.get("instant"):
        return  # over the whole time alone
    samples = ask(asked, target, chosen, history.SAMPLES, history.EVERY_S)
    recorded = ask(asked, target, chosen, history.EVERY, history.EVERY_S)
    assert recorded.keys() == samples.keys()
    for labels, points in samples.items():
        assert recorded[labels] == pytest.approx(points, rel=EQUAL, abs=EQUAL), (SEED, labels)


@EVERY
def test_over_half_a_day_both_are_nearly_the_same(
    asked: Asked, target: dict[str, Any], chosen: dict[str, str]
) -> None:
    query = query_of(target)
    samples = ask(asked, target, chosen, history.SAMPLES, RANGE_S)
    recorded = ask(asked, target, chosen, history.EVERY, RANGE_S)
    a_second = 1 if "increase(" in query or "* $__range_s" in query else RANGE_S
    for labels, points in samples.items():
        for moment, value in points.items():
            found = recorded.get(labels, {}).get(moment, 0)
            if "histogram_quantile" in query or "histogram_fraction" in query or ") / (" in query:
                off = max(OF_SHARES * abs(value), A_SHARE)
            else:
                events = DEVIATIONS * math.sqrt(value * a_second * BETWEEN)
                off = (EDGES + events) / a_second
            assert found == pytest.approx(value, rel=0, abs=off), (SEED, labels, moment)


def test_something_is_shown(asked: Asked) -> None:
    """The positive control: what is compared is there."""
    found = [
        bool(ask(asked, target, chosen, history.EVERY, RANGE_S)) for _, target, chosen in targets()
    ]
    # Calls that the worker alone makes are not the API's.
    assert sum(found) > 0.9 * len(found)


@pytest.mark.parametrize("range_s", [900, history.SAMPLES_UP_TO_S, 12 * 3600, 30 * 24 * 3600])
def test_the_hidden_variable_has_one_value(asked: Asked, range_s: int) -> None:
    query = expand(history.asked(), {}, TimeRange(start=asked.end - range_s, end=asked.end))
    inner = query.removeprefix("query_result(").removesuffix(")")
    answer = asked.http.get("/api/v1/query", params={"query": inner, "time": asked.end})
    # As Grafana writes them for the variable's pattern.
    lines = [
        "{" + ",".join(f'{name}="{value}"' for name, value in one["metric"].items()) + "}"
        for one in answer.json()["data"]["result"]
    ]
    pattern = re.compile(f'{history.VARIABLE}="([^"]+)"')
    assert [pattern.findall(line) for line in lines] == [[history.resolution(range_s)]]


def test_what_is_not_chosen_costs_nothing(asked: Asked) -> None:
    rated = history.rate("http_server_request_duration_seconds_bucket", "")
    read: dict[str, int] = {}
    for resolution in (history.SAMPLES, history.EVERY):
        values = {history.VARIABLE: resolution, "__rate_interval": "1h", "__interval": "1h"}
        query = expand(f"sum({rated})", values, TimeRange(start=0, end=RANGE_S))
        moment = {"query": query, "time": asked.end, "stats": "true"}
        answer = asked.http.get("/api/v1/query", params=moment).json()
        assert answer["data"]["result"]
        read[resolution] = answer["data"]["stats"]["samples"]["totalQueryableSamples"]
    # Two seconds against five minutes.
    assert read[history.SAMPLES] > 100 * read[history.EVERY]
