"""Stand-ins for what the freshness bench watches and asks, and a result with easy figures."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glasshouse_bench.freshness.kinds import Ask, Kind, Mark
from glasshouse_bench.freshness.target import Target
from glasshouse_cli import operator
from support.http_server import Handler, serving


@contextlib.contextmanager
def service() -> Iterator[str]:
    """A service each of whose marks happens when it is asked for; yields its address."""

    class Marking(Handler):
        def do_GET(self) -> None:
            said = {"at_ns": time.monotonic_ns(), "trace_id": "0" * 32, "number": 1}
            self.answer(json.dumps(said).encode())

    with serving(Marking) as url:
        yield url


def target(state: Path) -> Target:
    """A stack that nobody asks: kinds of a test's own find by themselves."""
    secrets = state / "secrets"
    secrets.mkdir(parents=True)
    (secrets / operator.SECRET).write_text("password", encoding="ascii")
    nowhere = "http://127.0.0.1:9"
    return Target(otlp=nowhere, loki=nowhere, tempo=nowhere, prometheus=nowhere, state=state)


@dataclass
class Backend:
    """Finds a mark once it is that old, and never those of which ``hides`` says so."""

    after_s: float
    hides: int = 0
    seen: list[str] = field(default_factory=list[str])

    async def find(self, _: Ask, __: Target, ___: str, marks: Sequence[Mark]) -> set[str]:
        now = time.monotonic()
        for mark in marks:
            if mark.word not in self.seen:
                self.seen.append(mark.word)
        hidden = set(self.seen[len(self.seen) - self.hides :]) if self.hides else set[str]()
        return {
            mark.word
            for mark in marks
            if now - mark.at_ns / 1e9 >= self.after_s and mark.word not in hidden
        }

    def kind(self, name: str, goals_s: Mapping[int, float] | None = None) -> Kind:
        return Kind(
            name=name,
            title=name,
            path="log",
            find=self.find,
            goals_s=goals_s or {95: 3.0},
            poll_s=0.02,
        )


def document(**changes: Any) -> dict[str, Any]:
    """A result of 100 samples of each kind: 0.01 to 1.00 s, and the search ten times that."""
    runs = [
        {
            "requests_per_minute": rate,
            "sent_per_minute": float(rate),
            "requests_failed": 0,
            "seed": 7,
            "kinds": {
                name: _kind([factor * one / 100 for one in range(1, 101)])
                for name, factor in {"log": 1, "trace": 1, "search": 10}.items()
            },
        }
        for rate in (0, 2000)
    ]
    return {
        "schema": 1,
        "kind": "freshness",
        "measured": "2026-01-02T03:04:05Z",
        "source": {"commit": "0123456789ab", "changed": False},
        "machine": {
            "processor": "Example 9000",
            "cores": 2,
            "memory_gib": 7.8,
            "kernel": "6.1.0",
            "python": "3.11.7",
        },
        "load_average": {"before": [0.1, 0.2, 0.3], "after": [1, 2, 3]},
        "versions": {"loki": "grafana/loki:3.7.8"},
        "settings": {"samples": 100, "spacing_s": 1.2, "poll_s": {}, "variables": {}},
        "runs": runs,
    } | changes


def _kind(seconds: list[float]) -> dict[str, Any]:
    return {
        "found": len(seconds),
        "lost": 0,
        "p50_s": seconds[49],
        "p95_s": seconds[94],
        "p99_s": seconds[98],
        "least_s": seconds[0],
        "most_s": seconds[-1],
        "grain_p50_s": 0.1,
        "grain_p95_s": 0.12,
        "answers": 500,
        "answers_failed": 0,
        "answer_p50_s": 0.01,
        "samples_s": seconds,
    }
