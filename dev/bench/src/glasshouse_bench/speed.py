"""What redaction costs: one Collector on one core, with ours, with none, with the stock one.

The same traffic goes through the same pipelines: the deployed one, with its queue on disk; a lean
one, with its queue in memory; a bare one, which does not compress what it sends, either. CPU time
is the Collector's own, from the operating system.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from glasshouse_bench import children, stock
from glasshouse_bench.overhead import cpu
from glasshouse_bench.traffic import Traffic
from glasshouse_cli.errors import StackError

BATCH = 500  # records in one request
BATCHES = 20  # that are different
WARM_UP_S = 2.0
READY_S = 30.0
DRAIN_S = 60.0
CANDIDATES = ("none", "pii", "stock")
SIGNALS = ("logs", "traces")
PIPELINES = ("deployed", "lean", "bare")
COLLECTOR_CORE, DRIVER_CORE = 0, 1
# What the stock exporter takes of the deployed one.
_OF_ANY_EXPORTER = ("compression", "timeout", "retry_on_failure", "sending_queue")

TARGET_STOCK = 50.0  # times the stock processors' records per core-second
TARGET_NONE = 0.7  # times those without redaction
NOISE_US = 0.5  # a difference of two pipelines that is smaller is noise


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One candidate on one signal. ``cpu_s``: user and system time of the Collector."""

    pipeline: str
    candidate: str
    signal: str
    records: int
    cpu_s: float
    wall_s: float

    @property
    def us_per_record(self) -> float:
        return self.cpu_s / self.records * 1e6

    @property
    def per_core_second(self) -> float:
        return self.records / self.cpu_s

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "us_per_record": round(self.us_per_record, 3),
            "records_per_core_second": round(self.per_core_second),
        }


class _Sink(BaseHTTPRequestHandler):
    """Takes every export and keeps nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """Yield the address of a backend that takes everything and keeps nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def configuration(root: Path, candidate: str, pipeline: str) -> dict[str, Any]:
    """Return the Collector's configuration for one candidate in one pipeline."""
    folder = root / "dev" / "bench" / "collector"
    document = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    deployed = yaml.safe_load((root / "collector" / "config.yaml").read_text(encoding="utf-8"))
    _as_deployed(document, deployed)
    if pipeline != "deployed":
        _keep_in_memory(document)
    if pipeline == "bare":
        for exporter in document["exporters"].values():
            exporter["compression"] = "none"
    chosen: dict[str, list[str]] = {"logs": [], "traces": []}
    if candidate == "pii":
        document["processors"]["pii"] = deployed["processors"]["pii"] | {
            "policy": str(root / "redaction" / "rules.yaml"),
            "hmac_key": "${env:BENCH_HMAC_KEY}",
        }
        chosen = {"logs": ["pii"], "traces": ["pii"]}
    elif candidate == "stock":
        skeleton = yaml.safe_load((folder / "stock.yaml").read_text(encoding="utf-8"))
        policy = yaml.safe_load((root / "redaction" / "rules.yaml").read_text(encoding="utf-8"))
        document["processors"] |= stock.processors(skeleton, policy)
        chosen = {"logs": ["redaction"], "traces": ["transform/pii", "redaction"]}
    for name, part in document["service"]["pipelines"].items():
        part["processors"] += chosen[name]
    return document


def _as_deployed(document: dict[str, Any], deployed: dict[str, Any]) -> None:
    """Give each exporter what the deployed one of its signal has, and the queues their storage."""
    for signal_name in SIGNALS:
        sending = deployed["service"]["pipelines"][signal_name]["exporters"]
        [name] = [one for one in sending if one in deployed["exporters"]]
        kept = {key: deployed["exporters"][name][key] for key in _OF_ANY_EXPORTER}
        document["exporters"][f"otlp_http/{signal_name}"] |= kept
        for storage in _storages(deployed, kept["sending_queue"]):
            moved: dict[str, Any] = {"directory": "${env:BENCH_QUEUE}"}
            if "compaction" in deployed["extensions"][storage]:
                moved["compaction"] = {"on_start": False}
            document["extensions"][storage] = deployed["extensions"][storage] | moved
    document["service"]["extensions"] = list(document["extensions"])


