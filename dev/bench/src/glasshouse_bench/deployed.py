"""What a record costs in the Collector as it is deployed: the real configuration, from end to end.

OTLP comes in over HTTP from three senders at once; redaction, admission, counting and the queues on
disk are those of collector/config.yaml; the backends are a sink on loopback. Configurations and
programs are measured in turn, so that other load falls on all of them.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import yaml

from glasshouse_bench import children, speed
from glasshouse_bench.sized import SIZES, Sized
from glasshouse_cli.errors import StackError

SENDERS = 3
BACKENDS = ("TEMPO_ENDPOINT", "LOKI_ENDPOINT", "PROMETHEUS_ENDPOINT")
# What a candidate is, of the deployed configuration.
CANDIDATES = {
    "none": "receiver and exporter alone, the queue in memory",
    "stock": "the stock exporter with gzip and a queue in file_storage; nothing is checked",
    "ours": "as deployed",
}
BASE = "base"
_LISTENER = re.compile(r"^0\.0\.0\.0:(\d+)$")
# What an exporter repeats, by OTLP's specification.
_LATER = (429, 502, 503, 504)
_AGAIN_S = 0.2
_OTLP, _HEALTH, _METRICS = "4318", "13133", "8888"


class Traffic(Protocol):
    """What is sent. ``signal``: logs or traces."""

    signal: str

    def request(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One measurement. ``size``: of the records. ``rss_mib``: resident memory after it."""

    candidate: str
    size: str
    batch: int
    records: int
    cpu_s: float
    wall_s: float
    rss_mib: float

    @property
    def us_per_record(self) -> float:
        return self.cpu_s / self.records * 1e6


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A candidate's measurements with records of one size: CPU time a record in µs, and memory."""

    candidate: str
    size: str
    batch: int
    median_us: float
    least_us: float
    most_us: float
    rss_mib: float

    def as_dict(self) -> dict[str, Any]:
        return {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def configuration(
    root: Path, candidate: str, work: Path, ports: Mapping[str, int]
) -> dict[str, Any]:
    """Return the deployed configuration of a checkout for one candidate, at addresses of its own.

    ``ports`` are the free ones, by those of the deployed configuration.
    """
    text = (root / "collector" / "config.yaml").read_text(encoding="utf-8")
    document = adapted(yaml.safe_load(text), root, work, ports)
    # One sender stands for many here: it is not held to what a single one may send.
    document["processors"]["admission"]["services"] |= {
        "records_per_second": 0,
        "bytes_per_second": 0,
    }
    document["service"]["telemetry"]["logs"]["level"] = "error"
    if candidate == "none":
        _plain(document, compression="none", storage=None)
    elif candidate == "stock":
        _plain(document, compression="gzip", storage="file_storage")
    return document


def adapted(value: Any, root: Path, work: Path, ports: Mapping[str, int]) -> Any:
    """Return a part of a configuration with addresses and paths of a bench's own.

    ``ports`` are the free ones, by those of the deployed configuration.
    """
    match value:
        case {"host": "0.0.0.0", "port": port, **others}:  # noqa: S104  # what is replaced
            return {**others, "host": "127.0.0.1", "port": ports[str(port)]}
        case dict():
            return {key: adapted(item, root, work, ports) for key, item in value.items()}
        case list():
            return [adapted(item, root, work, ports) for item in value]
        case str() if listener := _LISTENER.match(value):
            return f"127.0.0.1:{ports[listener[1]]}"
        case str():
            for deployed, here in {
                "/var/lib/otelcol": work / "storage",
                "/run/secrets": work,
                "/etc/otelcol/rules.yaml": root / "redaction" / "rules.yaml",
                "/etc/otelcol/event_families.yaml": root / "collector" / "event_families.yaml",
            }.items():
                value = value.replace(deployed, str(here))
            return value
        case _:
            return value


def _plain(document: dict[str, Any], compression: str, storage: str | None) -> None:
    """Leave the receiver and stock exporters, and nothing between them but the memory's limit."""
    for name in [one for one in document["exporters"] if one.startswith("otlp_bisect/")]:
        exporter = document["exporters"].pop(name)
        queue = dict(exporter["sending_queue"])
        queue.pop("storage")
        if storage:
            queue["storage"] = storage
        document["exporters"][name.replace("otlp_bisect", "otlp_http")] = {
            "endpoint": exporter["endpoint"],
            "compression": compression,
            "timeout": exporter["timeout"],
            "retry_on_failure": exporter["retry_on_failure"],
            "sending_queue": queue,
        }
    pipelines = document["service"]["pipelines"]
    del pipelines["metrics/derive"], document["connectors"], document["exporters"]["prometheus"]
    for part in pipelines.values():
        part["processors"] = ["memory_limiter"]
        part["exporters"] = [
            one.replace("otlp_bisect", "otlp_http")
            for one in part["exporters"]
            if one.startswith("otlp_bisect/")
        ]


@contextlib.contextmanager
def running(root: Path, program: Path, candidate: str, core: int | None) -> Iterator[speed.Running]:
    """Run one candidate of a checkout until the end of the block."""
    text = (root / "collector" / "config.yaml").read_text(encoding="utf-8")
    listeners = {a or b for a, b in re.findall(r"0\.0\.0\.0:(\d+)|port: (\d+)", text)}
    ports = {one: children.free_port() for one in listeners}
    with speed.work_folder() as work, speed.sink() as sink:
        (work / "storage" / "dead_letter").mkdir(parents=True)
        (work / "hmac_key").write_text("glasshouse-bench-key-0123456789abcdef", encoding="utf-8")
        (work / "otlp_token").write_text("glasshouse-bench-token-0123456789abc", encoding="utf-8")
        document = configuration(root, candidate, work, ports)
        environment = {**dict.fromkeys(BACKENDS, sink), "OTLP_AUTH": "none"}
        with speed.process(
            program, document, work, environment, f"http://127.0.0.1:{ports[_HEALTH]}", core
        ) as pid:
            yield speed.Running(
                pid=pid,
                otlp=f"http://127.0.0.1:{ports[_OTLP]}",
                metrics=f"http://127.0.0.1:{ports[_METRICS]}/metrics",
            )


def send(
    collector: speed.Running, signal: str, requests: Iterator[bytes], patience_s: float = 0
) -> None:
    """Send requests on ``SENDERS`` connections at once, each as fast as it is answered.

    patience_s: how long one that is refused for the moment is sent again.

    Raises:
        StackError: one is refused.
    """
    url = f"{collector.otlp}/v1/{signal}"
    failed: list[Exception] = []
    lock = threading.Lock()

    def sender() -> None:
        headers = {"Content-Type": "application/x-protobuf"}
        try:
            with httpx.Client(timeout=60, headers=headers, trust_env=False) as http:
                while True:
                    with lock:
                        body = next(requests, None)
                    if body is None:
                        return
                    _post(http, url, body, patience_s)
        except httpx.HTTPError as error:
            failed.append(error)

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if failed:
        raise StackError(f"{url} refuses a request: {failed[0]}")


def _post(http: httpx.Client, url: str, body: bytes, patience_s: float) -> None:
    end = time.monotonic() + patience_s
    while True:
        answer = http.post(url, content=body)
        if answer.status_code not in _LATER or time.monotonic() >= end:
            answer.raise_for_status()
            return
        time.sleep(_AGAIN_S)


def _measure(
    collector: speed.Running, candidate: str, size: str, batch: int, records: int, total: float
) -> Cost:
    cpu_s, wall_s, sent = burst(collector, Sized(size, batch), batch, records, total)
    return Cost(
        candidate=candidate,
        size=size,
        batch=batch,
        records=sent,
        cpu_s=cpu_s,
        wall_s=wall_s,
        rss_mib=collector.rss_mib(),
    )


def burst(
    collector: speed.Running, traffic: Traffic, batch: int, records: int, total: float
) -> tuple[float, float, int]:
    """Send ``records`` as fast as they are taken, after a tenth as many uncounted ones.

    Returns CPU seconds and seconds until the last has left, and how many were sent. ``total``
    have left before.
    """
    requests = max(1, records // batch)
    warm = max(SENDERS, requests // 10)
    with httpx.Client(timeout=60, trust_env=False) as http:
        send(collector, traffic.signal, _some(traffic, warm))
        speed.drain(collector, http, total + warm * batch)
        cpu, wall = collector.cpu_s(), time.monotonic()
        send(collector, traffic.signal, _some(traffic, requests))
        speed.drain(collector, http, total + (warm + requests) * batch)
        return collector.cpu_s() - cpu, time.monotonic() - wall, requests * batch


def _some(traffic: Traffic, requests: int) -> Iterator[bytes]:
    return (traffic.request() for _ in range(requests))


def run(
    checkouts: Mapping[str, tuple[Path, Path, str]],
    sizes: Sequence[str],
    batch: int,
    records: int,
    rounds: int,
    core: int | None,
    say: Callable[[str], None],
) -> list[Cost]:
    """Measure each candidate with each size, in turn, ``rounds`` times.

    ``checkouts``: by candidate its root folder, its program, and which of ``CANDIDATES`` it is.
    ``records`` are sent for each figure, in requests of ``batch``.
    """
    unknown = set(sizes) - set(SIZES)
    if unknown:
        raise StackError(f"--size {sorted(unknown)[0]}: must be one of {', '.join(SIZES)}")
    costs: list[Cost] = []
    for turn in range(rounds):
        for name, (root, program, kind) in checkouts.items():
            say(f"round {turn + 1} of {rounds}: measuring {name}")
            with (
                running(root, program, kind, core) as collector,
                httpx.Client(timeout=60, trust_env=False) as http,
            ):
                for size in sizes:
                    total = collector.sent(http)
                    costs.append(_measure(collector, name, size, batch, records, total))
    return costs


def summaries(costs: Iterable[Cost]) -> list[Summary]:
    """Return the median and the spread of each candidate and size, in the order of the costs."""
    by: dict[tuple[str, str, int], list[Cost]] = {}
    for one in costs:
        by.setdefault((one.size, one.candidate, one.batch), []).append(one)
    return [
        Summary(
            candidate=candidate,
            size=size,
            batch=batch,
            median_us=statistics.median(one.us_per_record for one in group),
            least_us=min(one.us_per_record for one in group),
            most_us=max(one.us_per_record for one in group),
            rss_mib=max(one.rss_mib for one in group),
        )
        for (size, candidate, batch), group in by.items()
    ]
