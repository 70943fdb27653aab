"""What stops an event loop is found, and by whom: CPU time, not what else the machine does."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from glasshouse.redaction.json_text import looks_like_json
from glasshouse_bench.overhead import cpu, probes
from glasshouse_bench.overhead.probes import Tick
from glasshouse_cli.errors import StackError

MS = 1_000_000
# A busy machine may take so long to give a thread 100 ms.
WATCHED_S = 2.0


def spin(milliseconds: float) -> None:
    """Use CPU time of this thread."""
    end = time.thread_time_ns() + milliseconds * MS
    while time.thread_time_ns() < end:
        pass


def test_a_stop_is_what_was_late_and_used_by_this_process() -> None:
    found = [
        Tick(late=9 * MS, mine=1 * MS, others=2 * MS),  # another process had the core
        Tick(late=4 * MS, mine=0, others=8 * MS),  # beside the loop, on another core
        Tick(late=0, mine=7 * MS, others=0),
    ]
    assert probes.stop_ns(found) == 4 * MS
    assert probes.stop_ns([]) == 0


def test_what_the_host_had_of_a_core_is_taken_off() -> None:
    found = [
        Tick(late=9 * MS, mine=0, others=9 * MS),
        Tick(late=0, mine=0, others=0, stolen=1),  # noted a turn later
        Tick(late=3 * MS, mine=0, others=4 * MS),
        Tick(late=1 * MS, mine=0, others=1 * MS),
        Tick(late=25 * MS, mine=0, others=25 * MS, stolen=2),
    ]
    assert probes.stop_ns(found) == 5 * MS
    assert probes.stop_ns(found[:3]) == 3 * MS
    assert probes.stop_ns(found[:1]) == 9 * MS


async def test_the_machine_by_itself_is_watched_beside_a_process_that_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probes, "MACHINE_WATCHED_S", 1.0)
    watched: list[list[Tick]] = []
    ticks = probes.ticks

    async def noted(*given: float, of: int | None = None) -> list[Tick]:
        watched.append(await ticks(*given, of=of))
        return watched[-1]

    monkeypatch.setattr(probes, "ticks", noted)
    found = await probes.machine()
    assert 0 <= found["work_ms"] < 1000
    # It computed meanwhile, and none of that is this process's.
    assert sum(one.others for one in watched[0]) > 100 * MS
    assert sum(one.mine for one in watched[0]) < 500 * MS


def test_a_burst_ends_with_a_pause() -> None:
    others = (2, 3, 0, 1, 1, 1, 0.05, 4)
    found = [Tick(late=0, mine=0, others=int(one * MS)) for one in others]
    assert probes.burst_ns(found) == 5 * MS
    assert probes.burst_ns(found[3:6]) == 3 * MS
    assert probes.burst_ns([]) == 0
    # It could have run, and had no core.
    found[2] = found[2]._replace(waited=3 * MS)
    assert probes.burst_ns(found) == 8 * MS


async def during(work: Callable[[], object]) -> tuple[int, int]:
    """The longest stop and burst while ``work`` is done on the loop."""
    watching = asyncio.create_task(probes.ticks(WATCHED_S, waits=True))
    await asyncio.sleep(0.01)
    work()
    found = await watching
    return probes.stop_ns(found), probes.burst_ns(found)


async def test_the_loop_s_own_work_is_a_stop_and_sleep_is_none() -> None:
    own, of_others = await during(lambda: spin(50))
    assert own >= 40 * MS
    assert of_others < 25 * MS
    asleep, _ = await during(lambda: time.sleep(0.05))
    assert asleep < own / 2


async def test_another_thread_s_work_is_a_burst_on_a_busy_machine_too() -> None:
    thread = threading.Thread(target=spin, args=(100,))
    _, burst = await during(thread.start)
    thread.join()
    # Far more than one turn of the loop, after which the thread has to hand over.
    assert burst >= 30 * MS


def held_by(work: Callable[[], object]) -> tuple[int, int]:
    """The longest hold while another thread does ``work`` once, and its CPU time."""
    used: list[int] = []

    def worker() -> None:
        time.sleep(0.05)
        started = time.thread_time_ns()
        work()
        used.append(time.thread_time_ns() - started)

    thread = threading.Thread(target=worker)
    thread.start()
    found: list[Tick] = []
    while thread.is_alive():
        found += probes.asked(0.2)
    return probes.hold_ns(found), used[0]


def test_a_hold_is_all_of_a_call_that_keeps_the_interpreter() -> None:
    # It is one call of C, in which nobody else has a turn.
    held, used = held_by(lambda: sum(range(4_000_000)))
    assert used > 10 * MS
    assert 0.9 * used < held < 1.5 * used + 5 * MS


def test_who_hands_the_interpreter_over_holds_it_no_longer() -> None:
    def in_parts() -> None:
        for _ in range(100):
            spin(1)
            time.sleep(1e-6)

    # On a busy machine the thread that asks may miss turns: one try of many without that will do.
    end = time.monotonic() + 60
    held, used = held_by(in_parts)
    while held > used / 4 and time.monotonic() < end:
        held, used = held_by(in_parts)
    assert used >= 100 * MS
    assert MS / 2 < held <= used / 4


def test_a_hold_is_bounded_by_the_time_that_passed() -> None:
    found = [
        Tick(late=2 * MS, mine=0, others=9 * MS),  # on several cores, without the interpreter
        Tick(late=9 * MS, mine=1 * MS, others=3 * MS),
    ]
    assert probes.hold_ns(found) == 3 * MS
    assert probes.hold_ns(found[:1]) == 2 * MS + probes.ASKED_NS
    assert probes.hold_ns([]) == 0
    collected = [Tick(late=9 * MS, mine=0, others=9 * MS), Tick(0, 0, 0, garbage=8 * MS)]
    assert probes.hold_ns(collected) == 1 * MS


def test_a_collection_counts_where_it_was_noted_or_a_turn_before() -> None:
    found = [
        Tick(late=9 * MS, mine=1 * MS, others=20 * MS),
        Tick(late=0, mine=0, others=0, garbage=8 * MS),
        Tick(late=7 * MS, mine=7 * MS, others=0, garbage=6 * MS),
        Tick(late=2 * MS, mine=2 * MS, others=0),
    ]
    assert probes.stop_ns(found) == 9 * MS
    assert probes.stop_ns(found, garbage=False) == 2 * MS
    assert probes.stop_ns(found[:1], garbage=False) == 9 * MS
    assert probes.stop_ns([], garbage=False) == 0


async def test_to_watch_alone_asks_for_no_other_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    monkeypatch.setattr(probes, "waited_ns", lambda: asked.append(None) or 0)
    assert await probes.ticks(0.01)
    assert not asked
    assert await probes.ticks(0.01, waits=True)
    assert asked


@pytest.mark.parametrize("kind", probes.KINDS)
def test_a_text_fills_its_size_to_the_last_unit(kind: str) -> None:
    unit = len(probes.KINDS[kind].encode())
    for number in (0, 7):
        size = len(probes.text_of(kind, 1000, number).encode())
        assert 1000 - unit < size <= 1000
    assert looks_like_json(probes.text_of(kind, 1000, 7).encode()) is (kind == "json")


async def test_a_long_line_is_logged_once_and_never_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="bench")
    logger = logging.getLogger("bench")
    found = [await probes.line(logger, "ids", 330) for _ in range(2)][-1]
    first, second = (one.getMessage() for one in caplog.records)
    # A text that was seen before would be remembered.
    assert first != second
    assert {line.strip()[:33] for line in (first, second)} == {probes.KINDS["ids"]}
    assert set(found) == {"stop_ms", "work_ms", "garbage_ms", "caller_ms"}
    assert found["caller_ms"] > 0


async def test_a_collection_of_garbage_is_no_work_of_the_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            gc.collect()

    caplog.set_level(logging.INFO, logger="bench")
    logger = logging.getLogger("bench")
    handler = Collecting()
    logger.addHandler(handler)
    before = list(gc.callbacks)
    kept = [[] for _ in range(1_000_000)]  # what a collection has to go through
    try:
        found = await probes.line(logger, "ids", 330)
    finally:
        logger.removeHandler(handler)
    assert kept
    assert found["garbage_ms"] > 5
    assert found["stop_ms"] >= found["garbage_ms"] * 0.9
    assert found["work_ms"] < found["stop_ms"] - found["garbage_ms"] / 2
    assert gc.callbacks == before


def test_the_time_of_a_thread_that_has_ended_counts() -> None:
    program = (
        "import sys, threading, time\n"
        "def spin():\n"
        "    end = time.thread_time() + 0.2\n"
        "    while time.thread_time() < end: pass\n"
        "one = threading.Thread(target=spin); one.start(); one.join()\n"
        "print(time.process_time_ns(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        own = int(child.stdout.readline())
        used, main = cpu.used_ns(child.pid), cpu.main_thread_ns(child.pid)
        assert cpu.resident_bytes(child.pid) > 1_000_000
        child.communicate(b"")
    assert own <= used
    assert used - main >= 190 * MS


def test_another_system_than_linux_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu.require()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(StackError, match="is read from Linux, not darwin"):
        cpu.require()
