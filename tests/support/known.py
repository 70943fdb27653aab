"""Records with known ids, sent to edges under load: what was acknowledged, what arrived, how often.

An id is `<run>/<edge>/<number>`. Whoever stores records says what has arrived (`Arrived`), so the
same proof stands for a sink and for real backends.
"""

import collections
import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from support import otlp
from support.waiting import PATIENCE_S, until

KINDS: Final = ("logs", "spans", "points", "events")
SERVICE: Final = "backend-worker"  # whose events count (collector/config.yaml)
GAUGE: Final = "known.load"
SPANS_OF_A_TRACE: Final = 4
LOGS_OF_A_TRACE: Final = 5

Ids = dict[str, collections.Counter[str]]
# Each id of a kind that is there, with how often; other runs' may be among them.
Arrived = Callable[[], Ids]


@dataclass(frozen=True, kw_only=True)
class Target:
    """An edge. headers: what it lets in."""

    url: str
    headers: Mapping[str, str]


@dataclass(kw_only=True)
class Known:
    """What a load sent. acknowledged: ids by kind. tries: requests that had no answer, or an error.

    traces: of each trace its id in hexadecimal digits.
    """

    run: str
    acknowledged: dict[str, set[str]] = field(
        default_factory=lambda: {kind: set[str]() for kind in KINDS}
    )
    traces: set[str] = field(default_factory=set[str])
    tries: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, kind: str, *ids: str) -> None:
        with self._lock:
            self.acknowledged[kind].update(ids)

    def take_trace(self, trace: str) -> None:
        with self._lock:
            self.traces.add(trace)

    def failed(self) -> None:
        with self._lock:
            self.tries += 1

    def count(self, kind: str) -> int:
        with self._lock:
            return len(self.acknowledged[kind])

    def events_of(self, edge: str) -> int:
        """How many events an edge acknowledged."""
        with self._lock:
            return sum(one.split("/")[1] == edge for one in self.acknowledged["events"])


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of what was acknowledged, by kind."""

    sent: dict[str, int]
    lost: dict[str, int]
    doubled: dict[str, int]

    def __str__(self) -> str:
        return ", ".join(
            f"{kind}: {self.sent[kind]} sent, {self.lost[kind]} lost, {self.doubled[kind]} doubled"
            for kind in self.sent
        )


def verdict(known: Known, arrived: Ids) -> Verdict:
    sent, lost, doubled = {}, {}, {}
    for kind, ids in known.acknowledged.items():
        there = arrived.get(kind, collections.Counter())
        sent[kind] = len(ids)
        lost[kind] = sum(one not in there for one in ids)
        doubled[kind] = sum(max(0, there[one] - 1) for one in ids)
    return Verdict(sent=sent, lost=lost, doubled=doubled)


def until_whole(known: Known, arrived: Arrived, deadline_s: float = 2 * PATIENCE_S) -> Verdict:
    """Wait until all that was acknowledged is there; return how it came."""

    def whole() -> tuple[Verdict | None, object]:
        now = verdict(known, arrived())
        return (now if not any(now.lost.values()) else None), str(now)

    return until(whole, what="all that was acknowledged", deadline_s=deadline_s)


@contextlib.contextmanager
def load(targets: Mapping[str, Target], *, pause_s: float = 0.02) -> Iterator[Known]:
    """Send to each edge from a thread of its own until the end of the block.

    pause_s: between two batches. A batch without an answer is sent again, as by an SDK, also after
    the end of the block: what is left is what was acknowledged.
    """
    known = Known(run=secrets.token_hex(4))
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=_send, args=(known, name, one, stop, pause_s), name=f"load of {name}"
        )
        for name, one in targets.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield known
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert not [one.name for one in threads if one.is_alive()], "an edge lets no batch in any more"


def _send(known: Known, edge: str, to: Target, stop: threading.Event, pause_s: float) -> None:
    number = 0
    with otlp.Sender(to.url, SERVICE, to.headers) as sender:
        while not stop.wait(pause_s):
            number += 1
            _Batch(known, edge, number).send(sender)


class _Batch:
    """A trace in two parts, its logs, logs of no trace, a point and an event."""

    def __init__(self, known: Known, edge: str, number: int) -> None:
        self._known = known
        self._ids = f"{known.run}/{edge}/{number}"
        self._edge, self._number = edge, number
        self._trace = secrets.token_hex(16)

    def send(self, sender: otlp.Sender) -> None:
        spans = [
            otlp.span(f"{self._ids}.{i}", trace_id=self._trace) for i in range(SPANS_OF_A_TRACE)
        ]
        half = SPANS_OF_A_TRACE // 2
        for part in (spans[:half], spans[half:]):
            self._until_taken(sender.spans, part)
            self._known.take("spans", *(one["name"] for one in part))
        self._known.take_trace(self._trace)
        of_trace = [
            otlp.log(f"{self._ids}.{i}") | {"traceId": self._trace} for i in range(LOGS_OF_A_TRACE)
        ]
        others = [otlp.log(f"{self._ids}.{LOGS_OF_A_TRACE + i}") for i in range(LOGS_OF_A_TRACE)]
        records = [*of_trace, *others]
        self._until_taken(sender.logs, records)
        self._known.take("logs", *(one["body"]["stringValue"] for one in records))
        event = otlp.log(
            f"event {self._ids}",
            {"log.record.uid": self._ids, "payment.currency": "EUR", "payment.amount": 1.0},
            event="payment.created",
        )
        self._until_taken(sender.logs, [event])
        self._known.take("events", self._ids)
        point = otlp.gauge(GAUGE, self._number, {"run": self._known.run, "edge": self._edge})
        self._until_taken(sender.metrics, [point])
        self._known.take("points", self._ids)

    def _until_taken(
        self, send: Callable[[list[dict[str, Any]]], None], records: list[dict[str, Any]]
    ) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return send(records)
            except httpx.HTTPError:
                self._known.failed()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
