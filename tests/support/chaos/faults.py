"""The table of faults of the Collector, its disk and what stands behind it: each a small function.

What a fault may cost is part of its row; `broken` says where a run was worse.
"""

import contextlib
import math
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from support.chaos import damage as damages
from support.chaos import rig as rigs
from support.chaos import senders
from support.chaos.ledger import Money, Verdict
from support.chaos.load import SIGNALS, Load
from support.chaos.load import running as loaded
from support.chaos.rig import Rig
from support.otlp_sink import no_fault
from support.waiting import until
from support.words import fresh

# How much later than usual other records may come while a backend is gone.
OTHERS_DELAY_S = 2.0
ANSWER_S = 5.0
# Of the load, all signals together, where a row names no other.
USUAL_PER_S = Load.rate * Load.batch * len(SIGNALS)


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a fault may cost at most.

    lost: of what was accepted; None for what stood on the damaged pages of a queue's file, and
    nothing else: what of it is lost must be reported. delays: the signals that may come late; all
    others come within 2 s. twice: the signals whose records may be stored twice. at_least,
    at_most: bounds of what is reported, by its name.
    """

    lost: int | None = 0
    delays: tuple[str, ...] = SIGNALS
    twice: tuple[str, ...] = ()
    exact: bool = True
    at_least: Mapping[str, float] = field(default_factory=dict[str, float])
    at_most: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row.

    run: does it, for so many seconds, while the load runs. short_s, long_s: for how long, in `make
    test` and in `make chaos`. alert: what has to fire if it lasts. in_short: whether `make test`
    has it.
    """

    name: str
    what: str
    run: Callable[[Rig, float], None]
    short_s: float = 4
    long_s: float = 60
    alert: str = ""
    allowed: Allowed = field(default_factory=Allowed)
    load: dict[str, Any] = field(default_factory=dict[str, Any])
    queue_bytes: int | None = None
    in_flight_mib: int | None = None
    disk_mib: int | None = None
    in_short: bool = True


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run of a fault has cost.

    seen_late_s: how much later than it came a record may have been seen, by signal. also: what else
    was not kept, a line each.
    """

    fault: str
    seconds: float
    verdicts: list[Verdict]
    money: Money
    refused: dict[str, int]
    reported: dict[str, float]
    fired: bool | None = None
    seen_late_s: dict[str, float] = field(default_factory=dict[str, float])
    also: list[str] = field(default_factory=list[str])

    def broken(self, allowed: Allowed) -> list[str]:
        """Return one line for each promise that was not kept."""
        lines: list[str] = []
        for one in self.verdicts:
            lost = one.lost - one.volatile
            if allowed.lost is not None and lost > allowed.lost:
                lines.append(f"{one.signal}: {lost} of {one.accepted} accepted are lost")
            if one.doubled and one.signal not in allowed.twice:
                lines.append(f"{one.signal}: {one.doubled} are stored twice")
            if not one.accepted:
                lines.append(f"{one.signal}: nothing was accepted")
            late = one.longest_s - self.seen_late_s.get(one.signal, 0) > OTHERS_DELAY_S
            if one.signal not in allowed.delays and late:
                lines.append(f"{one.signal}: came {one.longest_s:.1f} s late")
        lost = sum(one.lost for one in self.verdicts)
        if allowed.lost is None and lost and not self.reported.get("set_aside"):
            lines.append(f"{lost} are lost, and nothing reports it")
        if elsewhere := self.reported.get("lost_elsewhere"):
            lines.append(f"{elsewhere:.0f} are lost that did not stand on damaged pages")
        for name, bound in allowed.at_least.items():
            if (found := self.reported.get(name, -math.inf)) < bound:
                lines.append(f"{name}: {found:g}, not {bound:g} at least")
        for name, bound in allowed.at_most.items():
            if (found := self.reported.get(name, math.inf)) > bound:
                lines.append(f"{name}: {found:g}, not {bound:g} at most")
        if allowed.exact and not self.money.is_exact:
            lines.append(f"counts: {self.money}")
        return lines + self.also


# Backends


def _gone(*names: str) -> Callable[[Rig, float], None]:
    def run(rig: Rig, seconds: float) -> None:
        for name in names:
            rig.sinks[name].go()
        time.sleep(seconds)
        for name in names:
            rig.sinks[name].come()

    return run


def _hanging(*names: str) -> Callable[[Rig, float], None]:
    def run(rig: Rig, seconds: float) -> None:
        for name in names:
            rig.sinks[name].fault = rigs.hang
        time.sleep(seconds)
        for name in names:
            rig.sinks[name].fault = no_fault
            rig.sinks[name].let_go()

    return run


def _queue_full(rig: Rig, seconds: float) -> None:
    """Loki never answers, and more logs wait for it than the Collector has place for."""
    loki = rig.sinks["loki"]
    loki.fault = rigs.hang
    with contextlib.ExitStack() as crowds:
        for reason, crowd in CROWDS.items():
            crowds.enter_context(loaded(_load(rig, **CROWD, **crowd)))
            _wait_refused(rig, reason)
        time.sleep(seconds)
        loki.fault = no_fault
        loki.let_go()


def _wait_refused(rig: Rig, reason: str) -> None:
    def probe() -> tuple[bool | None, object]:
        refused = rig.own_metric("otelcol_extension_otlp_limits_refused_total")
        found = any(number for labels, number in refused.items() if reason in labels)
        return found or None, refused

    until(probe, what=f"a request is refused: {reason}")


def _load(rig: Rig, **kind: Any) -> Load:
    return Load(
        endpoint=lambda: rig.otlp,
        headers=rig.sender,
        ledger=rig.ledger,
        run=fresh(),
        grpc=lambda: rig.grpc,
        **kind,
    )


def _slow(name: str) -> Callable[[Rig, float], None]:
    def run(rig: Rig, seconds: float) -> None:
        rig.sinks[name].status_of = rigs.slow(ANSWER_S)
        time.sleep(seconds)
        rig.sinks[name].status_of = rigs.slow(0)

    return run


# The Collector


def _stopped(rig: Rig, seconds: float) -> None:
    assert rig.stop() == 0, rig.log[-3000:]
    time.sleep(seconds)
    rig.start()


def _stopped_with_backlog(rig: Rig, seconds: float) -> None:
    for sink in rig.sinks.values():
        sink.fault = rigs.hang
    time.sleep(seconds)
    assert rig.stop() == 0, rig.log[-3000:]
    _come_back(rig)
    rig.start()


def _killed_often(rig: Rig, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        rig.kill()
        rig.start()
        if time.monotonic() > end:
            return
        time.sleep(random.uniform(0.1, 0.8))  # noqa: S311


def _killed_with_backlog(rig: Rig, seconds: float) -> None:
    for sink in rig.sinks.values():
        sink.fault = rigs.hang
    time.sleep(seconds)
    rig.kill()
    _come_back(rig)
    rig.start()


def _killed_in_recovery(rig: Rig, seconds: float) -> None:
    """Kill it while it puts back what was under way, at another moment each time."""
    for sink in rig.sinks.values():
        sink.fault = rigs.hang
    time.sleep(seconds)
    for n in range(10):
        rig.kill()
        begun = len(rig.log)
        rig.start(wait=False)
        # Long before it is healthy: from the first file that it opens on.
        until(
            lambda begun=begun: ("Starting extensions" in rig.log[begun:] or None, "not begun"),
            what="it starts",
        )
        time.sleep(0.02 * n)
    rig.kill()
    _come_back(rig)
    rig.start()


def _come_back(rig: Rig) -> None:
    for sink in rig.sinks.values():
        sink.fault = no_fault


# The disk


def _full_disk(rig: Rig, seconds: float) -> None:
    """Fill the storage's own file system while requests leave the queue, then free it."""
    assert rig.popen is not None
    for sink in rig.sinks.values():
        sink.go()
    time.sleep(1)
    filler = Path(f"/proc/{rig.storage_pid()}/root{rig.storage}/filler")
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    for sink in rig.sinks.values():
        sink.come()
    time.sleep(seconds)
    filler.unlink()


