"""Every panel, rule and page asks for the same of several hosts as of one machine.

Two Prometheus with generated data: of one machine, and of two edges, two gateways and replicas that
have the same events between them (`support/several_hosts.py`). Prometheus' own `promtool` evaluates
the rules over both, one after the other where one reads what another records.
"""

import contextlib
import json
import math
import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from glasshouse_bench.dashboards import asking, grafana, prometheus, series
from glasshouse_cli import project, runbooks
from glasshouse_dashboards import expand
from glasshouse_dashboards.queries import history
from support import several_hosts
from support.deployed import ROOT

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")

SEED = random.SystemRandom().randrange(10**6)
DATA_S = 4 * 3600
RANGE_S = 3600
# Rules are evaluated for as long: an hour is read of what they record, and what was an hour before.
EVALUATED_S = 9000
# A point of each alert and record a minute.
EACH_S = 60
EVALUATED_WITHIN_S = 1800
ASKED_WITHIN_S = 300
# A query whose sums are in another order differs in the last digits.
EQUAL = 1e-9
SCRAPE_S = grafana.SCRAPE_S

Labels = tuple[tuple[str, str], ...]
Found = dict[Labels, dict[float, float]]

# What shows each Collector or process by itself, and how those make up the one of one machine.
TOGETHER: dict[tuple[str, str], str] = {}
# What several hosts have and one machine has not.
MORE = {
    # An edge sends to the gateway.
    ("server_address", "gateway"),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One query. ``place`` and ``name``: the dashboard and panel, file and rule, or page."""

    place: str
    name: str
    request: grafana.Request

    @property
    def id(self) -> str:
        return f"{self.place}: {self.name} {self.request.ref}"


def _instant(place: str, name: str, ref: str, query: str) -> Case:
    request = grafana.Request(
        board=place,
        panel=name,
        ref=ref,
        source="prometheus",
        kind="range",
        query=query,
        start=prometheus.END - RANGE_S // 2,
        end=prometheus.END,
        step=EACH_S,
    )
    return Case(place=place, name=name, request=request)


def panels() -> Iterator[Case]:
    for board in expand.dashboards(ROOT / "grafana" / "dashboards"):
        for request in grafana.requests(board, RANGE_S, prometheus.END):
            if request.source == "prometheus":
                yield Case(place=request.board, name=request.panel, request=request)
        yield from _recorded(board)


def _recorded(board: Mapping[str, Any]) -> Iterator[Case]:
    """What a dashboard asks of records over days, over an hour."""
    values = {
        **expand.variables(board),
        "__rate_interval": f"{history.EVERY_S}s",
        "__interval": f"{history.EVERY_S}s",
        history.VARIABLE: history.EVERY,
    }
    times = expand.TimeRange(start=prometheus.END - RANGE_S, end=prometheus.END)
    for title, panel in grafana.named(board):
        for target in panel["targets"]:
            query = expand.query_of(target)
            if panel["datasource"]["uid"] != "prometheus" or f"${history.VARIABLE}" not in query:
                continue
            request = grafana.Request(
                board=board["uid"],
                panel=title,
                ref=f"{target['refId']}, recorded",
                source="prometheus",
                kind="instant" if target.get("instant") else "range",
                query=expand.expand(query, values, times),
                start=prometheus.END - RANGE_S,
                end=prometheus.END,
                step=history.EVERY_S,
            )
            yield Case(place=board["uid"], name=title, request=request)


def rules() -> Iterator[Case]:
    for number, one in enumerate(asking.rules(ROOT, prometheus.END)):
        yield _instant(one.board, one.panel, str(number), one.query)


def pages() -> Iterator[Case]:
    for page in runbooks.pages(project.load(ROOT)):
        for number, query in enumerate(page.queries, 1):
            if query.source == "prometheus":
                yield _instant("runbooks", page.name, str(number), query.text)


def links() -> Iterator[Case]:
    """What a span's service is asked for, by the data source's own queries."""
    text = (ROOT / "grafana/provisioning/datasources/stack.yaml").read_text(encoding="utf-8")
    for source in yaml.safe_load(text)["datasources"]:
        for query in source["jsonData"].get("tracesToMetrics", {}).get("queries", []):
            asked = query["query"].replace("$$__tags", 'service_name="backend-api"')
            yield _instant("data sources", query["name"], "A", asked)


CASES = [*panels(), *rules(), *pages(), *links()]
EVERY = pytest.mark.parametrize("case", [pytest.param(one, id=one.id) for one in CASES])


def levels() -> list[dict[str, Any]]:
    """Return the records of all rules, in the order in which they read each other."""
    groups = [
        group
        for path in sorted((ROOT / "prometheus" / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    ]
    read: dict[str, str] = {}
    for group in groups:
        for rule in group["rules"]:
            if "record" in rule:
                read[rule["record"]] = f"{read.get(rule['record'], '')}\n{rule['expr']}"

    def level(name: str) -> int:
        asked = set(re.findall(r"[a-z_]\w*(?::\w+)+", read[name])) & read.keys() - {name}
        return 1 + max(map(level, asked), default=0)

    by_name = {name: level(name) for name in read}
    return [
        {
            "groups": [
                {**group, "rules": chosen}
                for group in groups
                if (chosen := [one for one in group["rules"] if by_name.get(one.get("record")) == n])
            ]
        }
        for n in range(1, max(by_name.values()) + 1)
    ]


def evaluated(folder: Path, program: Path, promtool: Path, found: list[series.Series]) -> Path:
    """Write the series and what rules make of them; return the folder of the data."""
    _, writer = prometheus.build(ROOT, PROGRAMS)
    data = folder / "data"
    prometheus.write(writer, data, found, DATA_S, f"-block={DATA_S * 1000}")
    begun = prometheus.END - EVALUATED_S
    for number, document in enumerate(levels()):
        file, records = folder / f"level-{number}.yaml", folder / f"records-{number}"
        file.write_text(json.dumps(document), encoding="utf-8")
        with prometheus.running(ROOT, program, data) as running:
            times = [f"--start={begun}", f"--end={prometheus.END}", f"--url={running.url}"]
            command = [promtool, "tsdb", "create-blocks-from", "rules", *times]
            more = [f"--eval-interval={SCRAPE_S}s", f"--output-dir={records}", str(file)]
            done = subprocess.run(
                [*command, *more],
                capture_output=True,
                text=True,
                timeout=EVALUATED_WITHIN_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        for block in records.iterdir():
            shutil.move(block, data)
    return data


PROGRAMS = ROOT / ".glasshouse" / "bench" / "programs"


@dataclass(frozen=True, kw_only=True)
class Both:
    """A Prometheus each, of one machine and of several hosts with the same events."""

    one: httpx.Client
    several: httpx.Client


def measured() -> list[series.Series]:
    return list(several_hosts.one_machine(series.written(ROOT, SEED)))


@contextlib.contextmanager
def asked(folder: Path, found: list[series.Series]) -> Iterator[httpx.Client]:
    program, _ = prometheus.build(ROOT, PROGRAMS)
    promtool = prometheus.build_promtool(ROOT, PROGRAMS)
    folder.mkdir()
    data = evaluated(folder, program, promtool, found)
    with (
        prometheus.running(ROOT, program, data) as running,
        httpx.Client(base_url=running.url, timeout=ASKED_WITHIN_S, trust_env=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("several-hosts")
    found = measured()
    with (
        asked(folder / "one", found) as one,
        asked(folder / "several", list(several_hosts.several(found))) as several,
    ):
        yield Both(one=one, several=several)


def ask(http: httpx.Client, request: grafana.Request) -> Found:
    moments = {"start": request.start, "end": request.end}
    if request.kind == "labels":
        selected = {"match[]": request.query, **moments}
        answer = http.get(f"/api/v1/label/{request.label}/values", params=selected)
        assert answer.is_success, answer.text
        return {((request.label, value),): {} for value in answer.json()["data"]}
    if request.kind == "range":
        form = {"query": request.query, "step": request.step, **moments}
        answer = http.post("/api/v1/query_range", data=form)
    else:
        answer = http.post("/api/v1/query", data={"query": request.query, "time": request.end})
    assert answer.is_success, f"{request.query}: {answer.text}"
    return {
        tuple(sorted(one["metric"].items())): {
            moment: float(value)
            for moment, value in one.get("values") or [one["value"]]
            if not math.isnan(float(value))
        }
        for one in answer.json()["data"]["result"]
    }


def comparable(found: Found, how: str) -> Found:
    """Return it without what only several hosts have; how: what makes one value of several."""
    combine = {"": None, "sum": sum, "max": max, "min": min}[how]
    gathered: dict[Labels, dict[float, list[float]]] = {}
    for labels, points in found.items():
        named = dict(labels)
        if named.get("job") == "derived" or MORE & named.items():
            continue
        if how:
            named.pop("instance", None)
            named.pop("glasshouse_tenant", None)
            if named.get("job") in {several_hosts.EDGE_JOB, several_hosts.GATEWAY_JOB}:
                named["job"] = "collector"
        into = gathered.setdefault(tuple(sorted(named.items())), {})
        for moment, value in points.items():
            into.setdefault(moment, []).append(value)
    if combine is None:
        assert all(len(one) == 1 for points in gathered.values() for one in points.values())
    return {
        labels: {moment: (combine or sum)(values) for moment, values in points.items()}
        for labels, points in gathered.items()
    }


@EVERY
def test_it_is_the_same_of_several_hosts(both: Both, case: Case) -> None:
    how = TOGETHER.get((case.place, case.name), "")
    one = comparable(ask(both.one, case.request), how)
    several = comparable(ask(both.several, case.request), how)
    assert several.keys() == one.keys(), (SEED, case.request.query)
    for labels, points in one.items():
        wanted = pytest.approx(points, rel=EQUAL, abs=EQUAL)
        assert several[labels] == wanted, (SEED, labels, case.request.query)
