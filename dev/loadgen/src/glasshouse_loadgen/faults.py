"""A seeded schedule of faults, played through the sandbox's switches."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from glasshouse_cli.errors import StackError
from glasshouse_loadgen import loopback

_TIMEOUT_S: Final = 5.0
# The end of a run has no faults, so that the backlog can be worked off.
_LAST_SHARE: Final = 0.85

# Title, service of the sandbox, fault. Each is played once, in an order the seed decides.
KINDS: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("payment outage", "chain", {"mode": "down"}),
    ("payments revert", "chain", {"mode": "revert", "rate": 0.7}),
    ("payments are never mined", "chain", {"mode": "never_mine", "rate": 0.3}),
    ("slow chain", "chain", {"mode": "slow", "delay": 1.5}),
    ("slow mail server", "smtp", {"mode": "slow", "delay": 2.0}),
    ("mailboxes refuse", "smtp", {"mode": "error", "status": 550, "rate": 0.8}),
    ("SMS provider fails", "sms", {"mode": "error", "rate": 0.7}),
    ("devices are gone", "push", {"mode": "error", "status": 410, "rate": 0.7}),
)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One fault, from ``start`` to ``end``, in seconds since the traffic began."""

    title: str
    service: str
    fault: Mapping[str, Any]
    start: float
    end: float


def plan(duration: float, seed: int) -> list[Episode]:
    """Return the episodes of a run of ``duration`` seconds, one after the other."""
    # Not for secrets: it must be repeatable.
    rng = random.Random(seed)  # noqa: S311 (see above)
    kinds = list(KINDS)
    rng.shuffle(kinds)
    slot = duration * _LAST_SHARE / len(kinds)
    episodes: list[Episode] = []
    for number, (title, service, fault) in enumerate(kinds):
        start = slot * (number + rng.uniform(0.05, 0.15))
        end = start + slot * rng.uniform(0.7, 0.8)
        episodes.append(Episode(title=title, service=service, fault=fault, start=start, end=end))
    return episodes


class Switchboard:
    """The sandbox's switches. As a context manager it leaves all services healthy."""

    def __init__(self, sandbox: str) -> None:
        self._url = loopback.check(sandbox)
        self._http = httpx.Client(base_url=self._url, timeout=_TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Switchboard:
        # What an earlier run may have left when it was killed.
        self.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        self._http.close()

    def clear(self) -> None:
        """End all faults. Raises StackError."""
        self._call("DELETE", "/faults")

    def set(self, service: str, fault: Mapping[str, Any]) -> None:
        """Begin one fault in place of the service's present one. Raises StackError."""
        self._call("PUT", f"/faults/{service}", dict(fault))

    def _call(self, method: str, path: str, body: Any = None) -> None:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            reason = type(error).__name__
            raise StackError(f"the sandbox at {self._url} does not answer ({reason})") from error
        if not answer.is_success:
            raise StackError(f"the sandbox refuses {method} {path}: {answer.text[:200]}")


class Player:
    """Plays a plan as time goes on."""

    def __init__(self, switches: Switchboard, episodes: list[Episode]) -> None:
        self._switches = switches
        self._waiting = deque(episodes)
        self._current: Episode | None = None

    def step(self, now: float) -> str:
        """Switch what is due ``now``, in seconds since the traffic began.

        Returns the title of the fault that is on, empty when there is none. A fault whose time is
        over is played late rather than never. Raises StackError.
        """
        if self._current is not None and now >= self._current.end:
            self._switches.set(self._current.service, {"mode": "none"})
            self._current = None
        if self._current is None and self._waiting and now >= self._waiting[0].start:
            self._current = self._waiting.popleft()
            self._switches.set(self._current.service, self._current.fault)
        return self._current.title if self._current else ""