def _damaged(damage: Callable[[Path], None]) -> Callable[[Rig, float], None]:
    def run(rig: Rig, seconds: float) -> None:
        for sink in rig.sinks.values():
            sink.fault = rigs.hang
        time.sleep(seconds)
        rig.kill()
        damages.note(rig, "loki", damage)
        _come_back(rig)
        rig.start()

    return run


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def _overwrite_pages(path: Path) -> None:
    """Write noise over one page in eight, but not over the first two."""
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        for number in random.sample(range(2, pages), max(1, pages // 8)):
            file.seek(number * 4096)
            file.write(os.urandom(4096))


def _overwrite_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(8192))


def _make_unreadable(path: Path) -> None:
    # Root reads whatever the mode says, so it is no file at all.
    path.rename(path.with_name("was_" + path.name))
    path.mkdir()


# Senders


def _nothing(_: Rig, seconds: float) -> None:
    time.sleep(seconds)


def _hostile(rig: Rig, seconds: float) -> None:
    """Send what no Collector should be sent, beside the load."""
    bodies = [
        (b"\x0a" * 200_000, "application/x-protobuf"),
        (b"{" * 100_000, "application/json"),
        (b"[" * 4_000_000, "application/json"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "application/x-protobuf"),
        (b"x" * 30_000_000, "application/x-protobuf"),
        (b"", "text/plain"),
    ]
    end = time.monotonic() + seconds
    with httpx.Client(timeout=20, trust_env=False) as client:
        while time.monotonic() < end:
            client.headers = rig.sender if "Authorization" not in client.headers else {}
            for body, kind in bodies:
                for path in ("logs", "traces", "metrics"):
                    try:
                        client.post(
                            f"{rig.otlp}/v1/{path}", content=body, headers={"Content-Type": kind}
                        )
                    except httpx.TransportError:
                        continue  # it may hang up on them
            time.sleep(0.2)


CROWD: dict[str, Any] = {"signals": ("logs",), "rate": 1, "batch": 1, "padding": 1 << 16}
# Senders of logs that wait, by what the Collector has too little of for more of them.
CROWDS: dict[str, dict[str, Any]] = {
    'protocol="grpc",reason="concurrency"': {"over": ("grpc",), "senders": 72},
    'protocol="http",reason="in_flight"': {"over": ("http",), "senders": 110},
}

LATE = {"loki": ("logs", "events"), "tempo": ("traces",), "prometheus": ("metrics",)}
NAMES = {"loki": "Loki", "tempo": "Tempo", "prometheus": "Prometheus"}


def _damaged_queue(
    name: str,
    what: str,
    damage: Callable[[Path], None],
    *,
    allowed: Allowed | None = None,
    in_short: bool = True,
) -> Fault:
    """Return the row of a queue file that is damaged. What was on its damaged pages may be lost."""
    return Fault(
        name=f"queue-{name}",
        what=what,
        run=_damaged(damage),
        alert="QueueFileDamaged",
        allowed=allowed or Allowed(lost=None),
        short_s=3,
        long_s=20,
        in_short=in_short,
        load={"rate": 30, "batch": 1},
    )


FAULTS = [
    Fault(name="none", what="No fault", run=_nothing, allowed=Allowed(delays=()), long_s=30),
    *(
        Fault(
            name=f"{name}-stopped",
            what=f"{NAMES[name]} stopped",
            run=_gone(name),
            alert="ExporterFailing",
            allowed=Allowed(delays=LATE[name]),
            in_short=False,  # tests/chaos/test_outages.py has it, with the real ones
        )
        for name in NAMES
    ),
    *(
        Fault(
            name=f"{name}-paused",
            what=f"{NAMES[name]} accepts connections and never answers",
            run=_hanging(name),
            alert="ExporterFailing",
            allowed=Allowed(delays=LATE[name]),
            in_short=name == "tempo",
        )
        for name in NAMES
    ),
    *(
        Fault(
            name=f"{name}-slow",
            what=f"{NAMES[name]} answers after 5 s",
            run=_slow(name),
            short_s=8,
            allowed=Allowed(delays=LATE[name]),
            in_short=name == "prometheus",
        )
        for name in NAMES
    ),
    Fault(
        name="loki-queue-full",
        what="Loki accepts and never answers, its queue is full, and 182 senders of logs wait",
        run=_queue_full,
        short_s=5,
        alert="CollectorQueueFilling",
        allowed=Allowed(delays=LATE["loki"]),
        queue_bytes=2 << 20,
        in_flight_mib=20,  # what a slow machine fills soon, too
        load={"senders": 2, "over": ("http", "grpc")},
    ),
    Fault(
        name="all-stopped-queue-full",
        what="All three backends stopped, and every queue full",
        run=_gone("loki", "tempo", "prometheus"),
        short_s=8,
        long_s=600,
        alert="CollectorQueueFilling",
        queue_bytes=60_000,
        load={"rate": 40, "batch": 10, "timeout_s": 3},
    ),
    Fault(
        name="collector-sigterm",
        what="Collector asked to end, away, started again",
        run=_stopped,
        alert="TargetDown",
        short_s=2,
        in_short=False,
    ),
    Fault(
        name="collector-sigterm-backlog",
        what="Collector asked to end while no backend answers",
        run=_stopped_with_backlog,
        alert="TargetDown",
        short_s=3,
    ),
    Fault(
        name="collector-killed",
        what="Collector killed (SIGKILL) again and again under load",
        run=_killed_often,
        alert="TargetDown",
        short_s=6,
    ),
    Fault(
        name="collector-killed-backlog",
        what="Collector killed with a backlog",
        run=_killed_with_backlog,
        alert="TargetDown",
        in_short=False,
    ),
    Fault(
        name="collector-killed-in-recovery",
        what="Collector killed ten times while it recovers a backlog",
        run=_killed_in_recovery,
        alert="TargetDown",
        short_s=5,
        long_s=20,
        load={"rate": 60, "batch": 1},
    ),
    Fault(
        name="disk-full",
        what="The queues' disk full while the backlog leaves",
        run=_full_disk,
        disk_mib=8,
        alert="DataRefused",
        load={"batch": 20},
    ),
    _damaged_queue("truncated", "Loki's queue file cut in half", _truncate, in_short=False),
    _damaged_queue(
        "corrupted", "Noise over an eighth of the pages of Loki's queue file", _overwrite_pages
    ),
    _damaged_queue(
        "head-corrupted",
        "Noise over the head of Loki's queue file",
        _overwrite_head,
        allowed=Allowed(),
        in_short=False,
    ),
    _damaged_queue("unreadable", "Loki's queue file cannot be read", _make_unreadable),
    Fault(
        name="clock-behind",
        what="A sender's clock an hour behind",
        run=_nothing,
        allowed=Allowed(delays=()),
        load={"shift_s": -3600},
        in_short=False,
    ),
    Fault(
        name="clock-ahead",
        what="A sender's clock an hour ahead",
        run=_nothing,
        alert="RepairsSurge",
        allowed=Allowed(delays=()),
        load={"shift_s": 3600},
        in_short=False,
    ),
    Fault(
        name="load-times-ten",
        what="Ten times the load",
        run=_nothing,
        long_s=120,
        # More than ten times, so that senders that come late now and then still reach it.
        load={"senders": 4, "rate": 5, "batch": 28},
        allowed=Allowed(at_least={"records_per_second": 9 * USUAL_PER_S}),
        in_short=False,
    ),
    Fault(
        name="hostile-requests",
        what="Requests that are broken, too deep, too large or of the wrong kind, meanwhile",
        run=_hostile,
        alert="RecordsRefused",
        allowed=Allowed(delays=()),
    ),
    Fault(
        name="oddities",
        what="Every oddity of docs/compatibility.md, round after round, meanwhile",
        run=senders.oddities,
        short_s=8,
        alert="RecordsRefused",
        allowed=Allowed(
            delays=(),
            at_least={"requests_refused": 1, "records_repaired": 1},
            at_most={"oddities_unanswered": 0},
        ),
    ),
    *(
        Fault(
            name=f"distro-{name}",
            what=f"Collector {what}, while a process with the distro emits 60 logs, spans and "
            "events a second (a small part of its buffer), and is asked to end after it; what it "
            "emitted counts as accepted",
            run=senders.distro(go, come),
            alert="TargetDown",
            # A call that waits for the Collector takes seconds; less is the machine's.
            allowed=Allowed(
                at_least={"distro_emitted": 1},
                at_most={
                    **{"exit_s": 5, "exit_away_s": 5},
                    **{"call_p99_ms": 250, "call_longest_ms": 1000},
                },
            ),
            in_short=in_short,
        )
        for name, what, go, come, in_short in (
            ("stopped", "asked to end, away, started again", senders.stop, Rig.start, True),
            (
                "paused",
                "paused: takes connections, never answers",
                senders.pause,
                senders.go_on,
                False,
            ),
        )
    ),
]
BY_NAME = {one.name: one for one in FAULTS}


def run(
    fault: Fault,
    program: Path,
    folder: Path,
    seconds: float,
    *,
    storage: str | None = None,
    within_s: float = 60,
) -> Result:
    """Do a fault under load; return what it cost.

    storage: another one for the queues. within_s: in which everything has to arrive after it.
    """
    text = rigs.config(
        queue_bytes=fault.queue_bytes, in_flight_mib=fault.in_flight_mib, storage=storage
    )
    with rigs.running(program, folder, text, disk_mib=fault.disk_mib) as rig:
        ledger = rig.ledger
        with loaded(_load(rig, **fault.load)):
            begin = time.monotonic()
            time.sleep(1)
            fault.run(rig, seconds)
            time.sleep(1)
            rig.noted["records_per_second"] = ledger.total_sent() / (time.monotonic() - begin)
        verdicts, money = rig.verdicts(
            ledger, within_s=within_s, expect_loss=fault.allowed.lost is None
        )
        reported = {**rig.reported(), **damages.reported(rig), **rig.noted}
    refused = {one: ledger.refused.count(one) for one in sorted(set(ledger.refused))}
    return Result(
        fault=fault.name,
        seconds=seconds,
        verdicts=verdicts,
        money=money,
        refused=refused,
        reported=reported,
    )
