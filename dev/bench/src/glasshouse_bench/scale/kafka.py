"""Three brokers of Kafka as plain processes, with the files of deploy/kafka."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from glasshouse_bench import children
from glasshouse_cli.certificates import Certificates
from glasshouse_cli.errors import StackError
from glasshouse_cli.images import build_java, recipe

BROKERS = ("kafka-1", "kafka-2", "kafka-3")
# Until Java has compiled what runs often.
WARM_REQUESTS = 60
PARTITIONS = 12
_FOLDER = Path("deploy") / "kafka"
_CLUSTER = "Z2xhc3Nob3VzZS1iZW5jaA"
# As deployed, on one core.
_HEAP = "-Xms256m -Xmx512m -XX:ActiveProcessorCount=1"
_STARTED = "Kafka Server started"
# Three that start at once on two cores do not find each other within the default, a minute.
_PATIENT = "initial.broker.registration.timeout.ms=600000\n"
_READY_S = 600.0
_TOPICS_S = 600.0
_PORTS = ("9092", "9093")
_ADDRESS = re.compile(r"(CLIENTS|CONTROLLERS)://(\$\{[^}\n]*\}|[^:\n]*):(9092|9093)")


def fetch(root: Path, folder: Path) -> Path:
    """Fetch Kafka's jars, each the one that is locked; return their folder.

    Raises:
        StackError: Maven or Java is missing, or fails.
    """
    if shutil.which("java") is None:
        raise StackError("java is missing: Kafka's brokers need it, 17 or newer")
    build_java.fetch(recipe.load(root, "kafka"), folder / "jars", folder / "maven.log")
    return folder / "jars"


class Cluster:
    """The brokers. brokers: their addresses with commas. sent: bytes that all have stored."""

    def __init__(self, root: Path, folder: Path, made: Certificates, jars: Path) -> None:
        self._root, self._folder, self._made, self._jars = root, folder, made, jars
        self._ports = {(name, port): children.free_port() for name in BROKERS for port in _PORTS}
        self._children: list[subprocess.Popen[bytes]] = []
        self.brokers = ",".join(f"127.0.0.1:{self._ports[name, '9092']}" for name in BROKERS)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(one.pid for one in self._children)

    @property
    def sent(self) -> int:
        """Bytes of records on all disks; the files beside them are made in advance."""
        return sum(
            segment.stat().st_size
            for name in BROKERS
            for segment in (self._folder / name / "data").glob("data/otlp_*/*.log")
        )

    def place(self) -> None:
        """Write what each starts with: its files of deploy/kafka, at addresses of its own."""
        for name in BROKERS:
            self._place(name)

    def start(self) -> None:
        """Start them; return when each serves. Raises StackError when one does not."""
        self.place()
        for number, name in enumerate(BROKERS, 1):
            variables = {
                "KAFKA_CLUSTER_ID": _CLUSTER,
                "KAFKA_NODE_ID": str(number),
                "KAFKA_HOST": "127.0.0.1",
                "KAFKA_HEAP_OPTS": _HEAP,
            }
            with self._log(name).open("wb") as output:
                self._children.append(
                    subprocess.Popen(  # noqa: S603  # our own command
                        ["bash", self._folder / name / "start.sh"],  # noqa: S607
                        env={**os.environ, **variables},
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                )
        end = time.monotonic() + _READY_S
        for name, child in zip(BROKERS, self._children, strict=True):
            while _STARTED not in (text := self._log(name).read_text(errors="replace")):
                if child.poll() is not None or time.monotonic() > end:
                    lines = text.strip().splitlines()
                    faults = [one for one in lines if " ERROR " in one or " FATAL " in one]
                    raise StackError(f"{name} does not start: {(faults or lines)[-1:]}")
                time.sleep(0.2)

    def stop(self) -> None:
        """End them at once: what they hold is not needed."""
        for child in self._children:
            child.send_signal(signal.SIGKILL)
        for child in self._children:
            child.wait()

    def make_topics(self, tenants: Mapping[str, str], gateway: str) -> None:
        """Make topics and permissions, as deploy/kafka/topics.sh does. Raises StackError."""
        folder = self._folder / "admin"
        folder.mkdir()
        self._give(folder, self._made.kafka_admin, self._made.kafka_admin_key, "kafka_admin")
        lines = "".join(f"{name}: {tenant}\n" for name, tenant in tenants.items())
        (folder / "tenants.yaml").write_text(lines, encoding="utf-8")
        self._copy("admin.properties", folder, {"/run/secrets": str(folder)})
        variables = {
            "KAFKA_BROKERS": self.brokers,
            "KAFKA_GATEWAYS": gateway,
            "KAFKA_FOLDER": str(folder),
            "KAFKA_LIBS": str(self._jars),
            "TOPIC_PARTITIONS": str(PARTITIONS),
        }
        done = subprocess.run(  # noqa: S603  # our own command
            ["bash", self._root / _FOLDER / "topics.sh"],  # noqa: S607
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=_TOPICS_S,
            check=False,
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise StackError(f"the topics cannot be made: {last}")

    def _place(self, name: str) -> None:
        folder = self._folder / name
        (folder / "data").mkdir(parents=True)
        self._give(folder, self._made.broker(name), self._made.broker_key(name), "kafka")
        paths = {
            "/run/secrets": str(folder),
            "/etc/kafka": str(folder),
            "/opt/kafka/libs": str(self._jars),
            "/var/lib/kafka": str(folder / "data"),
        }
        for peer in BROKERS:
            paths[f"@{peer}:9093"] = f"@127.0.0.1:{self._ports[peer, '9093']}"
        for file in ("server.properties", "start.sh"):
            self._copy(file, folder, paths)
        properties = folder / "server.properties"
        text = _ADDRESS.sub(
            lambda found: f"{found[1]}://{found[2] or '127.0.0.1'}:{self._ports[name, found[3]]}",
            properties.read_text(encoding="utf-8"),
        )
        properties.write_text(f"{text}\n{_PATIENT}", encoding="utf-8")

    def _copy(self, file: str, folder: Path, replaced: Mapping[str, str]) -> None:
        text = (self._root / _FOLDER / file).read_text(encoding="utf-8")
        for deployed, here in replaced.items():
            text = text.replace(deployed, here)
        (folder / file).write_text(text, encoding="utf-8")

    def _give(self, folder: Path, certificate: Path, key: Path, secret: str) -> None:
        shutil.copy(certificate, folder / f"{secret}_certificate")
        shutil.copy(key, folder / f"{secret}_key")
        shutil.copy(self._made.authority, folder / "kafka_authority")
        shutil.copy(self._root / _FOLDER / "log4j2.yaml", folder)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@contextlib.contextmanager
def running(root: Path, folder: Path, made: Certificates, jars: Path) -> Iterator[Cluster]:
    """Run three brokers until the end of the block. Raises StackError when one does not start."""
    cluster = Cluster(root, folder, made, jars)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
