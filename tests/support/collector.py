"""The Collector in a container, as it is deployed, with an OTLP sink behind it."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from glasshouse_cli.project import Project, container_user
from support import otlp
from support.waiting import until

LABEL = {"dev.glasshouse.part": "tests"}
REDACTORS = ("pii",)
FAMILIES = Path(__file__).parents[2] / "collector" / "event_families.yaml"
# Where the deployed configuration includes it from.
FAMILIES_MOUNT = "/etc/otelcol/event_families.yaml"

# Writes every request it gets, one JSON document a line.
SINK_CONFIG: dict[str, Any] = {
    "extensions": {"health_check": {"endpoint": "0.0.0.0:13133"}},
    "receivers": {"otlp": {"protocols": {"http": {"endpoint": "0.0.0.0:4318"}}}},
    "exporters": {
        "file/traces": {"path": "/sink/traces.jsonl", "flush_interval": "100ms"},
        "file/metrics": {"path": "/sink/metrics.jsonl", "flush_interval": "100ms"},
        "file/logs": {"path": "/sink/logs.jsonl", "flush_interval": "100ms"},
    },
    "service": {
        "extensions": ["health_check"],
        "pipelines": {
            name: {"receivers": ["otlp"], "exporters": [f"file/{name}"]}
            for name in ("traces", "metrics", "logs")
        },
    },
}


def without_redaction(config: str) -> str:
    """Return the Collector's configuration with redaction taken out of every pipeline."""
    document = yaml.safe_load(config)
    for pipeline in document["service"]["pipelines"].values():
        kept = [name for name in pipeline.get("processors", []) if name not in REDACTORS]
        pipeline["processors"] = kept
    for name in REDACTORS:
        del document["processors"][name]
    return yaml.safe_dump(document, sort_keys=False)


@dataclass(frozen=True, kw_only=True)
class Rig(otlp.Stored):
    """A running Collector: where to send, what it counted, what it passed on.

    derived, own: addresses of the derived metrics and of its own. queue: its files on disk.
    logs: all that it has written so far. stop_sink: takes every backend away.
    """

    endpoint: str
    derived: str
    own: str
    sink: Path
    queue: Path
    logs: Callable[[], str]
    stop_sink: Callable[[], None]

    def stored(self, signal: str, *, skip: int = 0) -> list[dict[str, Any]]:
        """Return every whole request the sink has written for ``signal``, but the first ones."""
        path = self.sink / f"{signal}.jsonl"
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[skip:-1]]

    def derived_text(self) -> str:
        return httpx.get(self.derived, timeout=30).text


@contextlib.contextmanager
def running(
    *, project: Project, image: str, secrets: Path, folder: Path, config: str
) -> Iterator[Rig]:
    """Run the Collector with ``config`` and the sink; yield when both are ready."""
    user = container_user()
    sink, own = folder / "sink", folder / "collector"
    for path in (sink, own):
        path.mkdir(parents=True)
        path.chmod(0o777)  # the containers' user is another one
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    (folder / "sink.yaml").write_text(yaml.safe_dump(SINK_CONFIG), encoding="utf-8")
    key = secrets / "hmac_key"
    policy = project.root / "redaction" / "rules.yaml"
    with Network() as network, contextlib.ExitStack() as stack:
        base = {"user": f"{user.uid}:{user.gid}", "read_only": True, "labels": LABEL}
        receiver = (
            DockerContainer(image, **base)
            .with_command("--config=/etc/otelcol/sink.yaml")
            .with_volume_mapping(str(folder / "sink.yaml"), "/etc/otelcol/sink.yaml", "ro")
            .with_volume_mapping(str(sink), "/sink", "rw")
            .with_network(network)
            .with_network_aliases("sink")
            .with_exposed_ports(13133)
        )
        stack.enter_context(receiver)
        collector = (
            DockerContainer(image, **base)
            .with_command("--config=/etc/otelcol/config.yaml")
            .with_volume_mapping(str(folder / "config.yaml"), "/etc/otelcol/config.yaml", "ro")
            .with_volume_mapping(str(FAMILIES), FAMILIES_MOUNT, "ro")
            .with_volume_mapping(str(policy), "/etc/otelcol/rules.yaml", "ro")
            .with_volume_mapping(str(key), "/run/secrets/hmac_key", "ro")
            .with_volume_mapping(str(own), "/var/lib/otelcol", "rw")
            .with_env("TEMPO_ENDPOINT", "http://sink:4318")
            .with_env("LOKI_ENDPOINT", "http://sink:4318")
            .with_env("PROMETHEUS_ENDPOINT", "http://sink:4318")
            .with_network(network)
            .with_exposed_ports(4318, 8888, 8889, 13133)
        )
        stack.enter_context(collector)
        for container in (receiver, collector):
            _wait_ready(container)
        yield Rig(
            endpoint=_url(collector, 4318),
            derived=_url(collector, 8889) + "/metrics",
            own=_url(collector, 8888) + "/metrics",
            sink=sink,
            queue=own,
            logs=lambda: b"".join(collector.get_logs()).decode(errors="replace"),
            stop_sink=lambda: receiver.get_wrapped_container().stop(timeout=1),
        )


