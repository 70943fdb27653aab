"""What Prometheus stores of two edges and their gateway is what rules, panels and pages ask for."""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glasshouse_bench.dashboards import asking, grafana, prometheus
from glasshouse_cli import project, rules, runbooks
from glasshouse_dashboards import expand
from glasshouse_dashboards.objectives import BUCKET
from support import otlp, prometheus_process
from support.collector_process import Collector
from support.deployed import ROOT
from support.edges import Edge, Gateway, certificate_files
from support.otlp_sink import Sink
from support.otlp_sink import running as sink_running
from support.prometheus_process import Prometheus
from support.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")

EDGES = {"edge-1": "team-a", "edge-2": "team-b"}
# Times of rules by so much shorter, as in `write_fast`: an edge pushes each half second here.
SPEED = 20
IN_TIME_S, TOO_LATE_S = 119.0, 121.0
EDGE, GATEWAY = "glasshouse-edge", "glasshouse-gateway"
# Of both, however they come; a gateway counts no events, and an edge is asked by nobody.
OF_BOTH = {
    "otelcol_exporter_queue_capacity",
    "otelcol_exporter_queue_size",
    "otelcol_exporter_sent_metric_points_total",
    "otelcol_extension_dead_letter_capacity_bytes",
    "otelcol_extension_dead_letter_used_bytes",
    "otelcol_extension_durable_storage_set_aside",
    "otelcol_process_cpu_seconds_total",
    "otelcol_process_memory_rss_bytes",
    "otelcol_process_uptime_seconds_total",
    "otelcol_receiver_accepted_metric_points_total",
    "otelcol_receiver_refused_metric_points_total",
    "http_client_request_duration_seconds_bucket",
    "http_client_request_duration_seconds_count",
    "target_info",
}
OF_EDGES = {
    "otelcol_connector_event_metrics_behind_seconds",
    "otelcol_processor_admission_series",
    "payments_total",
    "payment_confirmation_delay_seconds_bucket",
}


@dataclass(frozen=True, kw_only=True)
class Estate:
    """Two edges, their gateway and what they send to, all running; edges can be started anew."""

    prometheus: Prometheus
    edges: dict[str, Collector]
    start: Callable[[str], Collector]


