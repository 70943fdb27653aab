"""Edges and gateways as they are deployed, and a sink behind.

senders → edge → (wire) → gateway → (wire) → sink, or with Kafka's brokers between the two
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from glasshouse_bench import children, deployed, speed
from glasshouse_bench.scale import kafka, wire
from glasshouse_bench.scale.point import Target
from glasshouse_bench.scale.wire import Wire
from glasshouse_cli import certificates
from glasshouse_cli.certificates import Certificates
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import User

EDGE, GATEWAY, TENANT = "edge-1", "gateway-1", "team-a"
_ONE_MACHINE = Path("collector") / "config.yaml"
_DEPLOY = Path("deploy")
EDGE_FILES = (_ONE_MACHINE, _DEPLOY / "edge" / "edge.yaml")
EDGE_TO_KAFKA_FILES = (*EDGE_FILES, _DEPLOY / "edge" / "kafka.yaml")
GATEWAY_FILES = (_DEPLOY / "gateway" / "config.yaml",)
GATEWAY_BEHIND_KAFKA_FILES = (_DEPLOY / "gateway" / "kafka.yaml",)
_SELF = "127.0.0.1:4320"
_LISTENERS = re.compile(r"0\.0\.0\.0:(\d+)|port: (\d+)")
_QUEUED = re.compile(r"^otelcol_exporter_queue_size(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_DRAINED_WITHIN_S = 300.0
# Behind Kafka nobody says that a gateway has read all: it has when nothing more comes.
_QUIET_S = 1.5
_PAUSE_S = 0.05
_OTLP, _HEALTH, _METRICS = "4318", "13133", "8888"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A Collector that runs. ports: its own, by those of the deployed configuration."""

    pid: int
    ports: Mapping[str, int]

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    def queued(self, http: httpx.Client) -> float:
        """Return how much its queues hold."""
        return sum(map(float, _QUEUED.findall(http.get(f"{self.url(_METRICS)}/metrics").text)))


def merged(document: Any, addition: Any) -> Any:
    """Return a configuration with another laid over it, as the Collector does: no lists joined."""
    if not isinstance(document, dict) or not isinstance(addition, dict):
        return addition
    return {**document, **{key: merged(document.get(key), addition[key]) for key in addition}}


def configuration(
    root: Path, files: Sequence[Path], work: Path, ports: Mapping[str, int]
) -> dict[str, Any]:
    """Return the deployed configuration of these files, at addresses of the bench's own."""
    document: Any = {}
    for one in files:
        document = merged(document, yaml.safe_load((root / one).read_text(encoding="utf-8")))
    found = deployed.adapted(document, root, work, ports)
    if "tenants" in found["extensions"]:
        found["extensions"]["tenants"]["clients"] = {EDGE: TENANT}
    if "admission" in found["processors"]:
        # One sender stands for many here: it is not held to what a single one may send.
        unbounded = {"records_per_second": 0, "bytes_per_second": 0}
        found["processors"]["admission"]["services"] |= unbounded
    own = f"127.0.0.1:{children.free_port()}"
    return yaml.safe_load(yaml.safe_dump(found, sort_keys=False).replace(_SELF, own))


@contextlib.contextmanager
def collector(
    root: Path,
    program: Path,
    work: Path,
    files: Sequence[Path],
    secrets: Mapping[str, Path],
    variables: Mapping[str, str],
) -> Iterator[Running]:
    """Run a Collector with the configuration of these files until the end of the block.

    Raises:
        StackError: it does not start.
    """
    (work / "storage" / "dead_letter").mkdir(parents=True)
    (work / "hmac_key").write_text("glasshouse-bench-key-0123456789abcdef", encoding="utf-8")
    (work / "otlp_token").write_text("glasshouse-bench-token-0123456789abc", encoding="utf-8")
    for name, path in secrets.items():
        (work / name).write_bytes(path.read_bytes())
    text = "".join((root / one).read_text(encoding="utf-8") for one in files)
    ports = {a or b: children.free_port() for a, b in _LISTENERS.findall(text)}
    document = configuration(root, files, work, ports)
    health = f"http://127.0.0.1:{ports[_HEALTH]}"
    with speed.process(program, document, work, variables, health, None) as pid:
        yield Running(pid=pid, ports=ports)


