"""Kafka's brokers as plain processes: the deployed configuration and scripts on other addresses."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from glasshouse_cli.certificates import Certificates
from glasshouse_cli.images import build_java, recipe
from support import deployed, ports
from support.waiting import until

FOLDER = deployed.ROOT / "deploy" / "kafka"
BROKERS = ("kafka-1", "kafka-2", "kafka-3")
CLUSTER = "Z2xhc3Nob3VzZS10ZXN0cw"
TOPICS = {"traces": "otlp_spans", "logs": "otlp_logs", "metrics": "otlp_metrics"}
STARTED_WITHIN_S = 400
_STARTED = "Kafka Server started"
needs_java = pytest.mark.skipif(
    shutil.which("java") is None,
    reason="brokers are plain processes here: install a JRE, 17 or newer",
)


def jars() -> Path:
    """Fetch Kafka's jars, once for this checkout; each is the one that is locked."""
    kafka = recipe.load(deployed.ROOT, "kafka")
    folder = deployed.ROOT / ".glasshouse" / "kafka-of-tests" / kafka.digest()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = folder.with_name(f"{folder.name}.{os.getpid()}")
        build_java.fetch(kafka, new, folder.parent / "maven.log")
        with contextlib.suppress(OSError):  # somebody else was quicker
            new.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
    return folder


