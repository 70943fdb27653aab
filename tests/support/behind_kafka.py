"""Edges, three brokers and gateways before a sink, all plain processes."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from support import known
from support.collector_process import TOKEN, Collector
from support.edges import EdgeToKafka, GatewayBehindKafka, certificate_files
from support.kafka import BROKERS, Cluster
from support.otlp_sink import Sink

EDGES: Mapping[str, str] = {"edge-1": "team-a", "edge-2": "team-b"}
# A second one of a tenant, for traces that cross hosts.
OF_THE_SAME: Mapping[str, str] = {"edge-3": "team-a"}
TENANTS = {**EDGES, **OF_THE_SAME}
GATEWAYS = ("gateway-1", "gateway-2")
# Nobody's: its certificate is good, and no tenant has it.
STRANGER = "edge-9"


class Estate:
    """All of it, none of it running. Each gateway sends to the sink under its own name."""

    def __init__(self, program: Path, folder: Path, sink: Sink) -> None:
        self.sink = sink
        self.made = certificate_files(
            folder / "files", *EDGES, *OF_THE_SAME, STRANGER, gateways=GATEWAYS, brokers=BROKERS
        )
        self.kafka = Cluster(folder / "kafka", self.made)
        self.edges = {
            name: EdgeToKafka(program, folder / name, self.made, name, tenant, self.kafka.brokers)
            for name, tenant in TENANTS.items()
        }
        self.gateways = {
            name: GatewayBehindKafka(
                program, folder / name, self.made, name, self.kafka.brokers, f"{sink.url}/{name}"
            )
            for name in GATEWAYS
        }

    def targets(self) -> dict[str, known.Target]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return {
            name: known.Target(url=edge.at.url("4318"), headers=headers)
            for name, edge in self.edges.items()
            if name in EDGES
        }

    @contextlib.contextmanager
    def edges_running(self) -> Iterator[dict[str, Collector]]:
        with contextlib.ExitStack() as stack:
            yield {name: stack.enter_context(self.edges[name].running()) for name in EDGES}

    @contextlib.contextmanager
    def gateways_running(self, *overlays: str) -> Iterator[dict[str, Collector]]:
        with contextlib.ExitStack() as stack:
            yield {
                name: stack.enter_context(one.running(*overlays))
                for name, one in self.gateways.items()
            }