@contextlib.contextmanager
def chain(root: Path, program: Path) -> Iterator[Target]:
    """Run a gateway and an edge before it until the end of the block.

    Raises:
        StackError: one does not start, or no certificates can be made.
    """
    with contextlib.ExitStack() as held:
        folder = held.enter_context(speed.work_folder())
        made = _certificates(folder, edges=[EDGE])
        behind = _sink(held)
        gateway = held.enter_context(
            collector(
                root,
                program,
                folder / "gateway",
                GATEWAY_FILES,
                {
                    "gateway_certificate": made.gateway,
                    "gateway_key": made.gateway_key,
                    "edge_authority": made.authority,
                },
                {**_backends(f"http://127.0.0.1:{behind.port}"), "GATEWAY_HOSTS": "127.0.0.1"},
            )
        )
        between = held.enter_context(wire.relay(gateway.ports[_OTLP]))
        edge = held.enter_context(
            collector(
                root,
                program,
                folder / "edge",
                EDGE_FILES,
                {**_of_edge(made), "gateway_authority": made.authority},
                {
                    **_backends(f"https://127.0.0.1:{between.port}"),
                    **_SENT_TO,
                    "BACKEND_COMPRESSION": "zstd",
                },
            )
        )
        yield Target(
            otlp=edge.url(_OTLP),
            processes={"edge": (edge.pid,), "gateway": (gateway.pid,)},
            counters={"edge": between, "gateway": behind},
            drained=lambda: drain([edge, gateway]),
        )


@contextlib.contextmanager
def chain_by_kafka(root: Path, program: Path, jars: Path) -> Iterator[Target]:
    """Run three brokers, a gateway behind and an edge before them until the end of the block.

    Raises:
        StackError: one does not start, or no certificates can be made.
    """
    with contextlib.ExitStack() as held:
        folder = held.enter_context(speed.work_folder())
        made = _certificates(folder, edges=[EDGE], gateways=[GATEWAY], brokers=kafka.BROKERS)
        cluster = held.enter_context(kafka.running(root, folder / "kafka", made, jars))
        cluster.make_topics({EDGE: TENANT}, GATEWAY)
        behind = _sink(held)
        gateway = held.enter_context(
            collector(
                root,
                program,
                folder / "gateway",
                GATEWAY_BEHIND_KAFKA_FILES,
                {
                    "gateway_certificate": made.kafka_gateway(GATEWAY),
                    "gateway_key": made.kafka_gateway_key(GATEWAY),
                    "kafka_authority": made.authority,
                },
                {
                    **_backends(f"http://127.0.0.1:{behind.port}"),
                    "KAFKA_BROKERS": cluster.brokers,
                    "GATEWAY_NAME": GATEWAY,
                },
            )
        )
        edge = held.enter_context(
            collector(
                root,
                program,
                folder / "edge",
                EDGE_TO_KAFKA_FILES,
                {**_of_edge(made), "kafka_authority": made.authority},
                {
                    **_backends("http://127.0.0.1:1"),  # which it does not read
                    **_SENT_TO,
                    "KAFKA_BROKERS": cluster.brokers,
                    "EDGE_TENANT": TENANT,
                },
            )
        )

        def drained() -> None:
            drain([edge])
            _quiet(behind)

        yield Target(
            otlp=edge.url(_OTLP),
            processes={
                "edge_kafka": (edge.pid,),
                "kafka": cluster.pids,
                "gateway_kafka": (gateway.pid,),
            },
            counters={"kafka": cluster, "gateway_kafka": behind},
            drained=drained,
            warm=kafka.WARM_REQUESTS,
        )


_SENT_TO = {"EDGE_NAME": EDGE, "OTLP_AUTH": "none"}


def _backends(url: str) -> dict[str, str]:
    return dict.fromkeys(deployed.BACKENDS, url)


def _of_edge(made: Certificates) -> dict[str, Path]:
    return {"edge_certificate": made.edge(EDGE), "edge_key": made.edge_key(EDGE)}


def _certificates(folder: Path, **names: Sequence[str]) -> Certificates:
    user = User(uid=os.geteuid(), gid=os.getegid())
    certificates.ensure(folder, user=user, **names)
    return certificates.of(folder)


def _sink(held: contextlib.ExitStack) -> Wire:
    """Run a sink; return the wire that leads to it."""
    sink = urlsplit(held.enter_context(speed.sink()))
    return held.enter_context(wire.relay(sink.port or 0))


def drain(running: Sequence[Running]) -> None:
    """Return when the queues of all these are empty, of the first before the next.

    Raises:
        StackError: they are not within ``_DRAINED_WITHIN_S``.
    """
    with httpx.Client(timeout=30, trust_env=False) as http:
        for one in running:
            _until(lambda one=one: not one.queued(http), "a queue is not empty")


def _quiet(behind: Wire) -> None:
    seen, since = behind.sent, time.monotonic()

    def nothing_comes() -> bool:
        nonlocal seen, since
        if behind.sent != seen:
            seen, since = behind.sent, time.monotonic()
        return time.monotonic() - since > _QUIET_S

    _until(nothing_comes, "records still come from Kafka")


def _until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _DRAINED_WITHIN_S
    while not done():
        if time.monotonic() > end:
            raise StackError(f"{what} after {_DRAINED_WITHIN_S:.0f} s")
        time.sleep(_PAUSE_S)