def _storages(document: dict[str, Any], part: dict[str, Any]) -> list[str]:
    """Return the extensions that a queue is stored by: its own, and the one behind that."""
    name = part.get("storage")
    return [] if name is None else [*_storages(document, document["extensions"][name]), name]


def _keep_in_memory(document: dict[str, Any]) -> None:
    """Take the exporters' queues off the disk."""
    stored: set[str] = set()
    for name, exporter in document["exporters"].items():
        queue = dict(exporter["sending_queue"])
        stored |= set(_storages(document, queue))
        queue.pop("storage", None)
        document["exporters"][name] = exporter | {"sending_queue": queue}
    for storage in stored:
        del document["extensions"][storage]
    document["service"]["extensions"] = list(document["extensions"])


@dataclass(frozen=True, kw_only=True)
class Running:
    """A Collector under test. ``otlp``: where to send; ``metrics``: its own."""

    pid: int
    otlp: str
    metrics: str

    def cpu_s(self) -> float:
        """Return the user and system time it has used."""
        return cpu.used_ns(self.pid) / 1e9

    def rss_mib(self) -> float:
        """Return its resident memory."""
        return cpu.resident_bytes(self.pid) / 2**20

    def sent(self, http: httpx.Client) -> float:
        """Return how many records have left it."""
        text = http.get(self.metrics).text
        found = re.findall(r"^otelcol_exporter_sent_(?:log_records|spans)\S* (\S+)$", text, re.M)
        return sum(float(one) for one in found)


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """Yield a folder that is there until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="glasshouse-bench-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def process(
    binary: Path,
    document: dict[str, Any],
    work: Path,
    variables: Mapping[str, str],
    health: str,
    core: int | None,
) -> Iterator[int]:
    """Run a Collector with ``GOMAXPROCS=1``, on one core or on any; yield its pid once healthy."""
    (work / "config.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    log = work / "log"
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603  # our own program
            ["/usr/bin/env", *pinned, str(binary), f"--config={work / 'config.yaml'}"],
            env=os.environ | variables | {"GOMAXPROCS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(lambda: _answers(health), READY_S, child, log)
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextlib.contextmanager
def _running(binary: Path, document: dict[str, Any], sink_url: str) -> Iterator[Running]:
    with work_folder() as work:
        (work / "queue").mkdir()
        ports = {name: children.free_port() for name in ("OTLP", "HEALTH", "METRICS")}
        variables = {
            **{f"BENCH_{name}_PORT": str(port) for name, port in ports.items()},
            "BENCH_QUEUE": str(work / "queue"),
            "BENCH_SINK": sink_url,
            "BENCH_HMAC_KEY": secrets.token_hex(16),
        }
        health = f"http://127.0.0.1:{ports['HEALTH']}"
        with process(binary, document, work, variables, health, COLLECTOR_CORE) as pid:
            yield Running(
                pid=pid,
                otlp=f"http://127.0.0.1:{ports['OTLP']}",
                metrics=f"http://127.0.0.1:{ports['METRICS']}/metrics",
            )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _wait(
    done: Callable[[], bool], seconds: float, child: subprocess.Popen[bytes], log: Path
) -> None:
    end = time.monotonic() + seconds
    while not done():
        if child.poll() is not None or time.monotonic() > end:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise StackError(f"the Collector under test does not start: {last}")
        time.sleep(0.1)


def _send_for(http: httpx.Client, url: str, requests: list[bytes], seconds: float) -> int:
    """Send requests over and over; return the number of records."""
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        answer = http.post(url, content=requests[sent // BATCH % len(requests)])
        answer.raise_for_status()
        sent += BATCH
    return sent


def drain(collector: Running, http: httpx.Client, expected: float) -> None:
    """Return when ``expected`` records have left."""
    end = time.monotonic() + DRAIN_S
    while collector.sent(http) < expected:
        if time.monotonic() > end:
            raise StackError(f"the queue is not empty after {DRAIN_S:.0f} s")
        time.sleep(0.05)


def measure(
    document: dict[str, Any],
    binary: Path,
    candidate: str,
    pipeline: str,
    requests: dict[str, list[bytes]],
    seconds: float,
) -> list[Figure]:
    """Run one candidate's ``document`` on all signals, one after the other, ``seconds`` each."""
    figures: list[Figure] = []
    headers = {"Content-Type": "application/x-protobuf"}
    with (
        sink() as address,
        _running(binary, document, address) as collector,
        httpx.Client(timeout=60, headers=headers, trust_env=False) as http,
    ):
        total = 0
        for one in SIGNALS:
            url = f"{collector.otlp}/v1/{one}"
            total += _send_for(http, url, requests[one], WARM_UP_S)
            drain(collector, http, total)
            cpu, wall = collector.cpu_s(), time.monotonic()
            records = _send_for(http, url, requests[one], seconds)
            total += records
            drain(collector, http, total)
            figures.append(
                Figure(
                    pipeline=pipeline,
                    candidate=candidate,
                    signal=one,
                    records=records,
                    cpu_s=collector.cpu_s() - cpu,
                    wall_s=time.monotonic() - wall,
                )
            )
    return figures


