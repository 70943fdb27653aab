"""What is measured of one process: CPU time of each load, memory, start, stops."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from glasshouse_bench.overhead import cpu, load, probes
from glasshouse_bench.overhead.process import KEY, Api
from glasshouse_bench.overhead.sink import Sink
from glasshouse_cli.errors import StackError

# In which what waits is exported: ddtrace waits the longest, a second.
SETTLE_S = 1.2
BATCH = 512  # spans, as the SDK exports them
HOLDS = 3
LINES = 3
LINE_BYTES = 256 * 1024
# Of the requests of a load, how many go before it uncounted.
WARM_UP_SHARE = 4
# Of a load, between which two processes take turns. An even number: both begin as often.
PARTS = 8
_US, _MS = 1e3, 1e6


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is sent. ``share``: of each load's own number of requests."""

    loads: Sequence[load.Load]
    share: float = 1.0
    settle_s: float = SETTLE_S

    def requests(self, one: load.Load) -> int:
        return max(load.CONNECTIONS, round(one.requests * self.share))

    @property
    def needs_payments(self) -> bool:
        return any(one.needs_payments for one in self.loads)


async def run(api: Api, sink: Sink, size: Size, base: Api | None = None) -> dict[str, Any]:
    """Send all loads; return what they cost, as the result file has it.

    ``base``: a process without telemetry, which gets the same requests in turns with ``api``, some
    at a time. Whatever else uses the machine, and however fast it is just then, lies on both.
    """
    ids = await warm_up(api, size)
    others = await warm_up(base, size) if base else []
    await _settle(sink, size)
    loads: dict[str, Any] = {}
    for one in size.loads:
        before, before_base = _used(api), _used(base)
        await _send(one, size, (api, ids), (base, others) if base else None)
        sent = await _settle(sink, size)
        total, main = (now - then for now, then in zip(_used(api), before, strict=True))
        count = size.requests(one)
        loads[one.name] = {
            "requests": count,
            "us": round(total / count / _US, 2),
            "other_threads_us": round((total - main) / count / _US, 2),
            "sent": sent,
        }
        if base:
            beside = _used(base)[0] - before_base[0]
            loads[one.name]["base_us"] = round(beside / count / _US, 2)
    return {
        "loads": loads,
        "start_cpu_ms": round(api.start_ns / _MS, 1),
        "resident_mb": round(cpu.resident_bytes(api.pid) / 1e6, 1),
    }


def _used(api: Api | None) -> tuple[int, int]:
    """Return the CPU time of all threads and of the first, in nanoseconds."""
    return (cpu.used_ns(api.pid), cpu.main_thread_ns(api.pid)) if api else (0, 0)


_Asked = tuple[Api, Sequence[str]]


async def _send(one: load.Load, size: Size, api: _Asked, base: _Asked | None) -> None:
    """Send a load, in parts by turns where there are two; the second part begins with the other."""
    count = size.requests(one)
    async with contextlib.AsyncExitStack() as stack:
        parts: list[list[tuple[load.Client, Sequence[load.Request]]]] = []
        for process, ids in (api, base) if base else (api,):
            wanted = load.requests(one.name, count, KEY, ids)
            if len(wanted) < count:
                raise StackError(
                    f"{one.title}: {len(ids)} payments are too few for {count} requests"
                )
            client = await stack.enter_async_context(load.Client(process.port))
            parts.append([(client, part) for part in shared(wanted, PARTS)])
        for turn, each in enumerate(zip(*parts, strict=True)):
            for client, part in each if turn % 2 == 0 else reversed(each):
                await client.send(part)


def shared(wanted: Sequence[load.Request], parts: int) -> list[Sequence[load.Request]]:
    """Return requests in ``parts`` that differ by one at most, in their order."""
    ends = [round(len(wanted) * number / parts) for number in range(parts + 1)]
    return [wanted[begin:end] for begin, end in pairwise(ends)]


async def warm_up(api: Api, size: Size) -> list[str]:
    """Send some of each load, and the payments that are read later; return their ids."""
    ids: list[str] = []
    if size.needs_payments:
        needed = max(size.requests(one) for one in load.LOADS if one.name == "new-id")
        count = needed + needed // WARM_UP_SHARE
        bodies = await load.send(api.port, [load.pay(KEY)] * count)
        ids = [json.loads(one)["transactionId"] for one in bodies]
    for one in size.loads:
        if one.name != "post":
            count = max(1, size.requests(one) // WARM_UP_SHARE)
            # From the other end: those that are read later have not been read.
            warm = load.requests(one.name, count, KEY, ids[:count])
            await load.send(api.port, warm)
    return ids


async def _settle(sink: Sink, size: Size) -> dict[str, int]:
    """Wait for the last exports, as long for each variant; return what came."""
    await asyncio.sleep(size.settle_s)
    return sink.taken()


async def stops(api: Api, *, is_traced: bool, kinds: Sequence[str]) -> dict[str, Any]:
    """Ask the process what stops its event loop. ``is_traced``: it exports OpenTelemetry spans."""
    batches: dict[str, list[dict[str, Any]]] = {}
    for paths in probes.PATHS if is_traced else ():
        batches[paths] = [await _ask(api, "hold", spans=BATCH, paths=paths) for _ in range(HOLDS)]
    lines = {
        kind: [await _ask(api, "line", kind=kind, size=LINE_BYTES) for _ in range(LINES)]
        for kind in kinds
    }
    return {
        "batch_spans": BATCH,
        "batches": batches,
        "line_bytes": LINE_BYTES,
        "lines": lines,
        "machine": await _ask(api, "machine"),
    }


async def _ask(api: Api, what: str, **values: object) -> dict[str, Any]:
    sent = load.request("GET", f"/bench/{what}?{urlencode(values)}", KEY)
    status, body = await load.once(api.port, sent)
    if status != 200:
        raise StackError(f"the API answers {status} to /bench/{what}: {body[:200]!r}")
    return json.loads(body)


ALL_KINDS = tuple(probes.KINDS)
