"""The Collector and the three backends as they are deployed, and nothing else of the stack."""

import contextlib
import io
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from glasshouse_cli.project import Project
from support.oddities.found import Backends, marked_letters
from support.oddities.neighbour import Neighbour
from support.oddities.rows import HTTP
from support.oddities.sending import Sender
from support.oddities.trial import Letters, Looking
from support.oddities.verdicts import Verdict
from support.ports import free
from support.stack import PROJECT_NAME, Stack, running
from support.waiting import until

NAME = f"{PROJECT_NAME}-compatibility"
# The proxy, because the backends' published ports are there.
SERVICES = ("collector", "loki", "tempo", "prometheus", "proxy")


@dataclass(frozen=True, kw_only=True)
class Harness:
    """The running components: how to send to them, and how to inspect them.

    own: the address of the Collector's own metrics. letters_folder: where it keeps its dead
    letters, in its container.
    """

    stack: Stack
    own: str
    backends: Backends
    letters_folder: str | None

    def sender(self) -> Sender:
        return Sender(
            self.stack.otlp, f"127.0.0.1:{self.stack.ports['OTLP_GRPC_PORT']}", self.stack.sender
        )

    @property
    def looking(self) -> Looking:
        return Looking(backends=self.backends, letters=self.letters)

    @property
    def container(self) -> str:
        return str(self.stack.compose.get_container("collector", include_all=True).ID)

    def inspect(self, template: str) -> str:
        """Return what the engine reports about the Collector's container."""
        command = ["docker", "inspect", "--format", template, self.container]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return answer.stdout.strip()

    def letters(self) -> Letters:
        """Return the rows among the dead letters. The image has no shell: they are copied."""
        if self.letters_folder is None:
            return {}
        command = ["docker", "cp", f"{self.container}:{self.letters_folder}", "-"]
        copied = subprocess.run(command, capture_output=True, timeout=60, check=True)
        found: dict[str, Counter[str]] = {}
        with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as archive:
            for member in archive:
                if not member.name.endswith(".jsonl"):
                    continue
                for line in archive.extractfile(member) or ():
                    for row, reason in marked_letters(line):
                        found.setdefault(row, Counter())[reason] += 1
        return found


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of every row, and the service that sent all the while."""

    verdicts: list[Verdict]
    neighbour: Neighbour


@contextlib.contextmanager
def start(project: Project, state: Path, http: httpx.Client, config: str) -> Iterator[Harness]:
    """Start the components of a checkout that records pass. ``config``: its Collector's."""
    port = free(["own"])["own"]
    # The Collector's own metrics are published for these tests only.
    override = state / "own-metrics.yml"
    ports = [f"127.0.0.1:{port}:8888"]
    override.write_text(yaml.safe_dump({"services": {"collector": {"ports": ports}}}), "utf-8")
    letters = yaml.safe_load(config)["extensions"].get("dead_letter")
    with running(project, state, name=NAME, services=SERVICES, overrides=[override]) as stack:
        # It is healthy a moment before it listens.
        with Sender(stack.otlp, "127.0.0.1:1", stack.sender) as sender:
            until(
                lambda: (sender.send("logs", b"", HTTP).accepted or None, "no answer"),
                what="the Collector takes requests",
            )
        yield Harness(
            stack=stack,
            own=f"http://127.0.0.1:{port}/metrics",
            backends=Backends(
                http=http,
                loki=stack.url("loki"),
                tempo=stack.url("tempo"),
                prometheus=stack.url("prometheus"),
            ),
            letters_folder=letters["directory"] if letters else None,
        )
