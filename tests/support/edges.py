"""Edges and gateways as plain processes: the deployed configurations on other addresses."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from glasshouse_cli import certificates
from glasshouse_cli.certificates import Certificates
from glasshouse_cli.project import User
from support import collector_process, deployed, ports
from support.collector_process import Collector, Place

ONE_MACHINE = deployed.CONFIG.read_text(encoding="utf-8")
EDGE = (deployed.ROOT / "deploy" / "edge" / "edge.yaml").read_text(encoding="utf-8")
EDGE_TO_KAFKA = (deployed.ROOT / "deploy" / "edge" / "kafka.yaml").read_text(encoding="utf-8")
GATEWAY = (deployed.ROOT / "deploy" / "gateway" / "config.yaml").read_text(encoding="utf-8")
BEHIND_KAFKA = (deployed.ROOT / "deploy" / "gateway" / "kafka.yaml").read_text(encoding="utf-8")
SAMPLING = (deployed.ROOT / "deploy" / "gateway" / "sampling.yaml").read_text(encoding="utf-8")
SELF = "127.0.0.1:4320"
TENANTS = "${file:/etc/otelcol/tenants.yaml}"
# Often, so that a test need not wait for what an edge reports of itself.
SELF_EVERY_MS = 500


def certificate_files(
    folder: Path, *edges: str, gateways: Sequence[str] = (), brokers: Sequence[str] = ()
) -> Certificates:
    """Make an authority and what it vouches for. gateways: those behind Kafka."""
    user = User(uid=os.geteuid(), gid=os.getegid())
    certificates.ensure(folder, user=user, edges=edges, gateways=gateways, brokers=brokers)
    return certificates.of(folder)


def _of_this_machine(overlay: str) -> str:
    return overlay.replace(SELF, f"127.0.0.1:{ports.free(['self'])['self']}")


def _give(files: Mapping[str, Path], at: Place) -> None:
    for secret, path in files.items():
        (at.folder / secret).write_bytes(path.read_bytes())


class Gateway:
    """A gateway that can be killed and started again in its place. url: where edges send."""

    def __init__(self, program: Path, folder: Path, made: Certificates, sink: str) -> None:
        folder.mkdir()
        self._program, self._sink = program, sink
        self.at = collector_process.place(folder, GATEWAY)
        self.url = self.at.url("4318").replace("http://", "https://")
        self.own = self.at.url("8888")
        files = {
            "gateway_certificate": made.gateway,
            "gateway_key": made.gateway_key,
            "edge_authority": made.authority,
        }
        _give(files, self.at)

    @contextlib.contextmanager
    def running(self, tenants: Mapping[str, str], **variables: str) -> Iterator[Collector]:
        config = GATEWAY.replace(TENANTS, yaml.safe_dump(dict(tenants), default_flow_style=True))
        with collector_process.running(
            self._program, self.at, config, sink=self._sink, **variables
        ) as made:
            yield made


class Edge:
    """An edge that can be killed and started again in its place."""

    def __init__(
        self, program: Path, folder: Path, made: Certificates, name: str, gateway: str
    ) -> None:
        folder.mkdir()
        self._program, self._name, self._gateway = program, name, gateway
        self.at = collector_process.place(folder, ONE_MACHINE)
        self._overlay = _of_this_machine(EDGE).replace(
            "interval: 15000", f"interval: {SELF_EVERY_MS}"
        )
        files = {
            "edge_certificate": made.edge(name),
            "edge_key": made.edge_key(name),
            "gateway_authority": made.authority,
        }
        _give(files, self.at)

    @contextlib.contextmanager
    def running(self, **changes: Any) -> Iterator[Collector]:
        configs = [ONE_MACHINE, self._overlay]
        if changes:
            configs.append(yaml.safe_dump(changes))
        with collector_process.running(
            self._program, self.at, *configs, sink=self._gateway, EDGE_NAME=self._name
        ) as made:
            yield made


class EdgeToKafka:
    """An edge that writes to Kafka, which can be killed and started again in its place."""

    def __init__(
        self, program: Path, folder: Path, made: Certificates, name: str, tenant: str, brokers: str
    ) -> None:
        folder.mkdir()
        self._program, self._name, self.tenant = program, name, tenant
        self._brokers = brokers
        self.at = collector_process.place(folder, ONE_MACHINE)
        self.own = self.at.url("8888")
        self._overlay = _of_this_machine(EDGE)
        files = {
            "edge_certificate": made.edge(name),
            "edge_key": made.edge_key(name),
            "kafka_authority": made.authority,
        }
        _give(files, self.at)

    def show(self, certificate: Path, key: Path) -> None:
        """Show another certificate from the next start on."""
        _give({"edge_certificate": certificate, "edge_key": key}, self.at)

    @contextlib.contextmanager
    def running(self, tenant: str = "", **changes: Any) -> Iterator[Collector]:
        """tenant: whose topics it writes, if it is another than its own."""
        configs = [*self._configs]
        if changes:
            configs.append(yaml.safe_dump(changes))
        variables = self._variables
        if tenant:
            variables["EDGE_TENANT"] = tenant
        with collector_process.running(
            self._program, self.at, *configs, sink="", **variables
        ) as made:
            yield made

    def beside(self) -> tuple[int, str]:
        """Start another on its queue, with its own ports; return its exit code and what it says."""
        other = Place(folder=self.at.folder, ports=ports.free(self.at.ports))
        return collector_process.ended(
            self._program, other, *self._configs, sink="", **self._variables
        )

    @property
    def _configs(self) -> list[str]:
        return [ONE_MACHINE, self._overlay, EDGE_TO_KAFKA]

    @property
    def _variables(self) -> dict[str, str]:
        return {
            "EDGE_NAME": self._name,
            "EDGE_TENANT": self.tenant,
            "KAFKA_BROKERS": self._brokers,
        }


class GatewayBehindKafka:
    """One of several gateways, which can be killed and started again."""

    def __init__(
        self, program: Path, folder: Path, made: Certificates, name: str, brokers: str, sink: str
    ) -> None:
        folder.mkdir()
        self._program, self._name, self._brokers, self._sink = program, name, brokers, sink
        self.at = collector_process.place(folder, BEHIND_KAFKA)
        self.own = self.at.url("8888")
        files = {
            "gateway_certificate": made.kafka_gateway(name),
            "gateway_key": made.kafka_gateway_key(name),
            "kafka_authority": made.authority,
        }
        _give(files, self.at)

    @contextlib.contextmanager
    def running(self, *overlays: str) -> Iterator[Collector]:
        with collector_process.running(
            self._program,
            self.at,
            BEHIND_KAFKA,
            *overlays,
            sink=self._sink,
            GATEWAY_NAME=self._name,
            KAFKA_BROKERS=self._brokers,
        ) as made:
            yield made
