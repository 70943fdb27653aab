"""Keeps exports until they are delivered: a bounded buffer and the thread that empties it."""

import os
import random
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from glasshouse.delivery.attempts import Attempts, Outcome
from glasshouse.delivery.bounds import Bounds
from glasshouse.delivery.counting import Counts
from glasshouse.delivery.kinds import Kind
from glasshouse.delivery.reporting import Reporter

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
# While the process ends there is no time for more.
_LONGEST_PAUSE_AT_END_S: Final = 0.5
_JITTER: Final = 0.2
# Exports that wait are joined up to these.
_MOST_ITEMS: Final = 512
_MOST_BYTES: Final = 1024 * 1024
# The first failure may be a connection that the other side had closed long ago.
_FAILURES_BEFORE_A_LINE: Final = 2

EXPIRED: Final = "expired"
BUFFER_FULL: Final = "buffer_full"
SHUTDOWN: Final = "shutdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parcel:
    batch: Any
    count: int
    size: int
    made: float
    # What it adds to the settled ones: of the halves of an export only the last one counts.
    weight: int = 1


@dataclass(kw_only=True)
class _State:
    """What waits, in this process. Guarded by ``changed``.

    accepted, settled: how many parcels came in, and are done with, so far.
    apart: how many of the next parcels travel alone, because one of them was refused.
    """

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: deque[_Parcel] = field(default_factory=deque[_Parcel])
    sending: list[_Parcel] = field(default_factory=list[_Parcel])
    size: int = 0
    accepted: int = 0
    settled: int = 0
    apart: int = 0
    failures: int = 0
    timed_out: int = 0
    next_try: float = 0.0
    asked_to_wait: bool = False
    closed: bool = False
    given_up: bool = False


