"""One point: records at a rate to a running part, and what its processes took meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from glasshouse_bench import deployed, speed
from glasshouse_bench.overhead import cpu
from glasshouse_bench.scale.traffic import Requests

_PAUSE_S = 0.01
_LEAST = 2  # requests
_PATIENCE_S = 300.0
_MIB = 2**20


class Counter(Protocol):
    """Counts bytes that a part has sent, or stored."""

    @property
    def sent(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is measured, while it runs.

    otlp: where records are sent. processes: whose time and memory count, by part. counters: of what
    parts send, or store. drained: returns when all that was sent has gone through. warm: requests
    that come before.
    """

    otlp: str
    processes: Mapping[str, tuple[int, ...]]
    counters: Mapping[str, Counter] = field(default_factory=dict[str, Counter])
    drained: Callable[[], None] = lambda: None
    warm: int = 6


@dataclass(frozen=True, kw_only=True)
class Point:
    """What came of it. rate: reached, in records a second, where ``meant`` was wanted.

    cpu_us: core-microseconds a second, by part. memory_mib: resident at the end, by part. received:
    bytes a record as they were sent here; sent: by each counter, by part.
    """

    rate: float
    meant: float
    cpu_us: Mapping[str, float]
    memory_mib: Mapping[str, float]
    received: float
    sent: Mapping[str, float]


def at_rate(target: Target, requests: Requests, rate: float, seconds: float) -> Point:
    """Send for so many seconds at a rate, or as fast as it is taken; return what that took."""
    count = size = 0

    def due() -> Iterator[bytes]:
        nonlocal count, size
        # On a machine that hardly gives it time: something has to be measured.
        while (now := time.monotonic() - begun) < seconds or count < _LEAST * requests.batch:
            if now * rate - count < requests.batch:
                time.sleep(_PAUSE_S)
                continue
            body = requests.request()
            count, size = count + requests.batch, size + len(body)
            yield body

    before, counted = _cpu(target), {name: one.sent for name, one in target.counters.items()}
    begun = time.monotonic()
    deployed.send(_as_collector(target), requests.signal, due(), _PATIENCE_S)
    target.drained()
    return _point(target, before, counted, time.monotonic() - begun, count, size, rate)


def idle(target: Target, seconds: float) -> Point:
    """Return what its processes take without a load."""
    before, counted = _cpu(target), {name: one.sent for name, one in target.counters.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    return _point(target, before, counted, time.monotonic() - begun, 0, 0, 0)


def once(target: Target, requests: Requests, times: int) -> None:
    """Send so many requests as fast as they are taken, so that what they name is there."""
    bodies = (requests.request() for _ in range(times))
    deployed.send(_as_collector(target), requests.signal, bodies, _PATIENCE_S)
    target.drained()


def _point(
    target: Target,
    before: Mapping[str, float],
    counted: Mapping[str, int],
    took: float,
    count: int,
    size: int,
    meant: float,
) -> Point:
    after = _cpu(target)
    return Point(
        rate=count / took,
        meant=meant,
        cpu_us={name: (after[name] - before[name]) / took * 1e6 for name in before},
        memory_mib={
            name: sum(cpu.resident_bytes(pid) for pid in pids) / _MIB
            for name, pids in target.processes.items()
        },
        received=size / count if count else 0.0,
        sent={
            name: (one.sent - counted[name]) / count if count else 0.0
            for name, one in target.counters.items()
        },
    )


def _cpu(target: Target) -> dict[str, float]:
    return {
        name: sum(cpu.used_ns(pid) for pid in pids) / 1e9 for name, pids in target.processes.items()
    }


def _as_collector(target: Target) -> speed.Running:
    return speed.Running(pid=0, otlp=target.otlp, metrics="")
