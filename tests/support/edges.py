"""Edges and a gateway as plain processes: the deployed configurations on other addresses."""

import contextlib
import os
from collections.abc import Iterator, Mapping
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
GATEWAY = (deployed.ROOT / "deploy" / "gateway" / "config.yaml").read_text(encoding="utf-8")
SELF = "127.0.0.1:4320"
TENANTS = "${file:/etc/otelcol/tenants.yaml}"
# Often, so that a test need not wait for what an edge reports of itself.
SELF_EVERY_MS = 500


def certificate_files(folder: Path, *edges: str) -> Certificates:
    """Make an authority and what it vouches for."""
    user = User(uid=os.geteuid(), gid=os.getegid())
    certificates.ensure(folder, user=user, edges=edges)
    return certificates.of(folder)


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
        own = f"127.0.0.1:{ports.free(['self'])['self']}"
        self._overlay = EDGE.replace(SELF, own).replace(
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
