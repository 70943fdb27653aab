"""Bytes a record on disk, once a backend has written out what it held."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from glasshouse_bench import speed
from glasshouse_bench.scale import backends
from glasshouse_bench.scale.point import Target
from glasshouse_bench.scale.traffic import Samples
from glasshouse_bench.stack import disk
from glasshouse_bench.stack.disk import Amount
from glasshouse_cli.errors import StackError

_BATCH = 1000
_PATIENCE_S = 300.0
_LATER = (429, 502, 503, 504)
# Two hours of samples each 15 s: as much as is in one block of Prometheus.
_SAMPLES_OF_A_SERIES = 480
_EVERY_NS = 15 * 10**9
# What is there only until the rest is written.
_PASSING = ("wal", "wbl", "chunks_head", "tsdb-shipper-cache")


def stored(root: Path, name: str, program: Path, records: int) -> float:
    """Store about so many records in a backend of its own; return bytes a record."""
    with speed.work_folder() as work, speed.sink() as sink:
        plan = backends.PREPARE[name](root, program, work, sink)
        data = work / "data"
        with backends.started(plan, work / "log") as pid:
            before = _below(data)
            target = Target(otlp=plan.otlp, processes={name: (pid,)})
            sent = _FILL[name](target, records)
            if name == "prometheus":
                before, data = 0, _snapshot(plan.url, data)
        return max(0, _below(data) - before) / sent


def _below(data: Path) -> int:
    return sum(
        backends.bytes_below(one)
        for one in data.iterdir()
        if one.is_dir() and one.name not in _PASSING
    )


def _logs(target: Target, records: int) -> int:
    return _sent(target, Amount(logs=records, spans=0))


def _spans(target: Target, records: int) -> int:
    return _sent(target, Amount(logs=0, spans=records))


def _sent(target: Target, amount: Amount) -> int:
    """Send records of which each has values of its own: repetitions would take no disk."""
    count = 0
    with httpx.Client(timeout=60, trust_env=False) as http:
        for signal, count, body in disk.requests(amount):  # noqa: B007 (the last one is returned)
            _post(http, f"{target.otlp}/v1/{signal}", body)
    return count


def _samples(target: Target, records: int) -> int:
    series = max(1, records // _SAMPLES_OF_A_SERIES)
    requests = Samples(_BATCH, 1, series)
    # Two hours that end now, and within one block's bounds or across one.
    begun = time.time_ns() - _SAMPLES_OF_A_SERIES * _EVERY_NS
    with httpx.Client(timeout=60, trust_env=False) as http:
        for number in range(_SAMPLES_OF_A_SERIES):
            for _ in range(requests.turn):
                body = requests.request_of(begun + number * _EVERY_NS)
                _post(http, f"{target.otlp}/v1/metrics", body)
    return series * _SAMPLES_OF_A_SERIES


def _post(http: httpx.Client, url: str, body: bytes) -> None:
    end = time.monotonic() + _PATIENCE_S
    headers = {"Content-Type": "application/x-protobuf"}
    while not (answer := http.post(url, content=body, headers=headers)).is_success:
        if answer.status_code not in _LATER or time.monotonic() > end:
            raise StackError(f"{url} refuses records: {answer.text[:200]}")
        time.sleep(0.2)


def _snapshot(url: str, data: Path) -> Path:
    """Write out what is in Prometheus' memory, as a block; return its folder."""
    answer = httpx.post(f"{url}/api/v1/admin/tsdb/snapshot", timeout=120, trust_env=False)
    if not answer.is_success:
        raise StackError(f"Prometheus writes no snapshot: {answer.text[:200]}")
    return data / "snapshots" / answer.json()["data"]["name"]


_FILL: dict[str, Callable[[Target, int], int]] = {
    "loki": _logs,
    "tempo": _spans,
    "prometheus": _samples,
}