class Sender:
    """Delivers the exports of one exporter.

    What comes in is taken at once. What cannot be delivered is kept and tried again until it is
    too old, or until newer exports need its place.
    """

    def __init__(
        self, kind: Kind, attempts: Attempts, bounds: Bounds, counts: Counts, reporter: Reporter
    ) -> None:
        self._kind = kind
        self._attempts = attempts
        self._bounds = bounds
        self._counts = counts
        self._reporter = reporter
        self._start(closed=False)
        me = weakref.ref(self)

        def after_in_child() -> None:
            if (sender := me()) is not None:
                sender._start_in_child()

        # The parent sends what it holds; no thread and no lock survives a fork.
        os.register_at_fork(after_in_child=after_in_child)

    def _start_in_child(self) -> None:
        self._start(closed=self._state.closed)

    def _start(self, *, closed: bool) -> None:
        self._pid = os.getpid()
        self._state = _State(closed=closed)
        name = f"glasshouse-delivery-{self._kind.signal}"
        self._thread = threading.Thread(target=self._work, args=(), name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # No thread can be had: flush() and close() do its work.
            return

    def put(self, batch: Any) -> bool:
        """Take an export. Returns False if it is too late for that."""
        if self._pid != os.getpid():
            # Forked by something that does not call Python's handlers.
            self._start_in_child()
        count = self._kind.count(batch)
        parcel = _Parcel(
            batch=batch, count=count, size=self._kind.size(batch), made=time.monotonic()
        )
        state = self._state
        full = replaced = 0
        with state.changed:
            if state.closed:
                self._lose(count, SHUTDOWN, was_taken=False)
                return False
            while state.waiting and self._kind.replaces(batch, state.waiting[-1].batch):
                replaced += self._remove(state, state.waiting.pop())
            state.waiting.append(parcel)
            state.size += parcel.size
            state.accepted += 1
            # One always stays: a bound under the size of one export must not end all delivery.
            while len(state.waiting) > 1 and state.size > self._bounds.size:
                full += self._remove(state, state.waiting.popleft())
            state.changed.notify_all()
        self._counts.taken(count)
        self._counts.replaced(replaced)
        self._lose(full, BUFFER_FULL)
        return True

    def refuse(self, count: int, reason: str) -> None:
        """Count items that cannot be put."""
        self._lose(count, reason, was_taken=False)
        if count:
            self._reporter.failing(self._kind.signal, reason, is_kept=False)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that came in so far is done with; return whether it is."""
        state = self._state
        end = time.monotonic() + timeout_s
        with state.changed:
            target = state.accepted
            if not state.asked_to_wait:
                state.next_try = 0.0
            state.changed.notify_all()
        self._wait(state, target, end)
        return state.settled >= target

    def close(self, timeout_s: float) -> None:
        """Take nothing more; deliver what waits within this time and give the rest up."""
        state = self._state
        end = time.monotonic() + timeout_s
        with state.changed:
            if state.closed:
                return
            state.closed = True
            state.next_try = 0.0
            state.changed.notify_all()
        self._wait(state, state.accepted, end)
        with state.changed:
            state.given_up = True
            parcels = [*state.sending, *state.waiting]
            state.waiting.clear()
            state.changed.notify_all()
        left = sum(parcel.count for parcel in parcels)
        if left:
            self._lose(left, SHUTDOWN)
            self._reporter.gave_up(self._kind.signal, left)

    def _wait(self, state: _State, target: int, end: float) -> None:
        if not self._thread.is_alive():
            with suppress_instrumentation():
                while state.settled < target and time.monotonic() < end and self._step(state, end):
                    pass
            return
        with state.changed:
            state.changed.wait_for(
                lambda: state.settled >= target, max(0.0, end - time.monotonic())
            )

    def _work(self) -> None:
        state = self._state
        with suppress_instrumentation():
            while self._step(state):
                pass

    def _step(self, state: _State, end: float | None = None) -> bool:
        """Try one export when its time has come. Returns False if there is no more to do."""
        with state.changed:
            expired = self._remove_expired(state)
            if not expired and not state.waiting:
                if state.closed or end is not None:
                    return False
                state.changed.wait()
                return True
            pause = state.next_try - time.monotonic()
            if not expired and pause > 0:
                until_old = state.waiting[0].made + self._bounds.age_s - time.monotonic()
                until_end = pause if end is None else end - time.monotonic()
                state.changed.wait(max(0.0, min(pause, until_old, until_end)))
                return True
            parcels = [] if expired else self._take(state)
        if expired:
            self._lose(expired, EXPIRED)
            return True
        batches = [parcel.batch for parcel in parcels]
        join = self._kind.join
        batch = join(batches) if join else batches[0]
        outcome = self._attempts.attempt(batch, state.timed_out)
        self._settle(state, parcels, outcome)
        return True

    def _take(self, state: _State) -> list[_Parcel]:
        parcels = [state.waiting.popleft()]
        count, size = parcels[0].count, parcels[0].size
        alone = state.apart > 0 or self._kind.join is None
        state.apart = max(0, state.apart - 1)
        while not alone and state.waiting:
            following = state.waiting[0]
            count, size = count + following.count, size + following.size
            if count > _MOST_ITEMS or size > _MOST_BYTES:
                break
            parcels.append(state.waiting.popleft())
        state.sending = parcels
        return parcels

    def _settle(self, state: _State, parcels: list[_Parcel], outcome: Outcome) -> None:
        if not outcome.reason:
            self._delivered(state, parcels, outcome)
        elif outcome.passing:
            self._keep(state, parcels, outcome)
        else:
            self._refused(state, parcels, outcome)

    def _delivered(self, state: _State, parcels: list[_Parcel], outcome: Outcome) -> None:
        count = self._done(state, parcels)
        if count is None:
            return
        rejected = min(outcome.rejected, count)
        self._counts.ended(count - rejected)
        self._lose(rejected, "rejected")
        self._reporter.working(self._kind.signal)

    def _keep(self, state: _State, parcels: list[_Parcel], outcome: Outcome) -> None:
        with state.changed:
            state.sending = []
            if state.given_up:
                return
            state.waiting.extendleft(reversed(parcels))
            state.failures += 1
            state.timed_out += outcome.timed_out
            longest = _LONGEST_PAUSE_AT_END_S if state.closed else _LONGEST_PAUSE_S
            pause = min(longest, _FIRST_PAUSE_S * 2 ** min(state.failures - 1, 10))
            pause *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # no secret
            state.asked_to_wait = outcome.wait_s is not None and not state.closed
            if state.asked_to_wait:
                pause = max(pause, outcome.wait_s or 0.0)
            state.next_try = time.monotonic() + pause
            failures = state.failures
        if failures >= _FAILURES_BEFORE_A_LINE:
            self._reporter.failing(self._kind.signal, outcome.reason, is_kept=True)

    def _refused(self, state: _State, parcels: list[_Parcel], outcome: Outcome) -> None:
        if len(parcels) > 1:
            # One of them may be the culprit.
            with state.changed:
                state.sending = []
                state.waiting.extendleft(reversed(parcels))
                state.apart += len(parcels)
            return
        if outcome.divisible and self._kind.join and parcels[0].count > 1:
            self._halve(state, parcels[0])
            return
        count = self._done(state, parcels)
        if count is not None:
            self._lose(count, outcome.reason)
            self._reporter.failing(self._kind.signal, outcome.reason, is_kept=False)

    def _halve(self, state: _State, parcel: _Parcel) -> None:
        middle = parcel.count // 2
        halves = [
            replace(
                parcel, batch=batch, count=len(batch), size=self._kind.size(batch), weight=weight
            )
            for batch, weight in (
                (parcel.batch[:middle], 0),
                (parcel.batch[middle:], parcel.weight),
            )
        ]
        with state.changed:
            state.sending = []
            state.waiting.extendleft(reversed(halves))
            state.size += sum(half.size for half in halves) - parcel.size
            state.apart += len(halves)

    def _done(self, state: _State, parcels: list[_Parcel]) -> int | None:
        """Forget parcels. Returns how many items they had; None if they were given up before."""
        with state.changed:
            state.sending = []
            if state.given_up:
                return None
            state.failures = state.timed_out = 0
            state.next_try, state.asked_to_wait = 0.0, False
            count = sum(self._remove(state, parcel) for parcel in parcels)
            state.changed.notify_all()
        return count

    def _remove(self, state: _State, parcel: _Parcel) -> int:
        state.size -= parcel.size
        state.settled += parcel.weight
        return parcel.count

    def _remove_expired(self, state: _State) -> int:
        oldest = time.monotonic() - self._bounds.age_s
        lost = 0
        while state.waiting and state.waiting[0].made < oldest:
            lost += self._remove(state, state.waiting.popleft())
        if lost:
            state.changed.notify_all()
        return lost

    def _lose(self, count: int, reason: str, *, was_taken: bool = True) -> None:
        if not count:
            return
        if not was_taken:
            self._counts.taken(count)
        self._counts.ended(count, reason)
        self._reporter.lost(self._kind.signal, count)