def _url(container: DockerContainer, port: int) -> str:
    return f"http://127.0.0.1:{container.get_exposed_port(port)}"


def _wait_ready(container: DockerContainer) -> None:
    def probe() -> tuple[bool | None, object]:
        try:
            answer = httpx.get(_url(container, 13133), timeout=10)
        except (httpx.HTTPError, ConnectionError) as error:
            return None, (repr(error), container.get_logs()[1][-2000:])
        return (True if answer.status_code == 200 else None), answer.text

    until(probe, what="the Collector is ready", deadline_s=60)


@contextlib.contextmanager
def in_stack(
    *, image: str, network: str, folder: Path, config: str, name: str = ""
) -> Iterator[str]:
    """Run one more Collector inside a running stack; yield its OTLP/HTTP address.

    ``name`` is its host name in ``network``, where one is needed.
    """
    user = container_user()
    queue = folder / "queue"
    queue.mkdir()
    queue.chmod(0o777)  # the container's user is another one
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    container = (
        DockerContainer(
            image,
            user=f"{user.uid}:{user.gid}",
            read_only=True,
            labels=LABEL,
        )
        .with_kwargs(network=network)
        .with_command("--config=/etc/otelcol/config.yaml")
        .with_volume_mapping(str(folder / "config.yaml"), "/etc/otelcol/config.yaml", "ro")
        .with_volume_mapping(str(FAMILIES), FAMILIES_MOUNT, "ro")
        .with_volume_mapping(str(queue), "/var/lib/otelcol", "rw")
        .with_env("TEMPO_ENDPOINT", "http://tempo:4318")
        .with_env("LOKI_ENDPOINT", "http://loki:3100/otlp")
        .with_env("PROMETHEUS_ENDPOINT", "http://prometheus:9090/api/v1/otlp")
        .with_exposed_ports(4318, 13133)
    )
    if name:
        container.with_name(name)
    with container:
        _wait_ready(container)
        yield _url(container, 4318)


def refusal(*, image: str, config: str, folder: Path, mounts: Mapping[Path, str]) -> list[str]:
    """Start a Collector that cannot start; return the lines of error it ends with.

    ``mounts``: the files it gets beside its configuration and families, with their place in the
    container.
    """
    user = container_user()
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    command = ["docker", "run", "--rm", "--read-only", f"--user={user.uid}:{user.gid}"]
    command += ["--label=dev.glasshouse.part=tests", "--tmpfs=/var/lib/otelcol:mode=1777"]
    for name in ("TEMPO", "LOKI", "PROMETHEUS"):
        command.append(f"--env={name}_ENDPOINT=http://127.0.0.1:1")
    own = {folder / "config.yaml": "/etc/otelcol/config.yaml", FAMILIES: FAMILIES_MOUNT}
    for source, target in {**own, **mounts}.items():
        command.append(f"--volume={source}:{target}:ro")
    ended = subprocess.run(
        [*command, image, "--config=/etc/otelcol/config.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0, "it has started, and stopped without an error"
    return ended.stderr.splitlines()
