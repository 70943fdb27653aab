"""Edges send to a gateway over mutual TLS: what arrives, whose it is, and what a kill costs."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from glasshouse.testing.otlp_json import attribute
from support import otlp
from support.collector_process import Collector
from support.edges import Edge, Gateway, certificate_files
from support.otlp_sink import Sink
from support.waiting import until

ADDRESS = "ada.lovelace@mail.example"
TENANT = "glasshouse.tenant"
HEADER = "x-scope-orgid"
EDGES = {"edge-1": "team-a", "edge-2": "team-b"}


class Estate:
    """Two edges and their gateway, none of them running."""

    def __init__(self, program: Path, folder: Path, sink: Sink) -> None:
        made = certificate_files(folder / "files", *EDGES)
        self.gateway = Gateway(program, folder / "gateway", made, sink.url)
        self.edges = {
            name: Edge(program, folder / name, made, name, self.gateway.url) for name in EDGES
        }


@pytest.fixture
def estate(program: Path, tmp_path: Path, sink: Sink) -> Estate:
    return Estate(program, tmp_path, sink)


def send(to: Collector, *records: dict[str, Any]) -> None:
    with otlp.Sender(to.otlp, otlp.BELIEVED, to.sender) as sender:
        sender.logs(records)


def by_tenant(sink: Sink, signal_name: str = "logs") -> dict[str, list[dict[str, Any]]]:
    """What came under which header: resources, each with its scopes."""
    found: dict[str, list[dict[str, Any]]] = {}
    for request in tuple(sink.requests):
        if request.path.endswith(f"/v1/{signal_name}"):
            whole = sink.decoded(request)[otlp.OUTER[signal_name]]
            found.setdefault(request.headers.get(HEADER, ""), []).extend(whole)
    return found


def bodies(resources: list[dict[str, Any]]) -> list[str]:
    return [
        record["body"]["stringValue"]
        for resource in resources
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


def samples(sink: Sink, name: str) -> dict[tuple[str, str, str], float]:
    """The last values of a sum: by tenant, instance and state, over the other labels."""
    series: dict[tuple[str, str, str], dict[str, float]] = {}
    for tenant, resources in by_tenant(sink, "metrics").items():
        for resource in resources:
            instance = attribute(resource["resource"], "service.instance.id") or ""
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    if metric["name"] == name:
                        for point in metric["sum"]["dataPoints"]:
                            key = (tenant, instance, attribute(point, "state") or "")
                            value = float(point.get("asDouble", point.get("asInt", 0)))
                            series.setdefault(key, {})[str(point.get("attributes"))] = value
    return {key: sum(values.values()) for key, values in series.items()}


def payment(number: int) -> dict[str, Any]:
    fields: otlp.Attributes = {
        "payment.currency": "EUR",
        "payment.amount": 1.0,
        "log.record.uid": f"payment-{number}",
    }
    return otlp.log("Payment created", fields, event="payment.created")


@contextlib.contextmanager
def all_running(estate: Estate) -> Iterator[dict[str, Collector]]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(estate.gateway.running(EDGES))
        yield {name: stack.enter_context(one.running()) for name, one in estate.edges.items()}


def test_what_arrives_is_redacted_at_the_edge_and_stands_under_its_tenant(
    estate: Estate, sink: Sink
) -> None:
    with all_running(estate) as edges:
        for name, edge in edges.items():
            with otlp.Sender(edge.otlp, "shop", edge.sender) as sender:
                # What a record says of its tenant is worth nothing.
                items = {TENANT: "team-c", "note": ADDRESS}
                sender.logs([otlp.log(f"{name} wrote to {ADDRESS}", items)])
                sender.spans([otlp.span(f"send of {name}", items)])
                sender.metrics([otlp.gauge(f"mails.{name}", 1)])

        def arrived() -> tuple[bool | None, object]:
            found = {
                tenant: [one.partition(" wrote")[0] for one in bodies(resources)]
                for tenant, resources in by_tenant(sink).items()
            }
            spans = {
                tenant: [
                    span["name"]
                    for resource in resources
                    for scope in resource["scopeSpans"]
                    for span in scope["spans"]
                ]
                for tenant, resources in by_tenant(sink, "traces").items()
            }
            is_whole = found == {tenant: [name] for name, tenant in EDGES.items()} and spans == {
                tenant: [f"send of {name}"] for name, tenant in EDGES.items()
            }
            return is_whole or None, (found, spans)

        until(arrived, what="a log and a span of each tenant, under its own header", deadline_s=240)
    for tenant, resources in by_tenant(sink).items():
        assert [attribute(one["resource"], TENANT) for one in resources] == [tenant]
    everything = b"".join(request.body for request in sink.requests)
    assert b"wrote to" in everything  # the bodies can be read
    assert ADDRESS.encode() not in everything


def test_the_counts_and_the_metrics_of_each_edge_are_series_of_their_own(
    estate: Estate, sink: Sink
) -> None:
    with all_running(estate) as edges:
        for number, edge in enumerate(edges.values(), 1):
            send(edge, *(payment(10 * number + i) for i in range(number)))

        def counted() -> tuple[bool | None, object]:
            found = {key: n for key, n in samples(sink, "payments").items() if n}
            wanted = {
                (tenant, name, "created"): float(number)
                for number, (name, tenant) in enumerate(EDGES.items(), 1)
            }
            return found == wanted or None, found

        until(counted, what="each edge's count under its name", deadline_s=240)

        def reported() -> tuple[bool | None, object]:
            found = samples(sink, "otelcol_receiver_accepted_log_records")
            named = {(tenant, instance) for tenant, instance, _ in found}
            return named == {(tenant, name) for name, tenant in EDGES.items()} or None, named

        until(reported, what="what each edge reports of itself", deadline_s=240)


def test_a_gateway_that_is_killed_under_load_costs_nothing(estate: Estate, sink: Sink) -> None:
    sent: list[str] = []
    stop = threading.Event()
    with contextlib.ExitStack() as edges, contextlib.ExitStack() as gateways:
        gateway = gateways.enter_context(estate.gateway.running(EDGES))
        edge = edges.enter_context(estate.edges["edge-1"].running())

        def load() -> None:
            with otlp.Sender(edge.otlp, "shop", edge.sender) as sender:
                while not stop.is_set():
                    names = [f"record {len(sent) + i}" for i in range(20)]
                    sender.logs([otlp.log(name) for name in names])
                    sent.extend(names)

        sending = threading.Thread(target=load)
        sending.start()
        try:
            for _ in range(3):
                before = len(sink.requests)

                def flows(before: int = before) -> tuple[bool | None, object]:
                    return len(sink.requests) > before + 5 or None, len(sink.requests)

                until(flows, what="records flow", deadline_s=240)
                gateway.popen.send_signal(signal.SIGKILL)
                gateway.popen.wait(60)
                gateways.close()
                gateway = gateways.enter_context(estate.gateway.running(EDGES))
        finally:
            stop.set()
            sending.join()

        def arrived() -> tuple[bool | None, object]:
            missing = set(sent) - set(sink.bodies())
            return not missing or None, f"{len(missing)} of {len(sent)} are missing"

        until(arrived, what="all that the edge took", deadline_s=240)
    # The control: the kills met something that was under way.
    assert len(sent) > 100


def test_a_client_without_a_tenant_waits_and_loses_nothing(estate: Estate, sink: Sink) -> None:
    with estate.edges["edge-2"].running() as edge:
        with estate.gateway.running({"edge-1": "team-a"}) as gateway:
            send(edge, otlp.log("of nobody yet"))

            def refused() -> tuple[bool | None, object]:
                text = httpx.get(f"{estate.gateway.own}/metrics", timeout=60, trust_env=False).text
                lines = [
                    line
                    for line in text.splitlines()
                    if line.startswith("otelcol_extension_tenants_refused_total")
                    and 'reason="unknown_client"' in line
                ]
                counted = sum(float(line.rpartition(" ")[2]) for line in lines)
                return counted > 1 or None, lines

            until(refused, what="the client is refused, and tries again", deadline_s=240)
            log = gateway.log.read_text(encoding="utf-8")
            assert "add it to clients of the extension tenants" in log
            assert "edge-2" in log
            assert sink.bodies() == []
        with estate.gateway.running(EDGES):

            def arrived() -> tuple[bool | None, object]:
                found = {tenant: bodies(all) for tenant, all in by_tenant(sink).items()}
                return found == {"team-b": ["of nobody yet"]} or None, found

            until(arrived, what="what the edge had kept", deadline_s=240)
