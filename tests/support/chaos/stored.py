"""What the stack's own backends have stored, by id, and when it was first seen there."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from support import backends
from support.backends import attribute
from support.chaos.ledger import Arrival, Ledger
from support.chaos.load import ID, Load
from support.stack import Stack

BACKENDS = {"loki": ("logs", "events"), "tempo": ("traces",), "prometheus": ("metrics",)}
# Following must not be a load of its own: this many times as long as an answer took.
PAUSE_FACTOR = 4
LEAST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
FOLLOWED_WITHIN_S = 5.0


@dataclass(kw_only=True)
class Reader:
    """Asks the backends for the records of one load; everything is asked anew each time.

    first: when an id was first seen, by the monotonic clock.
    """

    stack: Stack
    load: Load
    ledger: Ledger
    first: dict[str, float] = field(default_factory=dict[str, float])
    _rounds_s: dict[str, float] = field(default_factory=dict[str, float])

    def seen_late_s(self) -> dict[str, float]:
        """Return how long it took from one look to the next, at most, by signal."""
        return {
            signal: round(self._rounds_s.get(backend, 0.0), 2)
            for backend, signals in BACKENDS.items()
            for signal in signals
        }

    def arrivals(self, http: httpx.Client, signal: str) -> list[Arrival]:
        found = self._stored(http, signal, set(self.ledger.sent.get(signal, {})))
        now = time.monotonic()
        return [
            Arrival(id=id, at=self.first.setdefault(id, now), same=(id, n))
            for n, id in enumerate(found)
        ]

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Look for what is new in each backend until the end of the block."""
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._follow, args=(backend, stop), daemon=True)
            for backend in BACKENDS
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(2 * FOLLOWED_WITHIN_S)

    def _follow(self, backend: str, stop: threading.Event) -> None:
        with httpx.Client(timeout=FOLLOWED_WITHIN_S, trust_env=False) as http:
            while not stop.is_set():
                begin = time.monotonic()
                try:
                    for signal in BACKENDS[backend]:
                        self._look(http, signal)
                except httpx.HTTPError:
                    stop.wait(LEAST_PAUSE_S)  # it cannot be asked now
                    continue
                took = time.monotonic() - begin
                stop.wait(min(max(LEAST_PAUSE_S, PAUSE_FACTOR * took), LONGEST_PAUSE_S))
                whole = time.monotonic() - begin
                self._rounds_s[backend] = max(self._rounds_s.get(backend, 0), whole)

    def _look(self, http: httpx.Client, signal: str) -> None:
        missing = self.ledger.accepted_of(signal) - self.first.keys()
        if not missing:
            return
        found = self._stored(http, signal, missing)
        now = time.monotonic()
        for id in found:
            self.first.setdefault(id, now)

    def _stored(self, http: httpx.Client, signal: str, wanted: set[str]) -> list[str]:
        run = self.load.run
        match signal:
            case "logs" | "events":
                query = f'{{service_name="{self.load.service}"}} | {ID}=~"{run}-{signal[0]}.*"'
                lines = backends.loki_lines(http, self.stack.url("loki"), query)
                return [line["labels"][ID] for line in lines]
            case "traces":
                tempo = self.stack.url("tempo")
                return [
                    str(attribute(span, ID))
                    for trace in sorted({self.load.trace_of(id) for id in wanted})
                    for span in backends.tempo_spans(http, tempo, trace)
                ]
            case _:
                asked = {"query": f'chaos{{{ID}=~"{run}-m.*"}}[1h]'}
                url = f"{self.stack.url('prometheus')}/api/v1/query"
                answer = http.get(url, params=asked).raise_for_status().json()
                return [
                    f"{series['metric'][ID]}-{float(value):.0f}"
                    for series in answer["data"]["result"]
                    for _, value in series["values"]
                ]
