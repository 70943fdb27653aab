"""Loki, Tempo and Prometheus, each as one process, with the configuration that is deployed."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from glasshouse_bench import children, speed
from glasshouse_bench.scale.point import Target
from glasshouse_cli.errors import StackError

_READY_S = 240.0
_ENDS_WITHIN_S = 120.0
_RETENTION = "336h"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a backend is started. ready, otlp: paths behind its address, but for Tempo's own port."""

    command: list[str]
    url: str
    ready: str
    otlp: str


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A running one. target: what is measured. url: where it is asked. folder: what it stores."""

    target: Target
    url: str
    folder: Path


def loki(root: Path, program: Path, work: Path, sink: str) -> Plan:
    """Prepare Loki as docker-compose.yml starts it."""
    del sink
    text = (root / "loki" / "loki.yaml").read_text(encoding="utf-8")
    http, grpc = children.free_port(), children.free_port()
    text = text.replace("/var/lib/loki", str(work / "data"))
    document = yaml.safe_load(text.replace("127.0.0.1:9095", f"127.0.0.1:{grpc}"))
    document["server"] |= {
        "http_listen_address": "127.0.0.1",
        "http_listen_port": http,
        "grpc_listen_port": grpc,
    }
    # Of a process that other work keeps waiting, its own parts lose sight; it costs nothing.
    document["common"]["ring"]["heartbeat_timeout"] = "10m"
    document["ingester_client"] = {"remote_timeout": "60s"}
    options = [f"-store.retention={_RETENTION}", f"-querier.max-query-lookback={_RETENTION}"]
    command = [str(program), f"-config.file={_written(work, document)}", *options]
    url = f"http://127.0.0.1:{http}"
    return Plan(command=command, url=url, ready="/ready", otlp=f"{url}/otlp")


def tempo(root: Path, program: Path, work: Path, sink: str) -> Plan:
    """Prepare Tempo as docker-compose.yml starts it; its service graph goes to ``sink``."""
    text = (root / "tempo" / "tempo.yaml").read_text(encoding="utf-8")
    http, grpc, otlp, gossip = (children.free_port() for _ in range(4))
    document = yaml.safe_load(text.replace("/var/tempo", str(work / "data")))
    document["server"] |= {
        "http_listen_address": "127.0.0.1",
        "http_listen_port": http,
        "grpc_listen_port": grpc,
    }
    protocols = document["distributor"]["receivers"]["otlp"]["protocols"]
    protocols["http"]["endpoint"] = f"127.0.0.1:{otlp}"
    document["memberlist"] = {"bind_addr": ["127.0.0.1"], "bind_port": gossip}
    for one in document["metrics_generator"]["storage"]["remote_write"]:
        one["url"] = sink
    # Paths that the deployed file leaves to Tempo's defaults.
    document["live_store"] |= {
        "wal": {"path": str(work / "data" / "live-store" / "traces")},
        "shutdown_marker_dir": str(work / "data" / "live-store" / "shutdown-marker"),
    }
    document["block_builder"] = {"wal": {"path": str(work / "data" / "block-builder" / "traces")}}
    document["backend_scheduler"] = {"local_work_path": str(work / "data" / "scheduler")}
    command = [str(program), f"-config.file={_written(work, document)}"]
    url = f"http://127.0.0.1:{http}"
    return Plan(command=command, url=url, ready="/ready", otlp=f"http://127.0.0.1:{otlp}")


def prometheus(root: Path, program: Path, work: Path, sink: str) -> Plan:
    """Prepare Prometheus as docker-compose.yml starts it, without scrapes and rules."""
    del sink
    given = yaml.safe_load((root / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))
    document = {name: given[name] for name in ("otlp", "storage")}
    compose = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    # Those that change what it does with a sample.
    features = [
        one
        for one in compose["services"]["prometheus"]["command"]
        if one.startswith(("--enable-feature", "--web.enable-otlp"))
    ]
    port = children.free_port()
    command = [
        str(program),
        f"--config.file={_written(work, document)}",
        f"--storage.tsdb.path={work / 'data'}",
        "--storage.tsdb.retention.time=35d",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-admin-api",  # writes out what is in memory, to be measured
        "--log.level=error",
        *features,
    ]
    url = f"http://127.0.0.1:{port}"
    return Plan(command=command, url=url, ready="/-/ready", otlp=f"{url}/api/v1/otlp")


PREPARE: dict[str, Callable[[Path, Path, Path, str], Plan]] = {
    "loki": loki,
    "tempo": tempo,
    "prometheus": prometheus,
}


@contextlib.contextmanager
def running(root: Path, name: str, program: Path) -> Iterator[Backend]:
    """Run a backend until the end of the block.

    Raises:
        StackError: it does not start.
    """
    with speed.work_folder() as work, speed.sink() as sink:
        plan = PREPARE[name](root, program, work, sink)
        with started(plan, work / "log") as pid:
            target = Target(otlp=plan.otlp, processes={name: (pid,)})
            yield Backend(target=target, url=plan.url, folder=work / "data")


@contextlib.contextmanager
def started(plan: Plan, log: Path) -> Iterator[int]:
    """Run a plan; yield its process once it is ready. It has written all out after the block.

    Raises:
        StackError: it does not start.
    """
    with log.open("wb") as output:
        # As many cores as each has in the stack.
        child = subprocess.Popen(  # noqa: S603  # our own command
            plan.command,
            env={**os.environ, "GOMAXPROCS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
    try:
        _wait(plan, child, log)
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(plan: Plan, child: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _READY_S
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{plan.url}{plan.ready}", timeout=5, trust_env=False).is_success:
                return
        if child.poll() is not None or time.monotonic() > end:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise StackError(f"{shlex.join(plan.command[:1])} does not start: {last}")
        time.sleep(0.1)


def _written(work: Path, document: Any) -> Path:
    (work / "data").mkdir(exist_ok=True)
    path = work / "config.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def bytes_below(folder: Path) -> int:
    """Return how much stands in the files below a folder."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