class Cluster:
    """Three brokers that can be killed and started again in their places.

    brokers: their addresses with commas, as KAFKA_BROKERS.
    """

    def __init__(self, folder: Path, made: Certificates) -> None:
        self._folder, self._made, self._jars = folder, made, jars()
        self._ports = ports.free(f"{name}:{port}" for name in BROKERS for port in (9092, 9093))
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.brokers = ",".join(f"127.0.0.1:{self._ports[f'{name}:9092']}" for name in BROKERS)
        for name in BROKERS:
            self._place(name)

    @contextlib.contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Run these brokers, all if none is named, until the end of the block."""
        try:
            self.start(*(names or BROKERS))
            yield
        finally:
            for name in tuple(self._running):
                self.kill(name)

    def start(self, *names: str) -> None:
        """Start brokers; return when each serves. A broker alone does not: two are a majority."""
        before = {name: self.log(name).count(_STARTED) for name in names}
        for name in names:
            with self._log(name).open("ab") as output:
                self._running[name] = subprocess.Popen(
                    ["bash", str(self._folder / name / "start.sh")],
                    env={**os.environ, **self._variables(name)},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

        def serve() -> tuple[bool | None, object]:
            for name in names:
                assert self._running[name].poll() is None, self.log(name)[-3000:]
            there = {name: self.log(name).count(_STARTED) > before[name] for name in names}
            return all(there.values()) or None, there

        until(serve, what=f"{', '.join(names)} serve", deadline_s=STARTED_WITHIN_S)

    def kill(self, name: str) -> None:
        """End a broker at once; what it has on disk stays."""
        popen = self._running.pop(name)
        if popen.poll() is None:
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait(60)

    def wipe(self, name: str) -> None:
        """Delete the disk of a broker that does not run."""
        assert name not in self._running
        shutil.rmtree(self._data(name))
        self._data(name).mkdir()

    def log(self, name: str) -> str:
        path = self._log(name)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def make_topics(
        self, tenants: Mapping[str, str], gateways: Sequence[str], partitions: int = 6
    ) -> str:
        """Run topics.sh; return what it says. Raises AssertionError when it fails."""
        ended = self.topics_script(tenants, gateways, partitions)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def topics_script(
        self, tenants: Mapping[str, str], gateways: Sequence[str], partitions: int = 6
    ) -> subprocess.CompletedProcess[str]:
        folder = self._admin()
        lines = [f"{name}: {tenant}\n" for name, tenant in tenants.items()]
        (folder / "tenants.yaml").write_text("".join(lines), encoding="utf-8")
        return subprocess.run(
            ["bash", str(FOLDER / "topics.sh")],
            env={
                **os.environ,
                "KAFKA_BROKERS": self.brokers,
                "KAFKA_GATEWAYS": ",".join(gateways),
                "KAFKA_FOLDER": str(folder),
                "KAFKA_LIBS": str(self._jars),
                "TOPIC_PARTITIONS": str(partitions),
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own tools as the administrator; return what it prints."""
        folder = self._admin()
        ended = subprocess.run(
            [
                *("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                f"-Dlog4j2.configurationFile={folder / 'log4j2.yaml'}",
                *("-cp", f"{self._jars}/*", f"org.apache.kafka.tools.{name}"),
                *(
                    "--bootstrap-server",
                    self.brokers,
                    "--command-config",
                    str(folder / "admin.properties"),
                ),
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def started_without(self, secret: str) -> subprocess.CompletedProcess[str]:
        """Run start.sh of a broker that does not run, without one of its files."""
        name = BROKERS[0]
        path = self._folder / name / secret
        away = path.rename(path.with_suffix(".away"))
        try:
            return subprocess.run(
                ["bash", str(self._folder / name / "start.sh")],
                env={**os.environ, **self._variables(name)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            away.rename(path)

    def _admin(self) -> Path:
        """The folder of whoever looks after the brokers."""
        folder = self._folder / "admin"
        folder.mkdir(exist_ok=True)
        shutil.copy(FOLDER / "log4j2.yaml", folder)
        self._give(folder, self._made.kafka_admin, self._made.kafka_admin_key, "kafka_admin")
        text = (FOLDER / "admin.properties").read_text(encoding="utf-8")
        (folder / "admin.properties").write_text(
            text.replace("/run/secrets", str(folder)), encoding="utf-8"
        )
        return folder

    def _place(self, name: str) -> None:
        folder = self._folder / name
        folder.mkdir(parents=True)
        self._data(name).mkdir()
        self._give(folder, self._made.broker(name), self._made.broker_key(name), "kafka")
        shutil.copy(FOLDER / "log4j2.yaml", folder)
        for file in ("server.properties", "start.sh"):
            text = (FOLDER / file).read_text(encoding="utf-8")
            (folder / file).write_text(self._adapted(text, name), encoding="utf-8")

    def _give(self, folder: Path, certificate: Path, key: Path, secret: str) -> None:
        shutil.copy(certificate, folder / f"{secret}_certificate")
        shutil.copy(key, folder / f"{secret}_key")
        shutil.copy(self._made.authority, folder / "kafka_authority")

    def _adapted(self, text: str, name: str) -> str:
        """A deployed file with the addresses and paths of a broker's place."""
        for peer in BROKERS:
            text = text.replace(f"@{peer}:9093", f"@127.0.0.1:{self._ports[f'{peer}:9093']}")
        text = text.replace("${env:KAFKA_HOST}", "127.0.0.1")
        own = {port: str(self._ports[f"{name}:{port}"]) for port in ("9092", "9093")}
        text = re.sub(
            r"(CLIENTS|CONTROLLERS)://[0-9.]*:(909[23])",
            lambda found: f"{found[1]}://127.0.0.1:{own[found[2]]}",
            text,
        )
        folder = self._folder / name
        return (
            text.replace("/run/secrets", str(folder))
            .replace("/etc/kafka", str(folder))
            .replace("/opt/kafka/libs", str(self._jars))
            .replace("/var/lib/kafka", str(self._data(name)))
        )

    def _variables(self, name: str) -> dict[str, str]:
        return {
            "KAFKA_CLUSTER_ID": CLUSTER,
            "KAFKA_NODE_ID": name.rpartition("-")[2],
            "KAFKA_HOST": "127.0.0.1",
            "KAFKA_HEAP_OPTS": "-Xms64m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        }

    def _data(self, name: str) -> Path:
        return self._folder / name / "data"

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"
