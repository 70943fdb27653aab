"""Two Prometheus with Thanos: what dashboards and alerts ask outlives one of them."""

import math
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
import yaml

from glasshouse_bench.dashboards import prometheus, series
from glasshouse_dashboards.expand import TimeRange, dashboards, expand, panels, query_of, variables
from glasshouse_dashboards.queries import history
from support import otlp
from support.deployed import ROOT
from support.distributed.group import ended_after
from support.distributed.object_store import ObjectStore, object_store
from support.distributed.prometheuses import REPLICAS, Metrics, metrics
from support.waiting import until

Remark = Callable[[str, str], None]
DATA_S: Final = 4 * 3600
SEED: Final = 20261128
ANSWERED_WITHIN_S: Final = 300
# Sums in another order differ in the last digits.
EQUAL: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Both replicas with the same history, in the object store as well."""

    store: ObjectStore
    metrics: Metrics
    http: httpx.Client

    def ask(self, base: str, path: str, **parameters: Any) -> Any:
        answer = self.http.post(f"{base}/api/v1/{path}", data=parameters)
        assert answer.is_success, f"{parameters}: {answer.text[:500]}"
        return answer.json()["data"]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("metrics")
    store = object_store(folder / "s3")
    made = metrics(folder, store.environment)
    _, writer = prometheus.build(ROOT, ROOT / ".glasshouse" / "bench" / "programs")
    first, second = (made.replicas.programs[name].data for name in REPLICAS)
    prometheus.write(writer, first, series.written(ROOT, SEED), DATA_S)
    shutil.copytree(first, second)
    with (
        ended_after(store.program, made.replicas, made.thanos),
        httpx.Client(timeout=ANSWERED_WITHIN_S, trust_env=False) as http,
    ):
        store.program.start()
        made.replicas.start_all()
        made.thanos.start_all()
        stand = Stand(store=store, metrics=made, http=http)

        def joined() -> tuple[bool | None, object]:
            stores = http.get(f"{made.query}/api/v1/stores").json()["data"]
            found = {kind: len(ones) for kind, ones in stores.items()}
            return found == {"sidecar": 2, "store": 1} or None, found

        until(joined, what="Thanos knows two sidecars and a store")
        yield stand


def rule_groups() -> set[tuple[str, str]]:
    """Return each rule by its group's and its own name."""
    found: set[tuple[str, str]] = set()
    for file in sorted((ROOT / "prometheus" / "rules").glob("*.yaml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                found.add((group["name"], rule.get("alert") or rule["record"]))
    return found


def test_all_rules_are_evaluated_and_answered_once(stand: Stand) -> None:
    wanted = rule_groups()
    assert len(wanted) > 100

    def evaluated() -> tuple[dict[str, Any] | None, object]:
        answer = stand.http.get(f"{stand.metrics.query}/api/v1/rules").json()["data"]["groups"]
        unknown = [
            rule["name"]
            for group in answer
            for rule in group["rules"]
            if rule["health"] == "unknown"
        ]
        return ({"groups": answer} if answer and not unknown else None), unknown[:5]

    groups = until(evaluated, what="each rule has been evaluated")["groups"]
    seen = [
        (group["name"], rule["name"], rule["health"], rule.get("lastError", ""))
        for group in groups
        for rule in group["rules"]
    ]
    assert {(group, rule) for group, rule, _, _ in seen} == wanted
    assert [one for one in seen if one[2] != "ok"] == []


def targets() -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    for board in dashboards(ROOT / "grafana" / "dashboards"):
        for panel in panels(board):
            for target in panel.get("targets", ()):
                if panel["datasource"]["uid"] == "prometheus":
                    yield (
                        f"{board['uid']}: {panel['title']} {target['refId']}",
                        target,
                        variables(board),
                    )


def answer_of(stand: Stand, base: str, query: str) -> dict[tuple[tuple[str, str], ...], Any]:
    times = {"start": prometheus.END - 3600, "end": prometheus.END, "step": 300}
    data = stand.ask(base, "query_range", query=query, **times)
    return {
        tuple(sorted(one["metric"].items())): {
            moment: float(value) for moment, value in one["values"] if not math.isnan(float(value))
        }
        for one in data["result"]
    }


def expressions() -> Iterator[tuple[str, str]]:
    """Return what every panel and every rule asks, by a name."""
    when = TimeRange(start=prometheus.END - 3600, end=prometheus.END)
    for name, target, chosen in targets():
        windows = {"__rate_interval": "300s", "__interval": "300s"}
        windows = {**chosen, **windows, history.VARIABLE: history.SAMPLES}
        yield name, expand(query_of(target), windows, when)
    for file in sorted((ROOT / "prometheus" / "rules").glob("*.yaml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                yield f"{group['name']}: {rule.get('alert') or rule['record']}", rule["expr"]


def same(stand: Stand, base: str) -> tuple[int, list[str]]:
    """Ask all panels and rules of Thanos and of a Prometheus; return how many have data, and
    which differ."""
    with_data, different = 0, []
    for name, query in expressions():
        wanted = answer_of(stand, base, query)
        found = answer_of(stand, stand.metrics.query, query)
        with_data += bool(wanted)
        if found.keys() != wanted.keys() or any(
            found[labels] != pytest.approx(points, rel=EQUAL, abs=EQUAL)
            for labels, points in wanted.items()
        ):
            different.append(name)
    return with_data, different


def test_every_panel_and_rule_answers_as_one_prometheus_does(stand: Stand, remark: Remark) -> None:
    with_data, different = same(stand, stand.metrics.replicas.url(REPLICAS[0]))
    remark("distributed", f"{with_data} queries of panels and rules answer by Thanos as without")
    assert different == []
    # Two answers that are both empty say nothing.
    assert with_data > 150


class Measured:
    """A histogram with an exemplar, which grows by one each time it is sent, to both replicas."""

    def __init__(self, stand: Stand) -> None:
        self.name = f"distributed_{secrets.token_hex(4)}"
        self.trace = secrets.token_hex(16)
        self.begin = time.time_ns()
        self.count = 0
        self._stand = stand

    def send(self, *replicas: str) -> None:
        """Add one and send it to these, the others missing it."""
        self.count += 1
        now = time.time_ns()
        point = {
            "startTimeUnixNano": str(self.begin),
            "timeUnixNano": str(now),
            "count": str(self.count),
            "sum": self.count * 0.3,
            "bucketCounts": [0, str(self.count), 0],
            "explicitBounds": [0.1, 1],
            "exemplars": [
                {
                    "timeUnixNano": str(now),
                    "asDouble": 0.3,
                    "traceId": self.trace,
                    "spanId": self.trace[:16],
                }
            ],
            "attributes": otlp.attributes({"path": "/a"}),
        }
        metric = {
            "name": self.name,
            "histogram": {"aggregationTemporality": 2, "dataPoints": [point]},
        }
        resource = {"attributes": otlp.attributes({"service.name": "distributed-test"})}
        entry = {
            "resource": resource,
            "scopeMetrics": [{"scope": {"name": "tests"}, "metrics": [metric]}],
        }
        for replica in replicas:
            url = f"{self._stand.metrics.replicas.url(replica)}/api/v1/otlp/v1/metrics"
            answer = self._stand.http.post(url, json={"resourceMetrics": [entry]})
            assert answer.is_success, answer.text

    def counted(self) -> list[float]:
        found = self._stand.ask(self._stand.metrics.query, "query", query=f"{self.name}_count")
        assert all("replica" not in one["metric"] for one in found["result"]), found
        return [float(one["value"][1]) for one in found["result"]]

    def exemplars(self) -> list[str]:
        found = self._stand.ask(
            self._stand.metrics.query,
            "query_exemplars",
            query=f"{self.name}_bucket",
            start=self.begin / 1e9 - 60,
            end=time.time() + 60,
        )
        return [one["labels"]["trace_id"] for series in found for one in series["exemplars"]]

    def until_counted(self) -> None:
        def seen() -> tuple[bool | None, object]:
            now = self.counted()
            return now == [self.count] or None, f"{now} of {self.count}"

        until(seen, what="each sample is answered once")


def test_a_killed_replica_is_not_missed(stand: Stand, remark: Remark) -> None:
    """Nor is its gap, once it is back."""
    measured = Measured(stand)
    first, second = REPLICAS
    for _ in range(3):
        measured.send(first, second)
    measured.until_counted()
    assert measured.exemplars() == [measured.trace] * len(measured.exemplars())
    assert measured.exemplars()
    stand.metrics.replicas.kill(first)
    try:
        for _ in range(3):
            measured.send(second)
        measured.until_counted()
        assert measured.trace in measured.exemplars()
        with_data, different = same(stand, stand.metrics.replicas.url(second))
        assert (with_data > 150, different) == (True, [])
    finally:
        stand.metrics.replicas.start(first)
    measured.send(first, second)
    measured.until_counted()
    remark(
        "distributed", "a Prometheus of two killed: every panel and rule answered, exemplars too"
    )


def test_what_is_in_the_object_store_is_answered_without_the_replicas(
    stand: Stand, remark: Remark
) -> None:
    """Runs last: the replicas are stopped."""

    def uploaded() -> tuple[list[str] | None, object]:
        now = [one for one in stand.store.objects("thanos") if one.endswith("/meta.json")]
        # The replicas' blocks have one name here: they are copies.
        return now or None, now

    until(uploaded, what="a sidecar has uploaded what its replica has")
    query = next(query for name, query in expressions() if "http_server_request" in query)
    before = answer_of(stand, stand.metrics.query, query)
    assert before
    for name in REPLICAS:
        stand.metrics.replicas.kill(name)

    def from_store() -> tuple[bool | None, object]:
        answer = answer_of(stand, stand.metrics.query, query)
        return answer == before or None, f"{len(answer)} series of {len(before)}"

    until(from_store, what="the store gateway answers alone")
    remark("distributed", f"answered from S3 alone by Thanos: {len(before)} series")
