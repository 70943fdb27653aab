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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from glasshouse_bench.dashboards import asking, grafana, prometheus, series
from glasshouse_cli import project, runbooks
from glasshouse_dashboards import expand
from glasshouse_dashboards.objectives import BUCKET
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

# Labels of which one machine has others, or none: where a query keeps one, it shows each Collector
# or process by itself, and those together are what one machine has.
APART = {"instance", "job", "glasshouse_tenant"}
AGGREGATED = re.compile(r"\b(sum|max|min) by \(([^)]*)\)")
NAME_OF_RECORD = re.compile(r"[a-z_]\w*(?::\w+)+")
# Lines that only several hosts have: an edge sends to the gateway, and is as fresh as it pushed.
MORE = {("server_address", "gateway"), *(("job", edge) for edge in several_hosts.EDGES)}
# What only several hosts have at all. Of one machine nothing may come of it, or 0.
NEW = {
    *(("runbooks", page) for page in ("ClientsRefused", "EdgeSilent", "GatewayDown", "KafkaLag")),
    ("collectors", "Waiting in Kafka"),
    ("collectors", "Waiting in Kafka, by topic"),
    ("service", "variable: tenant"),
    ("services", "variable: tenant"),
}
# What shows each hop, where every record is received and sent twice: of which Collectors are those
# that do it first or last. By the query's reference.
HOPS = {
    ("collectors", "Each Collector", "A"): several_hosts.EDGES,
    ("collectors", "Each Collector", "B"): several_hosts.GATEWAYS,
    **{("collectors", "Received", ref): several_hosts.EDGES for ref in "ABC"},
    **{("collectors", "Sent on", ref): several_hosts.GATEWAYS for ref in "ABC"},
    ("runbooks", "CollectorQueueFilling", "4"): several_hosts.EDGES,
}
# How many series there are; what is asked of one machine's Collector alone; shares and limits of
# each Collector by itself. Not compared: tests of rules have those.
DIFFERENT = {
    ("collectors", "Requests that failed"),
    ("collectors", "Series of services"),
    ("rules/pipeline", "DataRefused ,ticket"),
    ("rules/pipeline", "ExporterFailing ,ticket"),
    ("rules/pipeline", "exporter:failed_requests:ratio_rate5m"),
    ("collectors", "variable: instance"),
    ("runbooks", "CollectorDown"),
    ("runbooks", "PrometheusSeriesHigh"),
    ("runbooks", "RulesSlow"),
    ("runbooks", "SeriesOverBound"),
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


def every(*which: str) -> pytest.MarkDecorator:
    """Return all cases; of NEW or of DIFFERENT those."""
    found = [one for one in CASES if kind(one) in which]
    return pytest.mark.parametrize("case", [pytest.param(one, id=one.id) for one in found])


def kind(case: Case) -> str:
    if (case.place, case.name) in DIFFERENT:
        return "different"
    is_new = (case.place, case.name) in NEW or case.place == "rules/hosts"
    return "new" if is_new else "same"


def groups_of(files: str) -> list[dict[str, Any]]:
    return [
        group
        for path in sorted((ROOT / "prometheus" / "rules").glob(files))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    ]


def recorded(groups: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return by its name what is recorded; of several rules with one name all."""
    read: dict[str, str] = {}
    for rule in (rule for group in groups for rule in group["rules"] if "record" in rule):
        read[rule["record"]] = f"{read.get(rule['record'], '')}\n{rule['expr']}"
    return read


RECORDS = recorded(groups_of("*.yaml"))


def levels(files: str) -> list[dict[str, Any]]:
    """Return the records of the rules in such files, in the order in which they read each other."""
    groups = groups_of(files)
    read = recorded(groups)

    def level(name: str) -> int:
        asked = set(NAME_OF_RECORD.findall(read[name])) & read.keys() - {name}
        return 1 + max(map(level, asked), default=0)

    by_name = {name: level(name) for name in read}
    return [
        {
            "groups": [
                {**group, "rules": chosen}
                for group in groups
                if (
                    chosen := [one for one in group["rules"] if by_name.get(one.get("record")) == n]
                )
            ]
        }
        for n in range(1, max(by_name.values()) + 1)
    ]


def evaluated(
    folder: Path, program: Path, promtool: Path, found: list[series.Series], files: str
) -> Path:
    """Write the series and what rules make of them; return the folder of the data."""
    _, writer = prometheus.build(ROOT, PROGRAMS)
    data = folder / "data"
    prometheus.write(writer, data, found, DATA_S, f"-block={DATA_S * 1000}")
    begun = prometheus.END - EVALUATED_S
    for number, document in enumerate(levels(files)):
        # Its name decides when in an interval its groups are evaluated: the same for both.
        file, records = f"level-{number}.yaml", folder / f"records-{number}"
        (folder / file).write_text(json.dumps(document), encoding="utf-8")
        with prometheus.running(ROOT, program, data) as running:
            times = [f"--start={begun}", f"--end={prometheus.END}", f"--url={running.url}"]
            command = [promtool, "tsdb", "create-blocks-from", "rules", *times]
            more = [f"--eval-interval={SCRAPE_S}s", f"--output-dir={records}", file]
            done = subprocess.run(
                [*command, *more],
                cwd=folder,
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
def asked(
    folder: Path, found: list[series.Series], files: str = "*.yaml"
) -> Iterator[httpx.Client]:
    program, _ = prometheus.build(ROOT, PROGRAMS)
    promtool = prometheus.build_promtool(ROOT, PROGRAMS)
    folder.mkdir()
    data = evaluated(folder, program, promtool, found, files)
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


def comparable(found: Found, query: str) -> Found:
    """Return it as of one machine: what is by itself together, and without what is more."""
    gathered: dict[Labels, dict[float, list[float]]] = {}
    for labels, points in found.items():
        named = dict(labels)
        if named.get("job") == "derived" or MORE & named.items():
            continue
        # An edge looks like a service to what is recorded of all services.
        if named.get("service_name") == several_hosts.EDGE_JOB and "instance" not in named:
            continue
        if named.keys() & APART:
            if named.get("job") in {several_hosts.EDGE_JOB, several_hosts.GATEWAY_JOB}:
                named["job"] = "collector"
            for label in (
                "instance",
                "glasshouse_tenant",
                "service_name",
                "otel_scope_name",
                "item",
            ):
                if label != "service_name" or named.get("job") == "collector":
                    named.pop(label, None)
        if "le" in named:
            named["le"] = f"{float(named['le']):g}"
        into = gathered.setdefault(tuple(sorted(named.items())), {})
        for moment, value in points.items():
            into.setdefault(moment, []).append(value)
    combine = together(query)
    return {
        labels: {moment: combine(values) for moment, values in points.items()}
        for labels, points in gathered.items()
    }


def together(query: str, within: frozenset[str] = frozenset()) -> Callable[[list[float]], float]:
    """Return what makes one value of several that differ in APART.

    As the query does it, or where it only reads it, the rule that records what it reads.
    """
    for function, labels in AGGREGATED.findall(query):
        if APART & {one.strip() for one in labels.split(",")}:
            return {"sum": sum, "max": max, "min": min}[function]
    for name in NAME_OF_RECORD.findall(query):
        if name in RECORDS.keys() - within:
            return together(RECORDS[name], within | {name})
    return max


@every("same")
def test_it_is_the_same_of_several_hosts(both: Both, case: Case) -> None:
    one = comparable(ask(both.one, case.request), case.request.query)
    found = ask(both.several, case.request)
    if hop := HOPS.get((case.place, case.name, case.request.ref)):
        assert names(found, "instance") > set(hop), "both hops are shown"
        found = {labels: each for labels, each in found.items() if dict(labels)["instance"] in hop}
    several = comparable(found, case.request.query)
    assert several.keys() == one.keys(), (SEED, case.request.query)
    for labels, points in one.items():
        wanted = pytest.approx(points, rel=EQUAL, abs=EQUAL)
        assert several[labels] == wanted, (SEED, labels, case.request.query)


@every("new")
def test_nothing_comes_of_it_on_one_machine(both: Both, case: Case) -> None:
    one = ask(both.one, case.request)
    assert {value for points in one.values() for value in points.values()} <= {0}, one
    ask(both.several, case.request)


@every("different")
def test_what_is_not_compared_can_be_asked(both: Both, case: Case) -> None:
    ask(both.one, case.request)
    ask(both.several, case.request)


def test_something_is_compared(both: Both) -> None:
    """The positive control."""
    found = [bool(ask(both.several, one.request)) for one in CASES if kind(one) == "same"]
    # Alerts that fire are few, as are other senders' metrics.
    assert sum(found) > 0.7 * len(found)
    assert len(found) > 600


def names(found: Found, label: str) -> set[str]:
    return {dict(labels).get(label, "") for labels in found}


def test_each_collector_is_shown_by_its_name(both: Both) -> None:
    [chosen] = [one for one in CASES if one.id == "collectors: variable: instance A"]
    assert names(ask(both.one, chosen.request), "instance") == {"collector:8888"}
    every_one = {*several_hosts.EDGES, *several_hosts.GATEWAYS}
    assert names(ask(both.several, chosen.request), "instance") == every_one
    tenants = [one for one in CASES if one.id == "services: variable: tenant A"]
    found = names(ask(both.several, tenants[0].request), "glasshouse_tenant")
    assert found == set(several_hosts.EDGES.values())
    table = [one for one in CASES if (one.place, one.name) == ("collectors", "Each Collector")]
    for one in table:
        assert names(ask(both.several, one.request), "instance") == every_one


def test_what_waits_in_kafka_is_what_its_present_reader_says(both: Both) -> None:
    query = {"query": "kafka:lag:records", "time": prometheus.END}
    found = both.several.get("/api/v1/query", params=query).json()["data"]["result"]
    assert {one["metric"]["topic"]: float(one["value"][1]) for one in found} == {
        "otlp_logs.team-a": 3,
        "otlp_spans.team-a": 3,
    }


# An edge that begins anew, and one that ends: how long before the end.
CHANGED_S = 400
# What an edge's counters rise by at its start is seen with the first sample after: a rate that
# begins behind it is bounded by where the counter was 0.
NEAR = 0.2


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, httpx.Client]]:
    folder = tmp_path_factory.mktemp("changed-edge")
    found = [one for one in measured() if one["labels"].get("job") in {"derived", "collector"}]
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(asked(folder / name, made, "hosts.yaml"))
            for name, made in {
                "one": found,
                "reset": list(several_hosts.several(found, reset_ms=CHANGED_S * 1000)),
                "stopped": list(several_hosts.several(found, stop_ms=CHANGED_S * 1000)),
            }.items()
        }


IN_TIME = BUCKET["payment-confirmation"]
COUNTS = {
    "payments": "sum by (state) (increase(payments_total[15m]))",
    "jobs": "sum by (job_name) (increase(jobs_total[15m]))",
    "confirmed in time": (
        f"sum(increase(payment_confirmation_delay_seconds_bucket{{{IN_TIME}}}[15m]))"
    ),
    "redacted": "sum(increase(otelcol_processor_pii_redacted_total[15m]))",
}


def now(http: httpx.Client, query: str) -> dict[Labels, float]:
    answer = http.get("/api/v1/query", params={"query": query, "time": prometheus.END})
    assert answer.is_success, answer.text
    return {
        tuple(sorted(one["metric"].items())): float(one["value"][1])
        for one in answer.json()["data"]["result"]
    }


@pytest.mark.parametrize("query", COUNTS.values(), ids=COUNTS)
def test_an_edge_that_begins_anew_counts_on(
    changed: Mapping[str, httpx.Client], query: str
) -> None:
    one, reset = now(changed["one"], query), now(changed["reset"], query)
    assert one
    assert reset == pytest.approx(one, rel=NEAR, abs=1)
    # The control: a counter did fall.
    fell = "max(resets(payments_total{instance='edge-1'}[15m]))"
    assert set(now(changed["reset"], fell).values()) == {1}


def test_an_edge_that_ends_is_silent_and_the_other_is_not(
    changed: Mapping[str, httpx.Client],
) -> None:
    silent = (("glasshouse_tenant", "team-a"), ("instance", "edge-1"))
    [rule] = [one for one in CASES if one.name == "EdgeSilent ,page"]
    assert {
        tuple(one for one in labels if one[0] != "__name__")
        for labels in now(changed["stopped"], rule.request.query)
    } == {silent}
    assert now(changed["reset"], rule.request.query) == {}
    assert now(changed["one"], rule.request.query) == {}
