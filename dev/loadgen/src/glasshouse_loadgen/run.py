"""Runs the traffic: Locust's users, at a fixed rate, for a fixed time."""

from __future__ import annotations

# First of all: it makes sockets cooperative, which must precede their use.
from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment

# isort: split

import itertools
import json
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import gevent

from glasshouse_loadgen import actions, people

USERS: Final = 10
_TIMEOUT_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to run. ``rate`` in requests a second, ``duration`` in seconds.

    ``key``: of the caller that the service knows.
    """

    host: str
    duration: float
    rate: float
    seed: int
    key: str = ""
    currencies: tuple[str, ...] = actions.CURRENCIES


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of request; times in milliseconds."""

    name: str
    requests: int
    wrong: int
    median: float
    p95: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """How the run went. ``reasons``: what was wrong with answers, and how often."""

    rows: list[Row]
    reasons: dict[str, int]
    interrupted: bool

    @property
    def requests(self) -> int:
        return sum(row.requests for row in self.rows)

    @property
    def wrong(self) -> int:
        return sum(row.wrong for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The state of a run that goes on."""

    seconds: float
    requests: int
    wrong: int
    fault: str


def run(
    load: Load,
    *,
    play: Callable[[float], str],
    on_moment: Callable[[Moment], None],
    stop: Sequence[int],
) -> Report:
    """Run the traffic to its end, or until ``stop`` has something in it.

    ``play`` is called now and then with the seconds since the start; it switches faults, and
    names the one that is on. What it raises ends the run.
    """
    environment = Environment(user_classes=[_user_class(load)], events=events, host=load.host)
    runner = environment.create_local_runner()
    started = time.monotonic()
    runner.start(USERS, spawn_rate=USERS)
    try:
        while (now := time.monotonic() - started) < load.duration and not stop:
            # Asked anew: the runner starts its statistics afresh when the users are there.
            total = environment.stats.total
            on_moment(
                Moment(
                    seconds=now,
                    requests=total.num_requests,
                    wrong=total.num_failures,
                    fault=play(now),
                )
            )
            gevent.sleep(_LOOK_EVERY_S)
    finally:
        runner.quit()
    return _report(environment, interrupted=bool(stop))


@contextmanager
def signals_noted() -> Iterator[list[int]]:
    """Note SIGINT and SIGTERM in a list instead of dying of them."""
    seen: list[int] = []
    before = {
        number: signal.signal(number, lambda got, frame: seen.append(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _user_class(load: Load) -> type[FastHttpUser]:
    crowd = people.make_people(people.PEOPLE, load.seed)
    numbers = itertools.count()

    class DemoUser(FastHttpUser):
        host = load.host
        wait_time = constant_throughput(load.rate / USERS)
        connection_timeout = network_timeout = _TIMEOUT_S

        def on_start(self) -> None:
            # One random generator per user: what a user does follows from the seed alone.
            number = next(numbers)
            self.rng = random.Random(f"{load.seed}:{number}")  # noqa: S311 (not for secrets)
            self.visitors = [
                actions.Visitor(
                    person=person, rng=self.rng, key=load.key, currencies=load.currencies
                )
                for person in crowd[number::USERS]
            ]
            # Users who start together would also go on together.
            gevent.sleep(self.rng.random() * USERS / load.rate)

        @task
        def act(self) -> None:
            visitor = self.rng.choice(self.visitors)
            call = actions.next_call(visitor)
            with self.client.request(
                call.method,
                call.path,
                name=call.name,
                data=call.body or None,
                headers=dict(call.headers),
                allow_redirects=False,
                catch_response=True,
            ) as answer:
                if answer.status_code in call.expected:
                    answer.success()
                    actions.remember(visitor, call, _object(answer.text))
                else:
                    answer.failure(f"{call.name}: HTTP {answer.status_code}")

    return DemoUser


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _report(environment: Environment, *, interrupted: bool) -> Report:
    rows = [
        Row(
            name=entry.name,
            requests=entry.num_requests,
            wrong=entry.num_failures,
            median=float(entry.median_response_time or 0),
            p95=float(entry.get_response_time_percentile(0.95) or 0),
        )
        for entry in environment.stats.entries.values()
    ]
    reasons = {str(error.error): error.occurrences for error in environment.stats.errors.values()}
    return Report(
        rows=sorted(rows, key=lambda row: row.name), reasons=reasons, interrupted=interrupted
    )
