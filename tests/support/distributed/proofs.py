"""What must hold when a part is lost, for programs and containers alike."""

import time
from typing import Final

import httpx

from support.distributed.group import Group, Program
from support.distributed.object_store import ObjectStore
from support.distributed.reading import Found, Reader, all_lines, all_traces
from support.distributed.sending import Stream
from support.waiting import until

_BATCH: Final = 50
_BEFORE: Final = 1000
_AFTER: Final = 1000


def sent_at_least(stream: Stream, number: int) -> None:
    """Wait until so many records are acknowledged."""

    def enough() -> tuple[bool | None, object]:
        have = len(stream.sent.ids)
        return have >= number or None, f"{have} of {number}; {stream.sent.refused[-3:]}"

    until(enough, what=f"{number} records are acknowledged")


def one_loki_lost(group: Group, lost: str, tenant: str) -> Found:
    """Kill one under load, delete its disk, start it again; return what the worst answer has."""
    stream = Stream("logs", [group.url(name) for name in group.names], tenant, batch=_BATCH)
    with stream.going_on():
        sent_at_least(stream, _BEFORE)
        group.kill(lost)
        group.wipe(lost)
        sent_at_least(stream, len(stream.sent.ids) + _AFTER)
        reader = Reader(tenant)
        for name in group.names:
            if name != lost:
                all_lines(reader, group.url(name), stream.run, stream.sent)
        group.start(lost)
        sent_at_least(stream, len(stream.sent.ids) + _AFTER)
    answers = [all_lines(reader, group.url(name), stream.run, stream.sent) for name in group.names]
    return max(answers, key=lambda one: (len(one.lost), one.doubled))


def object_store_lost_by_loki(
    group: Group, program: Program, store: ObjectStore, tenant: str, seconds: float = 20.0
) -> Found:
    """Let the object store be unavailable under load; return what the worst answer has.

    Each Loki is asked to write to it meanwhile, and does so once it is back.
    """
    stream = Stream("logs", [group.url(name) for name in group.names], tenant, batch=_BATCH)
    before = len(store.objects("loki"))
    with stream.going_on():
        sent_at_least(stream, _BEFORE)
        program.kill()
        gone = time.monotonic()
        for name in group.names:
            httpx.post(f"{group.url(name)}/flush", timeout=60, trust_env=False).raise_for_status()
        sent_at_least(stream, len(stream.sent.ids) + _AFTER)

        def noticed() -> tuple[bool | None, object]:
            failures = sum(_failed_flushes(group.url(name)) for name in group.names)
            away = time.monotonic() - gone
            return (failures > 0 and away > seconds) or None, f"{failures} flushes, {away:.0f} s"

        until(noticed, what="a write to the object store has failed")
        program.start()
        sent_at_least(stream, len(stream.sent.ids) + _AFTER)

    def written() -> tuple[bool | None, object]:
        now = len(store.objects("loki"))
        return now > before or None, f"{before} objects before, {now} now"

    until(written, what="what could not be written is in the object store")
    reader = Reader(tenant)
    answers = [all_lines(reader, group.url(name), stream.run, stream.sent) for name in group.names]
    return max(answers, key=lambda one: (len(one.lost), one.doubled))


def _failed_flushes(url: str) -> float:
    text = httpx.get(f"{url}/metrics", timeout=60, trust_env=False).text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("loki_ingester_chunks_flush_failures_total")
    )


def one_live_store_lost(group: Group, lost: str, tenant: str) -> Found:
    """Kill a live-store under load and delete its disk; each trace is found, without it and with.

    Return what is found at once by the other one.
    """
    stream = Stream("traces", [group.url("tempo-distributor")], tenant, batch=10)
    tempo = group.url("tempo-query-frontend")
    reader = Reader(tenant)
    with stream.going_on(0.5):
        sent_at_least(stream, 50)
        group.kill(lost)
        group.wipe(lost)
        sent_at_least(stream, len(stream.sent.ids) + 100)
    found = all_traces(reader, tempo, stream.sent)
    group.start(lost)
    # One of two answers, by chance: the one that came back must have them, too.
    for _ in range(3):
        again = all_traces(reader, tempo, stream.sent)
        assert again.doubled == 0, again
    return found


def object_store_lost_by_tempo(
    group: Group, program: Program, store: ObjectStore, tenant: str, seconds: float = 20.0
) -> Found:
    """Let the object store be unavailable under load: traces are found, and written later."""
    stream = Stream("traces", [group.url("tempo-distributor")], tenant, batch=10)
    tempo = group.url("tempo-query-frontend")
    with stream.going_on(0.5):
        sent_at_least(stream, 50)
        program.kill()
        gone = time.monotonic()
        sent_at_least(stream, len(stream.sent.ids) + 100)

        def noticed() -> tuple[bool | None, object]:
            away = time.monotonic() - gone
            failed = "consumeCycle failed" in group.log("tempo-block-builder")
            return (failed and away > seconds) or None, f"{away:.0f} s, failed: {failed}"

        until(noticed, what="the block-builder could not write")
        program.start()
        sent_at_least(stream, len(stream.sent.ids) + 50)
    found = all_traces(Reader(tenant), tempo, stream.sent)
    before = len(blocks(store, tenant))

    def written() -> tuple[bool | None, object]:
        now = len(blocks(store, tenant))
        return now > before or None, f"{before} blocks before, {now} now"

    with stream.going_on(0.5):
        until(written, what="the block-builder writes again")
    return found


def blocks(store: ObjectStore, tenant: str) -> list[str]:
    """Return the blocks of traces that a tenant has in the object store, whole ones alone."""
    return [
        name
        for name in store.objects("tempo")
        if name.startswith(f"{tenant}/") and name.endswith("/meta.json")
    ]
