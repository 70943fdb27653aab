"""What stops the event loop: asked of the process itself, while nothing else runs in it.

Times are CPU times of threads, so that another process on the machine adds nothing to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from opentelemetry import trace

TICK_S = 0.001
TICK_NS = 1_000_000
# How often a thread asks for the interpreter, to find how long another one holds it.
ASKED_S = 0.0001
ASKED_NS = 100_000
_TASKS = Path("/proc/self/task")
_STAT = Path("/proc/stat")
# user, nice, system, idle, iowait, irq, softirq, steal: proc_stat(5).
_STEAL = 7
_LINE_BYTES = 512
# Of what the kernel notes there.
STOLEN_NS = 10_000_000
# What a thread does when it only wakes up is no work.
IDLE_NS = 100_000
WATCHED_S = 1.5
# Twice as long as until a record is exported.
LINE_WATCHED_S = 1.0
MACHINE_WATCHED_S = 10.0
STARTS_WITHIN_S = 1.0
# Computes and pauses as the redaction of a long line does, in a process of its own.
_COMPUTES = """
import time
while True:
    end = time.perf_counter() + 0.0005
    while time.perf_counter() < end:
        pass
    time.sleep(0.0002)
"""
PATHS = ("known", "new")
# One unit of each kind of text; a line repeats it up to its size.
KINDS = {
    "words": "an ordinary line about nothing ",
    "ids": "0123456789abcdef0123456789abcdef ",
    "addresses": "a@b.co ",
    "wide addresses": "é a@b.co ",
    "numbers": "4111 1111 ",
    "pairs": "key=value ",
    "json": '{"name": {"value": [1, "two"]}} ',
}


_number: Final = itertools.count()


class Tick(NamedTuple):
    """Between two turns of a thread, in ns: how late the second was, and the CPU time used.

    ``waited``: for how long other threads could have run and had no core. ``garbage``: what of the
    CPU time the interpreter's own collections took, in whichever thread. ``stolen``: how long the
    host had one of a virtual machine's cores, in ticks of the kernel.
    """

    late: int
    mine: int
    others: int
    waited: int = 0
    garbage: int = 0
    stolen: int = 0


class Garbage:
    """Counts the CPU time of collections of garbage, each of which holds the interpreter."""

    def __init__(self) -> None:
        self.ns = 0
        self._began = 0

    def __enter__(self) -> Garbage:
        gc.callbacks.append(self._noted)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._noted)

    def _noted(self, phase: str, _: dict[str, int]) -> None:
        now = time.thread_time_ns()
        if phase == "start":
            self._began = now
        else:
            self.ns += now - self._began


def waited_ns() -> int:
    """Return for how long the threads but this one have waited for a core, all in all."""
    own = str(threading.get_native_id())
    total = 0
    for task in _TASKS.iterdir():
        # One may end meanwhile.
        with contextlib.suppress(OSError):
            if task.name != own:
                total += int((task / "schedstat").read_bytes().split()[1])
    return total


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    with path.open("rb", buffering=0) as file:
        yield file.fileno()


def stolen(stat: int) -> int:
    """Return how long a host had cores of this virtual machine, in ticks; 0 on a real one.

    ``stat``: the open file. Each system call hands the interpreter over: this is one.
    """
    line = os.pread(stat, _LINE_BYTES, 0).split(b"\n", 1)[0].split()
    return int(line[1 + _STEAL])


async def ticks(seconds: float, *, waits: bool = False, of: int | None = None) -> list[Tick]:
    """Wake up every millisecond; return what lay between.

    ``waits``: whether to count, too, how long other threads had no core. To read that hands the
    interpreter over dozens of times, and each time a busy thread may keep it: turns come later.
    ``of``: a process whose CPU time is the others', in place of this one's threads.
    """
    found: list[Tick] = []
    end = time.monotonic() + seconds
    with Garbage() as garbage, _opened(_STAT) as stat:
        before = _counters(garbage, waits=waits, of=of, stat=stat)
        # Once at least: a busy machine may take all of the time before the first turn.
        while not found or time.monotonic() < end:
            await asyncio.sleep(TICK_S)
            now = _counters(garbage, waits=waits, of=of, stat=stat)
            found.append(_between(before, now, TICK_NS))
            before = now
    return found


def _counters(
    garbage: Garbage, *, waits: bool, of: int | None = None, stat: int | None = None
) -> tuple[int, ...]:
    waited = waited_ns() if waits else 0
    mine = time.thread_time_ns()
    return (
        time.monotonic_ns(),
        mine,
        time.process_time_ns() if of is None else mine + _used_ns(of),
        waited,
        garbage.ns,
        0 if stat is None else stolen(stat),
    )


def _used_ns(pid: int) -> int:
    # As in cpu.py, which would bring the bench's own modules into the service.
    return time.clock_gettime_ns((~pid << 3) | 2)


def _between(before: tuple[int, ...], now: tuple[int, ...], slept_ns: int) -> Tick:
    """Return what lay between two turns, of which the thread was to sleep ``slept_ns``."""
    wall, mine, process, waited, garbage, stolen = (
        new - old for new, old in zip(now, before, strict=True)
    )
    others = max(0, process - mine)
    return Tick(max(0, wall - slept_ns), mine, others, max(0, waited), garbage, stolen)


def stop_ns(found: list[Tick], *, garbage: bool = True) -> int:
    """Return the longest time that this process kept its loop from its turn.

    ``garbage``: whether with collections of garbage, which any allocation may bring about. For how
    long a host had a core is nothing that this process does.
    """
    stops = (
        min(one.late, one.mine + one.others)
        - (one.stolen + after.stolen) * STOLEN_NS
        - (0 if garbage else one.garbage + after.garbage)
        for one, after in _noted(found)
    )
    return max(0, *stops) if found else 0


def burst_ns(found: list[Tick]) -> int:
    """Return the most CPU time that other threads took without a pause between.

    A thread that another process keeps from its core makes no pause. The kernel counts for how long
    that was when it runs again.
    """
    longest = running = idle = waited = 0
    for one in found:
        waited += one.waited
        if one.others <= IDLE_NS:
            idle += one.late + TICK_NS
            continue
        if idle > waited + TICK_NS // 2:
            running = 0
        running += one.others
        longest = max(longest, running)
        idle = waited = 0
    return longest


def asked(seconds: float) -> list[Tick]:
    """Ask for the interpreter again and again; return what lay between. Blocks its thread.

    A thread that waits for the interpreter gets it where the one that has it hands it over, or
    after `sys.getswitchinterval`, if that is in Python's own code.
    """
    found: list[Tick] = []
    end = time.monotonic() + seconds
    with Garbage() as garbage:
        before = _counters(garbage, waits=False)
        while time.monotonic() < end:
            time.sleep(ASKED_S)
            now = _counters(garbage, waits=False)
            found.append(_between(before, now, ASKED_NS))
            before = now
    return found


def hold_ns(found: list[Tick]) -> int:
    """Return the most CPU time of other threads between two turns of the one that asked.

    What they did meanwhile without the interpreter is in it, too, so it is never too little; but
    not collections of garbage, which are due sooner or later, whatever runs.
    """
    held = (
        min(one.others, one.late + ASKED_NS) - one.garbage - after.garbage
        for one, after in _noted(found)
    )
    return max(0, *held) if found else 0


def _noted(found: list[Tick]) -> Iterator[tuple[Tick, Tick]]:
    """Yield each with the next: another thread may run before an ended collection is noted."""
    return zip(found, [*found[1:], Tick(0, 0, 0)], strict=True)


async def hold(spans: int, paths: str) -> dict[str, Any]:
    """End ``spans`` spans at once; watch their export. Thrice, since to watch changes it: `ticks`.

    ``paths``: of `PATHS`, whether each span has one that was never seen.
    """
    _end(spans, paths)
    burst = burst_ns(await ticks(WATCHED_S, waits=True))
    _end(spans, paths)
    stop = stop_ns(await ticks(WATCHED_S))
    _end(spans, paths)
    held = hold_ns(await asyncio.to_thread(asked, WATCHED_S))
    return {"stop_ms": stop / 1e6, "burst_ms": burst / 1e6, "hold_ms": held / 1e6}


def _end(spans: int, paths: str) -> None:
    tracer = trace.get_tracer("bench")
    for number in range(spans):
        path = "/payments" if paths == "known" else f"/payments/tx_{uuid.uuid4().hex}"
        attributes = {
            "http.request.method": "GET",
            "http.route": "/payments/{id}",
            "url.path": path,
            "http.response.status_code": 200,
            "server.address": "localhost",
            "bench.number": number,
        }
        with tracer.start_as_current_span("GET /payments/{id}", attributes=attributes):
            pass


def text_of(kind: str, size: int, number: int = 0) -> str:
    """Return a text of ``size`` bytes at most, of one of `KINDS`.

    ``number``: another for each. A text that was seen before is remembered, and costs nothing.
    """
    unit = KINDS[kind]
    # In front of all of it, so that it stays of its kind: JSON, too.
    return " " * number + unit * ((size - number) // len(unit.encode()))


async def line(logger: logging.Logger, kind: str, size: int) -> dict[str, Any]:
    """Log one long line, never the same twice; watch what it does to the loop, then and later."""
    text = text_of(kind, size, next(_number))
    watching = asyncio.create_task(ticks(LINE_WATCHED_S))
    await asyncio.sleep(5 * TICK_S)
    started = time.thread_time_ns()
    logger.info("%s", text)
    caller = time.thread_time_ns() - started
    found = await watching
    return {
        "stop_ms": stop_ns(found) / 1e6,
        "work_ms": stop_ns(found, garbage=False) / 1e6,
        "garbage_ms": max(one.garbage for one in found) / 1e6,
        "caller_ms": caller / 1e6,
    }


async def machine() -> dict[str, Any]:
    """Return how long the loop is stopped while another process computes as a long line does.

    It shares nothing with this process: what keeps the loop from its turn is the machine.
    """
    computes = await asyncio.create_subprocess_exec(sys.executable, "-c", _COMPUTES)
    try:
        await asyncio.sleep(STARTS_WITHIN_S)
        found = await ticks(MACHINE_WATCHED_S, of=computes.pid)
    finally:
        computes.kill()
        await computes.wait()
    return {"work_ms": stop_ns(found) / 1e6}