Configure = Callable[[Path, str, str], dict[str, Any]]


def run(
    root: Path,
    binary: Path,
    pipelines: Sequence[str],
    seconds: float,
    rounds: int,
    say: Callable[[str], None],
    candidates: Sequence[str] = CANDIDATES,
    configure: Configure = configuration,
    binaries: Mapping[str, Path] | None = None,
) -> list[Figure]:
    """Measure every candidate in every pipeline, ``rounds`` times; keep the best of each.

    Load beside it only ever adds to CPU time, by caches that are not one's own. ``configure``
    makes the Collector's configuration of a root folder, a candidate and a pipeline; ``binaries``
    are the Collectors of candidates that have one of their own.
    """
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {DRIVER_CORE})
    traffic = Traffic()
    requests = {
        "logs": [traffic.logs(BATCH) for _ in range(BATCHES)],
        "traces": [traffic.spans(BATCH) for _ in range(BATCHES)],
    }
    figures: list[Figure] = []
    for turn in range(rounds):
        for pipeline in pipelines:
            for candidate in candidates:
                say(f"round {turn + 1} of {rounds}, {pipeline} pipeline: measuring {candidate}")
                document = configure(root, candidate, pipeline)
                program = (binaries or {}).get(candidate, binary)
                figures += measure(document, program, candidate, pipeline, requests, seconds)
    return best(figures)


def best(figures: Iterable[Figure]) -> list[Figure]:
    """Return, of each candidate, signal and pipeline, the measurement with the least CPU time."""
    least: dict[tuple[str, str, str], Figure] = {}
    for one in figures:
        key = (one.pipeline, one.signal, one.candidate)
        if key not in least or one.us_per_record < least[key].us_per_record:
            least[key] = one
    return list(least.values())


def ratios(figures: Iterable[Figure]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return, by pipeline and signal, ours against none and against the stock processors.

    The first two compare whole pipelines, so that the second is bounded by what receiving, queueing
    and sending cost: ``most_against_stock`` is what a redaction without any cost would reach. The
    last two are what redaction adds; the last is None where that is lost in the noise.
    """
    by = {(one.pipeline, one.signal, one.candidate): one for one in figures}
    compared: dict[str, dict[str, dict[str, float | None]]] = {}
    for pipeline, signal_name in dict.fromkeys(key[:2] for key in by):
        none, pii, stock_one = (by[pipeline, signal_name, name] for name in CANDIDATES)
        added = pii.us_per_record - none.us_per_record
        theirs = stock_one.us_per_record - none.us_per_record
        compared.setdefault(pipeline, {})[signal_name] = {
            "against_none": pii.per_core_second / none.per_core_second,
            "against_stock": pii.per_core_second / stock_one.per_core_second,
            "most_against_stock": stock_one.us_per_record / none.us_per_record,
            "added_us_per_record": added,
            "against_stock_alone": theirs / added if added > NOISE_US else None,
        }
    return compared
