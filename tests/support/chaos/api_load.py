"""Load over the API: payments, automation runs and notifications, each followed to its end."""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from support import backends
from support.stack import Stack

PAUSE_S = 0.5
ANSWER_WITHIN_S = 20.0
ACCEPTED_WITHIN_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of work.

    body: of the request. id: the member of the answer that names the work. ends: the states it
    ends in. counter, labels: where its events are counted, by state; nothing else in a test's
    stack has these labels. once: a try again is known by its key, so that it is the same work.
    """

    name: str
    path: str
    body: Mapping[str, Any]
    id: str
    begins: str
    ends: frozenset[str]
    counter: str
    labels: str
    state_label: str
    once: bool = False


KINDS = (
    Kind(
        name="payments",
        path="/payments",
        body={"userId": "chaos", "amount": "1.25", "currency": "USD"},
        id="transactionId",
        begins="created",
        ends=frozenset({"confirmed", "failed"}),
        counter="payments_total",
        labels='currency="USD"',
        state_label="state",
        once=True,
    ),
    Kind(
        name="runs",
        path="/automation/runs",
        body={"userId": "chaos", "strategy": "stop_loss"},
        id="runId",
        begins="requested",
        ends=frozenset({"completed", "failed"}),
        counter="automation_runs_total",
        labels='strategy="stop_loss"',
        state_label="state",
    ),
    Kind(
        name="notifications",
        path="/notifications",
        body={
            "userId": "chaos",
            "channel": "sms",
            "to": "+15550100",
            "template": "welcome",
            "data": {"name": "Zoe"},
        },
        id="notificationId",
        begins="queued",
        ends=frozenset({"delivered", "failed"}),
        counter="notifications_total",
        labels='channel="sms"',
        state_label="status",
    ),
)


@dataclass(kw_only=True)
class ApiLoad:
    """What was accepted over the API, and what it was answered meanwhile.

    accepted: ids by kind. answers: what was no acceptance. longest_s: of the answers.
    """

    stack: Stack
    accepted: dict[str, list[str]] = field(
        default_factory=lambda: {kind.name: list[str]() for kind in KINDS}
    )
    answers: list[str] = field(default_factory=list[str])
    longest_s: float = 0
    _before: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self, http: httpx.Client) -> Iterator[None]:
        """Send until the end of the block; what was begun is tried until it is accepted."""
        self._before = self._counted(http)
        threads = [threading.Thread(target=self._send, args=(kind,), daemon=True) for kind in KINDS]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            end = time.monotonic() + ACCEPTED_WITHIN_S + ANSWER_WITHIN_S
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))

    def _send(self, kind: Kind) -> None:
        with self._client() as client:
            while not self._stop.is_set():
                self._once(client, kind)
                self._stop.wait(PAUSE_S)

    def _once(self, client: httpx.Client, kind: Kind) -> None:
        key = {"Idempotency-Key": secrets.token_hex(8)} if kind.once else {}
        give_up: float | None = None
        while True:
            begin = time.monotonic()
            try:
                answer = client.post(kind.path, json=kind.body, headers=key)
            except httpx.TransportError as error:
                self.answers.append(type(error).__name__)
            else:
                self.longest_s = max(self.longest_s, time.monotonic() - begin)
                if answer.is_success:
                    self.accepted[kind.name].append(answer.json()[kind.id])
                    return
                self.answers.append(str(answer.status_code))
            if self._stop.is_set():
                give_up = give_up or time.monotonic() + ACCEPTED_WITHIN_S
                if not kind.once or time.monotonic() > give_up:
                    return
            time.sleep(PAUSE_S)

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.stack.api,
            headers=self.stack.caller,
            timeout=ANSWER_WITHIN_S,
            trust_env=False,
        )

    def unended(self) -> list[str]:
        """Return what was accepted and is not at its end."""
        left: list[str] = []
        with self._client() as client:
            for kind in KINDS:
                for one in self.accepted[kind.name]:
                    answer = client.get(f"{kind.path}/{one}")
                    if not answer.is_success or answer.json()["state"] not in kind.ends:
                        left.append(one)
        return left

    def miscounted(self, http: httpx.Client) -> list[str]:
        """Return a line for each kind whose events were not counted once each.

        Work whose acceptance got lost was begun, and is counted, too: its sender tried again
        without a key, so that there is more of it than was accepted.
        """
        lines: list[str] = []
        now = self._counted(http)
        for kind in KINDS:
            before = self._before[kind.name]
            rose = {state: n - before.get(state, 0) for state, n in now[kind.name].items()}
            accepted = len(self.accepted[kind.name])
            began = rose.get(kind.begins, 0)
            ended = sum(rose.get(state, 0) for state in kind.ends)
            exact = began == accepted if kind.once else began >= accepted
            if not exact or ended != began:
                lines.append(
                    f"{kind.name}: {accepted} accepted, {began:.0f} {kind.begins} and "
                    f"{ended:.0f} ended by their events"
                )
        return lines

    def _counted(self, http: httpx.Client) -> dict[str, dict[str, float]]:
        prometheus = self.stack.url("prometheus")
        counted: dict[str, dict[str, float]] = {}
        for kind in KINDS:
            query = f"sum by ({kind.state_label}) ({kind.counter}{{{kind.labels}}})"
            series = backends.prometheus_query(http, prometheus, query)
            counted[kind.name] = {one["labels"][kind.state_label]: one["value"] for one in series}
        return counted
