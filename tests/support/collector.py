"""The Collector in a container, as it is deployed, with an OTLP sink behind it."""

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from glasshouse.testing.containers import CollectorContainer, SinkContainer
from glasshouse.testing.containers.collector import without_redaction
from glasshouse.testing.containers.stack import BACKENDS
from glasshouse_cli.project import Project, container_user
from support import otlp

__all__ = [
    "FAMILIES",
    "LABEL",
    "Rig",
    "for_corpus",
    "in_stack",
    "refusal",
    "running",
    "without_redaction",
]

LABEL = {"dev.glasshouse.part": "tests"}
FAMILIES = Path(__file__).parents[2] / "collector" / "event_families.yaml"
# Where the deployed configuration includes it from.
FAMILIES_MOUNT = "/etc/otelcol/event_families.yaml"


@dataclass(frozen=True, kw_only=True)
class Rig(otlp.Stored):
    """A running Collector: where to send, what it counted, what it passed on.

    derived, own: addresses of the derived metrics and of its own. queue: its files on disk.
    logs: all that it has written so far.
    """

    endpoint: str
    derived: str
    own: str
    sink: SinkContainer
    queue: Path
    logs: Callable[[], str]

    def stored(self, signal: str, *, skip: int = 0) -> list[dict[str, Any]]:
        """Return every whole request the sink has written for ``signal``, but the first ones."""
        return self.sink.stored(signal, skip=skip)

    def stop_sink(self) -> None:
        """Take every backend away."""
        self.sink.halt()

    def derived_text(self) -> str:
        return httpx.get(self.derived, timeout=60).text


def for_corpus(config: str) -> str:
    """Return a configuration for the corpus: each row on each surface, as redaction leaves it.

    That is more series than one service may have, and more texts of severity than there are.
    """
    changed, count = re.subn(r"\b(per_metric|per_service|total): \d+", r"\1: 10000000", config)
    assert count == 3, "collector/config.yaml bounds series otherwise"
    document = yaml.safe_load(changed)
    document["processors"]["admission"]["logs"]["actions"] = {"severity": "keep"}
    return yaml.safe_dump(document)


@contextlib.contextmanager
def running(
    *, project: Project, image: str, secrets: Path, folder: Path, config: str
) -> Iterator[Rig]:
    """Run the Collector with ``config`` and the sink; yield when both are ready."""
    own = folder / "collector"
    user = container_user()
    container = CollectorContainer(
        image,
        config=config,
        policy=project.root / "redaction" / "rules.yaml",
        key=(secrets / "hmac_key").read_bytes(),
        families=FAMILIES,
        state=own,
        sink_folder=folder / "sink",
        labels=LABEL,
        user=f"{user.uid}:{user.gid}",
    )
    with container as collector:
        yield Rig(
            endpoint=collector.endpoint,
            derived=collector.derived_metrics,
            own=collector.own_metrics,
            sink=collector.sink,
            queue=own,
            logs=collector.written,
        )


@contextlib.contextmanager
def in_stack(
    *, image: str, project: str, folder: Path, config: str, name: str = ""
) -> Iterator[str]:
    """Run one more Collector inside a running stack; yield its OTLP/HTTP address.

    ``project``: the stack's compose project. ``name``: its host name among the backends, where one
    is needed.
    """
    user = container_user()
    container = CollectorContainer(
        image,
        config=config,
        families=FAMILIES,
        state=folder / "queue",
        backends=BACKENDS,
        network=f"{project}_published",
        labels=LABEL,
        user=f"{user.uid}:{user.gid}",
    )
    if name:
        container.with_name(name)
        container.with_env("GLASSHOUSE_HOSTS", name)
    with container as collector:
        # The engine publishes ports of the first network only, and this one has no way out.
        command = ["docker", "network", "connect", f"{project}_backends"]
        running = collector.get_wrapped_container().id
        subprocess.run([*command, str(running)], check=True, timeout=240)
        yield collector.endpoint


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
    (folder / "otlp_token").write_text("none-is-asked-for", encoding="utf-8")
    command.append("--env=OTLP_AUTH=none")
    own = {
        folder / "otlp_token": "/run/secrets/otlp_token",
        folder / "config.yaml": "/etc/otelcol/config.yaml",
        FAMILIES: FAMILIES_MOUNT,
    }
    for source, target in {**own, **mounts}.items():
        command.append(f"--volume={source}:{target}:ro")
    ended = subprocess.run(
        [*command, image, "--config=/etc/otelcol/config.yaml"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode != 0, "it has started, and stopped without an error"
    return ended.stderr.splitlines()