@pytest.fixture(scope="module")
def estate(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    folder = tmp_path_factory.mktemp("edges-in-prometheus")
    made = certificate_files(folder / "files", *EDGES)
    with contextlib.ExitStack() as stack:
        sink: Sink = stack.enter_context(sink_running())
        gateway = Gateway(program, folder / "gateway", made, sink.url)
        scraped = {GATEWAY: [gateway.own.removeprefix("http://")]}
        server = stack.enter_context(prometheus_process.running(folder / "prometheus", scraped))
        stack.enter_context(gateway.running(EDGES, PROMETHEUS_ENDPOINT=server.otlp))
        places = {name: Edge(program, folder / name, made, name, gateway.url) for name in EDGES}

        def start(name: str) -> Collector:
            return stack.enter_context(places[name].running())

        yield Estate(prometheus=server, edges={name: start(name) for name in EDGES}, start=start)


def events(to: Collector, number: int) -> None:
    """Send ``number`` payments that are confirmed in time, and one that is too late."""
    with otlp.Sender(to.otlp, otlp.BELIEVED, to.sender) as sender:
        for i in range(number + 1):
            fields: otlp.Attributes = {
                "payment.currency": "EUR",
                "payment.amount": 1.0,
                "payment.confirmation_delay": IN_TIME_S if i else TOO_LATE_S,
                "log.record.uid": f"payment-{to.otlp}-{i}",
            }
            sender.logs([otlp.log("Payment confirmed", fields, event="payment.confirmed")])


def values(found: list[dict[str, Any]], *labels: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(one["metric"].get(label, "") for label in labels): float(one["value"][1])
        for one in found
    }


@pytest.fixture(scope="module")
def counted(estate: Estate) -> Prometheus:
    """Prometheus, once each edge has counted: 3 payments in time and 1 late, and 5 and 1."""
    for (_, edge), number in zip(estate.edges.items(), (3, 5), strict=True):
        events(edge, number)

    def arrived() -> tuple[bool | None, object]:
        query = 'payments_total{state="confirmed",currency="EUR"}'
        found = values(estate.prometheus.ask(query), "job", "instance", "glasshouse_tenant")
        wanted = {
            (EDGE, name, tenant): float(number)
            for (name, tenant), number in zip(EDGES.items(), (4, 6), strict=True)
        }
        return found == wanted or None, found

    until(arrived, what="what each edge counted, by its name and tenant")
    return estate.prometheus


def test_what_is_confirmed_in_time_is_counted_by_its_bound(counted: Prometheus) -> None:
    bucket = "payment_confirmation_delay_seconds_bucket"

    def probe() -> tuple[bool | None, object]:
        found = values(counted.ask(f"sum({bucket}{{{BUCKET['payment-confirmation']}}})"))
        every = values(counted.ask(f'sum({bucket}{{le="+Inf"}})'))
        # The reason for it: a bound that is pushed is written without its zero.
        scraped = counted.ask(f'{bucket}{{le="120.0"}}')
        state = (found, every, scraped)
        return state == ({(): 8.0}, {(): 10.0}, []) or None, state

    until(probe, what="8 of 10 payments in time")


def test_what_a_collector_says_of_itself_has_the_same_names_pushed_and_scraped(
    counted: Prometheus,
) -> None:
    def names(job: str, instance: str) -> set[str]:
        selected = f'{{job="{job}",instance=~"{instance}"}}'
        found = counted.ask(f"count by (__name__) ({selected})")
        return {one["metric"]["__name__"] for one in found}

    def probe() -> tuple[bool | None, object]:
        missing = {
            "gateway": OF_BOTH - names(GATEWAY, ".+"),
            **{edge: (OF_BOTH | OF_EDGES) - names(EDGE, edge) for edge in EDGES},
        }
        return not any(missing.values()) or None, missing

    until(probe, what="the metrics that rules and panels name")


def asked() -> Iterator[str]:
    yield from (one.query for one in asking.rules(ROOT, prometheus.END))
    for board in expand.dashboards(ROOT / "grafana" / "dashboards"):
        for request in grafana.requests(board, 3600, prometheus.END):
            if request.source == "prometheus" and request.kind != "labels":
                yield request.query
    for page in runbooks.pages(project.load(ROOT)):
        yield from (one.text for one in page.queries if one.source == "prometheus")


def test_whatever_is_asked_is_answered(counted: Prometheus) -> None:
    """Two series that differ in their names alone cannot be rated by an expression for names."""
    queries = list(asked())
    assert len(queries) > 500
    for query in queries:
        counted.ask(query)
    # The control: these are such series.
    pair = '{__name__=~"otelcol_receiver_(accepted|refused)_metric_points_total",job="JOB"}'
    with pytest.raises(AssertionError, match="same labelset"):
        counted.ask(f"rate({pair.replace('JOB', EDGE)}[1m])")


def silent_query() -> str:
    """Return what EdgeSilent asks, with shorter times."""
    [query] = [one.query for one in asking.rules(ROOT, 0) if one.panel == "edge:silent:group"]
    rule = {"record": "edge:silent:group", "expr": query}
    made = rules.accelerated({"groups": [{"name": "hosts", "rules": [rule]}]}, SPEED)
    return made["groups"][0]["rules"][0]["expr"]


def test_an_edge_that_is_killed_is_silent_until_it_is_back(
    estate: Estate, counted: Prometheus
) -> None:
    query = silent_query()

    def silent(*wanted: str) -> None:
        def probe() -> tuple[bool | None, object]:
            found = set(values(counted.ask(query), "instance", "glasshouse_tenant"))
            return found == {(one, EDGES[one]) for one in wanted} or None, found

        until(probe, what=f"of all edges these are silent: {wanted}")

    silent()
    estate.edges["edge-1"].popen.send_signal(signal.SIGKILL)
    estate.edges["edge-1"].popen.wait(60)
    silent("edge-1")
    estate.start("edge-1")
    silent()
    # It goes on counting where it ended.
    found = counted.ask('payments_total{state="confirmed",currency="EUR",instance="edge-1"}')
    assert [float(one["value"][1]) for one in found] == [4.0]
