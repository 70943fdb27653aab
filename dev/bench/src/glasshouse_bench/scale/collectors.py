"""An edge and a gateway as they are deployed, with mutual TLS between them, and a sink behind.

senders → edge → (wire) → gateway → (wire) → sink
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from glasshouse_bench import children, deployed, speed
from glasshouse_bench.scale import wire
from glasshouse_bench.scale.point import Target
from glasshouse_cli import certificates
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import User

EDGE = "edge-1"
_ONE_MACHINE = Path("collector") / "config.yaml"
_EDGE = Path("deploy") / "edge" / "edge.yaml"
_GATEWAY = Path("deploy") / "gateway" / "config.yaml"
_TENANTS = "${file:/etc/otelcol/tenants.yaml}"
_SELF = "127.0.0.1:4320"
_LISTENERS = re.compile(r"0\.0\.0\.0:(\d+)|port: (\d+)")
_QUEUED = re.compile(r"^otelcol_exporter_queue_size(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_DRAINED_WITHIN_S = 240.0
_OTLP, _HEALTH, _METRICS = "4318", "13133", "8888"


def merged(document: Any, addition: Any) -> Any:
    """Return a configuration with another laid over it, as the Collector does: no lists joined."""
    if not isinstance(document, dict) or not isinstance(addition, dict):
        return addition
    return {**document, **{key: merged(document.get(key), addition[key]) for key in addition}}


def edge(root: Path, work: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    """Return the deployed configuration of an edge, at addresses of the bench's own."""
    document = merged(_read(root / _ONE_MACHINE), _read(root / _EDGE))
    found = deployed.adapted(document, root, work, ports)
    # One sender stands for many here: it is not held to what a single one may send.
    found["processors"]["admission"]["services"] |= {"records_per_second": 0, "bytes_per_second": 0}
    own = f"127.0.0.1:{children.free_port()}"
    found["receivers"]["otlp/self"]["protocols"]["http"]["endpoint"] = own
    text = yaml.safe_dump(found["service"]["telemetry"]).replace(_SELF, own)
    found["service"]["telemetry"] = yaml.safe_load(text)
    return found


def gateway(root: Path, work: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    """Return the deployed configuration of a gateway, at addresses of the bench's own."""
    document = _read(root / _GATEWAY)
    document["extensions"]["tenants"]["clients"] = {EDGE: "team-a"}
    return deployed.adapted(document, root, work, ports)


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _ports(root: Path, *files: Path) -> dict[str, int]:
    text = "".join((root / one).read_text(encoding="utf-8") for one in files)
    return {a or b: children.free_port() for a, b in _LISTENERS.findall(text)}


def _prepared(work: Path, secrets: Mapping[str, Path]) -> Path:
    (work / "storage" / "dead_letter").mkdir(parents=True)
    (work / "hmac_key").write_text("glasshouse-bench-key-0123456789abcdef", encoding="utf-8")
    (work / "otlp_token").write_text("glasshouse-bench-token-0123456789abc", encoding="utf-8")
    for name, path in secrets.items():
        (work / name).write_bytes(path.read_bytes())
    return work


@contextlib.contextmanager
def chain(root: Path, program: Path) -> Iterator[Target]:
    """Run a gateway and an edge before it until the end of the block.

    Raises:
        StackError: one does not start, or no certificates can be made.
    """
    with contextlib.ExitStack() as held:
        folder = held.enter_context(speed.work_folder())
        user = User(uid=os.geteuid(), gid=os.getegid())
        certificates.ensure(folder, user=user, edges=[EDGE])
        made = certificates.of(folder)
        sink = urlsplit(held.enter_context(speed.sink()))
        behind = held.enter_context(wire.relay(sink.port or 0))
        (folder / "gateway").mkdir()
        at = _prepared(
            folder / "gateway",
            {
                "gateway_certificate": made.gateway,
                "gateway_key": made.gateway_key,
                "edge_authority": made.authority,
            },
        )
        of_gateway = _ports(root, _GATEWAY)
        backends = dict.fromkeys(deployed.BACKENDS, f"http://127.0.0.1:{behind.port}")
        second = held.enter_context(
            speed.process(
                program,
                gateway(root, at, of_gateway),
                at,
                {**backends, "GATEWAY_HOSTS": "127.0.0.1"},
                _url(of_gateway, _HEALTH),
                None,
            )
        )
        between = held.enter_context(wire.relay(of_gateway[_OTLP]))
        (folder / "edge").mkdir()
        at = _prepared(
            folder / "edge",
            {
                "edge_certificate": made.edge(EDGE),
                "edge_key": made.edge_key(EDGE),
                "gateway_authority": made.authority,
            },
        )
        of_edge = _ports(root, _ONE_MACHINE, _EDGE)
        first = held.enter_context(
            speed.process(
                program,
                edge(root, at, of_edge),
                at,
                {
                    **dict.fromkeys(deployed.BACKENDS, f"https://127.0.0.1:{between.port}"),
                    "BACKEND_COMPRESSION": "zstd",
                    "EDGE_NAME": EDGE,
                    "OTLP_AUTH": "none",
                },
                _url(of_edge, _HEALTH),
                None,
            )
        )
        metrics = [f"{_url(ports, _METRICS)}/metrics" for ports in (of_edge, of_gateway)]
        yield Target(
            otlp=_url(of_edge, _OTLP),
            processes={"edge": (first,), "gateway": (second,)},
            wires={"edge": between, "gateway": behind},
            drained=lambda: drain(metrics),
        )


def drain(metrics: list[str]) -> None:
    """Return when the queues of all these Collectors are empty, of the first before the next.

    Raises:
        StackError: they are not within ``_DRAINED_WITHIN_S``.
    """
    end = time.monotonic() + _DRAINED_WITHIN_S
    with httpx.Client(timeout=30, trust_env=False) as http:
        for url in metrics:
            while queued := sum(map(float, _QUEUED.findall(http.get(url).text))):
                if time.monotonic() > end:
                    raise StackError(
                        f"{queued:,.0f} bytes are queued after {_DRAINED_WITHIN_S:.0f} s"
                    )
                time.sleep(0.05)


def _url(ports: Mapping[str, int], port: str) -> str:
    return f"http://127.0.0.1:{ports[port]}"
