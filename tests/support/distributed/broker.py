"""Kafka for Tempo: one broker without TLS, as a plain program."""

import base64
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import ports
from support.distributed import jars
from support.distributed.group import Program
from support.waiting import until

TOPIC: Final = "tempo-ingest"
_SETTINGS: Final = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""
_LOGGING: Final = """
Configuration:
  status: ERROR
  Appenders: { Console: { name: out, PatternLayout: { pattern: "%p %m (%c)%n" } } }
  Loggers: { Root: { level: WARN, AppenderRef: [{ ref: out }] } }
"""
_DONE_WITHIN_S: Final = 300


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A broker that can be killed. address: host and port for clients."""

    program: Program
    address: str
    libs: Path

    def start(self) -> None:
        """Start it, wait, and make Tempo's topic with one partition when it is missing."""
        self.program.launch()

        def listed() -> tuple[str | None, object]:
            popen = self.program.popen
            assert popen is not None
            assert popen.poll() is None, self.program.log()[-3000:]
            done = self._topics("--create", "--if-not-exists", "--topic", TOPIC, "--partitions=1")
            return (done.stdout if done.returncode == 0 else None), done.stderr[-500:]

        until(listed, what="the broker has Tempo's topic", deadline_s=_DONE_WITHIN_S)

    def empty(self) -> None:
        """Delete what Tempo's topic holds: nothing can be read again."""
        partition = {"topic": TOPIC, "partition": 0, "offset": -1}
        file = self.program.folder / "delete.json"
        file.write_text(json.dumps({"partitions": [partition], "version": 1}), encoding="utf-8")
        done = self._tool("DeleteRecordsCommand", "--offset-json-file", str(file))
        assert done.returncode == 0, done.stdout + done.stderr

    def _topics(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self._tool("TopicCommand", *arguments)

    def _tool(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                *_java(self.libs),
                f"org.apache.kafka.tools.{name}",
                "--bootstrap-server",
                self.address,
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=_DONE_WITHIN_S,
            check=False,
        )


def broker(folder: Path) -> Broker:
    """Prepare a broker with an empty log; it is not started."""
    libs = jars.kafka()
    chosen = ports.free(["broker", "controller"])
    data = folder / "data"
    data.mkdir(parents=True)
    settings = folder / "server.properties"
    settings.write_text(_SETTINGS.format(**chosen, data=data), encoding="utf-8")
    logging = folder / "log4j2.yaml"
    logging.write_text(_LOGGING, encoding="utf-8")
    cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
    storage = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster]
    done = subprocess.run(
        [*_java(libs), *storage, "-c", str(settings)],
        capture_output=True,
        text=True,
        timeout=_DONE_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    address = f"127.0.0.1:{chosen['broker']}"
    program = Program(
        name="kafka",
        folder=folder,
        command=[*_java(libs, logging), "kafka.Kafka", str(settings)],
        ready=f"http://{address}/",
    )
    return Broker(program=program, address=address, libs=libs)


def _java(libs: Path, logging: Path | None = None) -> list[str]:
    java = shutil.which("java")
    assert java, "java is missing: install a JRE (Debian: openjdk-17-jre-headless)"
    # Little memory, and no second compiler: it runs for minutes.
    options = ["-Xmx512m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    if logging:
        options.append(f"-Dlog4j2.configurationFile={logging}")
    return [java, *options, "-cp", f"{libs}/*"]
