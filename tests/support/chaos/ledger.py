"""What became of each record, by its id."""

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One delivery of a record to its backend.

    at: when, by the monotonic clock. same: equal for two deliveries that the backend takes for
    one.
    """

    id: str
    at: float
    same: object


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The counts of one signal.

    accepted: acknowledged to the sender. stored: ids that the backend has. lost: accepted and not
    stored. doubled: stored more often than once. again: delivered again, and known to the backend.
    longest_s: from the first try to the arrival, at most, of what was accepted. volatile: of the
    lost, what a backend that was killed had only in its memory.
    """

    signal: str
    sent: int
    accepted: int
    stored: int
    lost: int
    doubled: int
    again: int
    longest_s: float
    volatile: int = 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "longest_s": round(self.longest_s, 2)}


@dataclass(kw_only=True)
class Ledger:
    """Notes what senders send, from any thread."""

    sent: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    accepted: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    cents: dict[str, int] = field(default_factory=dict[str, int])
    refused: list[str] = field(default_factory=list[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, signal: str, ids: list[str], *, at: float | None = None) -> None:
        """Note the first try of these. at: by the monotonic clock; now when it is none."""
        moment = time.monotonic() if at is None else at
        with self._lock:
            self.sent.setdefault(signal, {}).update(dict.fromkeys(ids, moment))

    def accept(self, signal: str, ids: list[str]) -> None:
        """Note that the Collector has acknowledged these."""
        with self._lock:
            self.accepted.setdefault(signal, {}).update(dict.fromkeys(ids, time.monotonic()))

    def refuse(self, answer: str) -> None:
        """Note an answer that made a sender try again."""
        with self._lock:
            self.refused.append(answer)

    def amount(self, id: str, cents: int) -> None:
        """Note the amount of an event."""
        with self._lock:
            self.cents[id] = cents

    def total_sent(self) -> int:
        with self._lock:
            return sum(len(ids) for ids in self.sent.values())

    def accepted_of(self, signal: str) -> set[str]:
        with self._lock:
            return set(self.accepted.get(signal, {}))

    def lost(self, signal: str, arrivals: list[Arrival]) -> set[str]:
        """Return what was accepted and has not arrived."""
        return self.accepted_of(signal) - {one.id for one in arrivals}

    def verdict(
        self,
        signal: str,
        arrivals: list[Arrival],
        volatile: tuple[float, float] | None = None,
    ) -> Verdict:
        """Return the counts of a signal.

        volatile: from when to when what was accepted could get lost with a backend, by the
        monotonic clock.
        """
        with self._lock:
            sent = dict(self.sent.get(signal, {}))
            accepted = dict(self.accepted.get(signal, {}))
        by_id: dict[str, list[Arrival]] = {}
        for one in arrivals:
            if one.id in sent:
                by_id.setdefault(one.id, []).append(one)
        different = {id: len({one.same for one in ones}) for id, ones in by_id.items()}
        delays = [min(one.at for one in by_id[id]) - sent[id] for id in accepted if id in by_id]
        lost = accepted.keys() - by_id.keys()
        begin, end = volatile or (0.0, 0.0)
        return Verdict(
            signal=signal,
            sent=len(sent),
            accepted=len(accepted),
            stored=len(by_id),
            lost=len(lost),
            volatile=sum(begin <= accepted[id] <= end for id in lost),
            doubled=sum(number - 1 for number in different.values()),
            again=sum(len(ones) - different[id] for id, ones in by_id.items()),
            longest_s=max(delays, default=0.0),
        )

    def money(self, counted: Mapping[str, float]) -> "Money":
        """Hold what was counted against what was sent. counted: "events" and "amount"."""
        with self._lock:
            sent, accepted = self.sent.get("events", {}), self.accepted.get("events", {})
            return Money(
                sent=len(sent),
                accepted=len(accepted),
                counted=round(counted["events"]),
                cents_sent=sum(self.cents[id] for id in sent),
                cents_accepted=sum(self.cents[id] for id in accepted),
                cents_counted=round(counted["amount"] * 100),
            )


@dataclass(frozen=True, kw_only=True)
class Money:
    """Events and their amounts, in cents."""

    sent: int
    accepted: int
    counted: int
    cents_sent: int
    cents_accepted: int
    cents_counted: int

    @property
    def is_exact(self) -> bool:
        """All that was accepted is counted; nothing twice, nothing that was never sent.

        A batch whose acknowledgement was lost may be counted though its sender gave up.
        """
        if self.accepted == self.sent:
            return (self.counted, self.cents_counted) == (self.accepted, self.cents_accepted)
        return self.accepted <= self.counted <= self.sent and (
            self.cents_accepted <= self.cents_counted <= self.cents_sent
        )
