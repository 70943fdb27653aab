"""The deployed Collector as a plain process, and three backends behind it."""

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from support import collector_process, deployed, otlp_sink
from support.backends import attribute
from support.chaos import marked
from support.chaos.ledger import Arrival, Ledger, Money, Verdict
from support.chaos.load import CURRENCY, ID
from support.collector_process import Place
from support.otlp_sink import Fault, Request, Sink
from support.waiting import until

BACKENDS = ("tempo", "loki", "prometheus")
# Of each signal of the load: where it is stored, and in which requests.
STORED = {"logs": "loki", "events": "loki", "traces": "tempo", "metrics": "prometheus"}
PATHS = {"loki": "logs", "tempo": "traces", "prometheus": "metrics"}
# A backend that is back is noticed within 10 s: when nothing came for longer, nothing will.
QUIET_S = 12.0
STOPPED_WITHIN_S = 15.0  # docker-compose.yml: stop_grace_period


def hang(_: Request) -> Fault:
    """Take a request, and never answer."""
    return Fault()


def slow(delay_s: float) -> Callable[[Request], int]:
    """Answer after a while."""

    def answer(_: Request) -> int:
        time.sleep(delay_s)
        return 200

    return answer


@dataclass(kw_only=True)
class Rig:
    """A Collector that can be ended and started, and sinks that can go, hang and be slow.

    ledger: of all that is sent to it. wrapped: what is put before the Collector's command.
    noted: figures of the fault itself. may_be_lost: the ids that stood on damaged pages; None
    when nothing was damaged.
    """

    program: Path
    at: Place
    config: str
    sinks: dict[str, Sink]
    ledger: Ledger = field(default_factory=Ledger)
    wrapped: tuple[str, ...] = ()
    popen: subprocess.Popen[bytes] | None = None
    starts: int = 0
    noted: dict[str, float] = field(default_factory=dict[str, float])
    may_be_lost: set[str] | None = None
    _decoded: dict[int, tuple[Request, list[dict[str, Any]]]] = field(
        default_factory=dict[int, Any]
    )

    @property
    def otlp(self) -> str:
        return self.at.url("4318")

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.at.ports['4317']}"

    @property
    def sender(self) -> dict[str, str]:
        """Headers of a service that may send."""
        return {"Authorization": f"Bearer {collector_process.TOKEN}"}

    @property
    def storage(self) -> Path:
        return self.at.folder / "storage"

    @property
    def log(self) -> str:
        return (self.at.folder / "log").read_text(encoding="utf-8", errors="replace")

    def start(self, *, wait: bool = True) -> None:
        """Start the Collector; ``wait`` until it is healthy."""
        path = self.at.folder / "config.yaml"
        path.write_text(self.at.adapted(self.config), encoding="utf-8")
        addresses = {f"{name.upper()}_ENDPOINT": sink.url for name, sink in self.sinks.items()}
        with (self.at.folder / "log").open("ab") as output:
            self.popen = subprocess.Popen(
                [*self.wrapped, str(self.program), f"--config={path}"],
                env=collector_process.environment(**addresses),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.starts += 1
        if wait:
            self.wait_healthy()

    def wait_healthy(self) -> None:
        def probe() -> tuple[bool | None, object]:
            assert self.popen is not None
            assert self.popen.poll() is None, self.log[-4000:]
            try:
                answer = httpx.get(self.at.url("13133"), timeout=60, trust_env=False)
            except httpx.HTTPError as error:
                return None, repr(error)
            return answer.is_success or None, answer.text

        until(probe, what="the Collector is healthy")

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(STOPPED_WITHIN_S)

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.popen is not None
        self.popen.kill()
        self.popen.wait()

    def end(self) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.kill()

    def own_metric(self, name: str) -> dict[str, float]:
        """Return the series of one of the Collector's own metrics, by their labels as text."""
        text = httpx.get(self.at.url("8888") + "/metrics", timeout=60, trust_env=False).text
        found: dict[str, float] = {}
        for line in text.splitlines():
            if line.startswith((f"{name}{{", f"{name} ")):
                labels, _, number = line.rpartition(" ")
                found[labels.removeprefix(name)] = float(number)
        return found

    def counted(self) -> dict[str, float]:
        """Return how many of the load's events are counted, and their amount."""
        text = httpx.get(self.at.url("8889") + "/metrics", timeout=60, trust_env=False).text
        found = {"events": 0.0, "amount": 0.0}
        names = {"payments_total": "events", "payments_amount_total": "amount"}
        for line in text.splitlines():
            name, _, rest = line.partition("{")
            if name in names and f'currency="{CURRENCY}"' in rest:
                # The labels, the number, and maybe an exemplar behind it.
                found[names[name]] += float(rest.partition("} ")[2].split(" ")[0])
        return found

    def arrivals(self, signal: str) -> list[Arrival]:
        """Return the deliveries of a signal of the load."""
        sink = self.sinks[STORED[signal]]
        found: list[Arrival] = []
        for request in tuple(sink.requests):
            for item in self._items(request):
                id = attribute(item, ID) or attribute(item, marked.TRANSACTION)
                if id and signal == "metrics":
                    id = f"{id}-{item['asDouble']:.0f}"
                if id:
                    found.append(Arrival(id=id, at=request.at, same=repr(item)))
        return found

    def _items(self, request: Request) -> list[dict[str, Any]]:
        """Return the records of a request that have an id, in OTLP's JSON form."""
        if id(request) not in self._decoded:
            kind = request.path.rpartition("/")[2]
            self._decoded[id(request)] = (request, marked.records(kind, request.body))
        return self._decoded[id(request)][1]

    def storage_pid(self) -> int:
        """Return a process that sees the storage's own file system."""
        assert self.popen is not None
        return self.popen.pid

    def reported(self) -> dict[str, float]:
        """Return what the Collector itself says of files that were damaged."""
        names = {
            "set_aside": "otelcol_extension_durable_storage_set_aside",
            "lost_requests": "otelcol_extension_durable_storage_lost_total",
        }
        return {key: sum(self.own_metric(name).values()) for key, name in names.items()}

    def verdicts(
        self, ledger: Ledger, *, within_s: float = 60, expect_loss: bool = False
    ) -> tuple[list[Verdict], Money]:
        """Wait until everything accepted has arrived, or for so long; return the counts.

        expect_loss: what is missing may never come, so wait until nothing more does.
        """

        def verdicts() -> list[Verdict]:
            return [ledger.verdict(one, self.arrivals(one)) for one in ledger.sent]

        def money() -> Money:
            return ledger.money(self.counted())

        end = time.monotonic() + within_s
        before, since = -1, time.monotonic()
        while time.monotonic() < end:
            found = verdicts()
            if not any(one.lost for one in found) and money().is_exact:
                break
            stored = sum(one.stored for one in found)
            if stored != before:
                before, since = stored, time.monotonic()
            if expect_loss and time.monotonic() - since > QUIET_S:
                break
            time.sleep(0.2)
        return verdicts(), money()


def config(
    *, queue_bytes: int | None = None, in_flight_mib: int | None = None, storage: str | None = None
) -> str:
    """Return the deployed configuration, its queues of another size or in another storage.

    in_flight_mib: what all requests in flight may have of memory, and one of them.
    """
    document = yaml.safe_load(deployed.CONFIG.read_text(encoding="utf-8"))
    for exporter in deployed.queued_exporters(document).values():
        queue = exporter["sending_queue"]
        queue["queue_size"] = queue_bytes or queue["queue_size"]
        queue["storage"] = storage or queue["storage"]
    if in_flight_mib:
        bounds = {"max_in_flight_mib": in_flight_mib, "max_decoded_mib": in_flight_mib}
        document["extensions"]["otlp_limits"] |= bounds
    return yaml.safe_dump(document, sort_keys=False)


@contextlib.contextmanager
def running(
    program: Path, folder: Path, text: str, *, disk_mib: int | None = None
) -> Iterator[Rig]:
    """Yield a started Collector before three sinks.

    disk_mib: gives its queues a disk of their own, so large.
    """
    with contextlib.ExitStack() as opened:
        sinks = {name: opened.enter_context(otlp_sink.running()) for name in BACKENDS}
        at = collector_process.place(folder, text)
        wrapped = () if disk_mib is None else on_small_disk(folder / "storage", disk_mib)
        rig = Rig(program=program, at=at, config=text, sinks=sinks, wrapped=wrapped)
        try:
            rig.start()
            yield rig
        finally:
            rig.end()


def queue_file(rig: Rig, backend: str) -> Path:
    """Return the file of a backend's queue."""
    [found] = [
        path
        for path in rig.storage.iterdir()
        if path.is_file() and path.name.startswith(f"exporter_otlp_bisect_{backend}_")
    ]
    return found


def on_small_disk(storage: Path, mib: int) -> tuple[str, ...]:
    """Return what runs a command with a file system of so many MiB at ``storage``."""
    script = f'mount -t tmpfs -o size={mib}m none "$0" && mkdir "$0/dead_letter" && exec "$@"'
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(storage))


def has_unshare() -> bool:
    """Return whether a private tmpfs can be mounted here."""
    tool = shutil.which("unshare")
    if tool is None:
        return False
    command = [tool, "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
