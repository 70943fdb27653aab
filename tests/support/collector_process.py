"""The Collector as a plain process, with the deployed configuration on other addresses."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from support import deployed, ports
from support.waiting import until

BACKENDS = ("TEMPO_ENDPOINT", "LOKI_ENDPOINT", "PROMETHEUS_ENDPOINT")
KEY = "glasshouse-test-key-0123456789abcdef"
TOKEN = "glasshouse-test-token-0123456789abcdef"
BUILT_WITHIN_S = 580  # without anything in Go's build cache; else a second
STARTED_WITHIN_S = 240
_LISTENER = re.compile(r"^0\.0\.0\.0:(\d+)$")
_GRPC, _OTLP, _DERIVED, _HEALTH = "4317", "4318", "8889", "13133"


def build(folder: Path) -> Path:
    """Compile the Collector into ``folder``, as its image does."""
    program = folder / "otelcol"
    command = ["go", "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(program)]
    built = subprocess.run(
        [*command, "."],
        cwd=deployed.ROOT / "collector" / "distribution",
        env=environment(CGO_ENABLED="0"),
        capture_output=True,
        text=True,
        timeout=BUILT_WITHIN_S,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return program


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, **changes}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a Collector runs. ports: the free ones, by those of the deployed configuration.

    Its storage outlives it: the next Collector in the same folder goes on where it ended.
    """

    folder: Path
    ports: Mapping[str, int]

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    def adapted(self, config: str) -> str:
        """Return a configuration with its addresses and paths changed to those of this place."""
        return yaml.safe_dump(self._adapted(yaml.safe_load(config)), sort_keys=False)

    def _adapted(self, value: Any) -> Any:
        match value:
            case {"host": "0.0.0.0", "port": port, **others}:  # noqa: S104 (what is replaced)
                return {**others, "host": "127.0.0.1", "port": self.ports[str(port)]}
            case dict():
                return {key: self._adapted(item) for key, item in value.items()}
            case list():
                return [self._adapted(item) for item in value]
            case str() if listener := _LISTENER.match(value):
                return f"127.0.0.1:{self.ports[listener[1]]}"
            case str():
                value = value.replace("/var/lib/otelcol", str(self.folder / "storage"))
                value = value.replace("/run/secrets/", f"{self.folder}/")
                return re.sub(
                    re.escape(deployed.FOLDER) + r"[^\s}]+",
                    lambda found: str(deployed.file_of(found[0])),
                    value,
                )
            case _:
                return value


def place(folder: Path, config: str) -> Place:
    """Choose free ports for each listener of a configuration, and prepare its files."""
    listeners = set(re.findall(r"0\.0\.0\.0:(\d+)|port: (\d+)", config))
    made = Place(folder=folder, ports=ports.free({one or other for one, other in listeners}))
    (folder / "storage" / "dead_letter").mkdir(parents=True)
    (folder / "hmac_key").write_text(KEY, encoding="utf-8")
    (folder / "otlp_token").write_text(TOKEN, encoding="utf-8")
    return made


@dataclass(frozen=True, kw_only=True)
class Collector:
    """A running Collector. log: the file it writes to.

    otlp, grpc: where to send; empty where it reads by itself. derived: where counts are exposed;
    empty where they are pushed.
    """

    otlp: str
    grpc: str
    derived: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def sender(self) -> dict[str, str]:
        """Headers of a service that may send."""
        return {"Authorization": f"Bearer {TOKEN}"}

    def counts(self, name: str) -> dict[str, float]:
        """Return the series of a derived metric that are not zero, by their labels as text."""
        text = httpx.get(f"{self.derived}/metrics", timeout=60, trust_env=False).text
        found = re.findall(rf"^{name}\{{(.*)\}} (\S+)", text, re.MULTILINE)
        return {labels: float(number) for labels, number in found if float(number)}

    def stop(self, within_s: float) -> int:
        """Ask it to end; return its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(within_s)


def _command(program: Path, *arguments: str, at: Place, configs: Sequence[str]) -> list[str]:
    given: list[str] = []
    for number, config in enumerate(configs):
        path = at.folder / f"config-{number}.yaml"
        path.write_text(at.adapted(config), encoding="utf-8")
        given.append(f"--config={path}")
    return [str(program), *arguments, *given]


@contextlib.contextmanager
def running(
    program: Path, at: Place, *configs: str, sink: str, auth: str = "token", **variables: str
) -> Iterator[Collector]:
    """Run a Collector that sends everything to ``sink``; yield when it is healthy.

    configs: each is laid over those before it. auth: what it asks senders for, as OTLP_AUTH.
    variables: further ones of its environment.
    """
    log = at.folder / "log"
    with log.open("ab") as output:
        popen = subprocess.Popen(
            _command(program, at=at, configs=configs),
            env=environment(**{**dict.fromkeys(BACKENDS, sink), "OTLP_AUTH": auth, **variables}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def healthy() -> tuple[bool | None, object]:
        assert popen.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        try:
            answer = httpx.get(at.url(_HEALTH), timeout=10, trust_env=False)
        except httpx.HTTPError as error:
            return None, repr(error)
        return answer.is_success or None, answer.text

    try:
        until(healthy, what="the Collector is healthy", deadline_s=STARTED_WITHIN_S)
        yield Collector(
            otlp=at.url(_OTLP) if _OTLP in at.ports else "",
            grpc=f"127.0.0.1:{at.ports[_GRPC]}" if _GRPC in at.ports else "",
            derived=at.url(_DERIVED) if _DERIVED in at.ports else "",
            popen=popen,
            log=log,
        )
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()


def ended(program: Path, at: Place, *configs: str, sink: str, **variables: str) -> tuple[int, str]:
    """Run a Collector that does not start; return its exit code, and what it says."""
    ended = subprocess.run(
        _command(program, at=at, configs=configs),
        env=environment(**dict.fromkeys(BACKENDS, sink), OTLP_AUTH="token", **variables),
        capture_output=True,
        text=True,
        timeout=STARTED_WITHIN_S,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def validate(program: Path, at: Place, config: str) -> tuple[int, str]:
    """Return the exit code of ``validate``, and what it says."""
    ended = subprocess.run(
        _command(program, "validate", at=at, configs=[config]),
        env=environment(**dict.fromkeys(BACKENDS, "http://127.0.0.1:1")),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr
