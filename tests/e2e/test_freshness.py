"""How soon a log, a trace and a metric can be queried after the Collector took them."""

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from glasshouse_bench.freshness import figures, measure
from glasshouse_bench.freshness.kinds import KINDS
from glasshouse_bench.freshness.target import Target
from support import backends, otlp, timing
from support.stack import Stack
from support.waiting import until
from support.words import fresh

pytestmark = pytest.mark.alone  # seconds are held to a bound

SAMPLES = 3
# Names of jobs that are counted for themselves are few.
FIRST_ATTEMPTS = 4


def seconds_until(what: str, look: Callable[[], list[Any]]) -> float:
    """Wait until something is found; return how long that took."""

    def probe() -> tuple[list[Any] | None, object]:
        found = look()
        return (found or None), found

    started = time.monotonic()
    until(probe, what=what)
    return time.monotonic() - started


def assert_fresh(
    what: str, bound_s: float, attempt: Callable[[str], float], *, attempts: int = timing.ATTEMPTS
) -> None:
    """Hold what an attempt takes to a bound.

    attempt: sends something with a word, and returns how long it took to be found.
    """
    timing.assert_within(bound_s, lambda: attempt(fresh("fresh")), what=what, attempts=attempts)


@pytest.fixture
def sender(stack: Stack) -> Iterator[otlp.Sender]:
    with contextlib.closing(otlp.Sender(stack.otlp, otlp.BELIEVED, stack.sender)) as opened:
        yield opened


def test_a_log_is_queryable_in_three_seconds(
    http: httpx.Client, stack: Stack, sender: otlp.Sender
) -> None:
    def attempt(word: str) -> float:
        sender.logs([otlp.log(word)])
        query = f'{{service_name="{otlp.BELIEVED}"}} |= "{word}"'
        return seconds_until("the log", lambda: backends.loki_lines(http, stack.url("loki"), query))

    assert_fresh("a log", 3, attempt)


def test_a_trace_is_found_by_traceql_in_five_seconds(
    http: httpx.Client, stack: Stack, sender: otlp.Sender
) -> None:
    def attempt(word: str) -> float:
        sender.spans([otlp.span("freshness", {"word": word})])
        query = f'{{span.word="{word}"}}'
        return seconds_until(
            "the trace", lambda: backends.tempo_search(http, stack.url("tempo"), query)
        )

    assert_fresh("a trace", 5, attempt)


def test_a_metric_is_queryable_in_five_seconds(
    http: httpx.Client, stack: Stack, sender: otlp.Sender
) -> None:
    def attempt(word: str) -> float:
        sender.metrics([otlp.gauge("freshness", 1.0, {"word": word})])
        query = f'freshness{{word="{word}"}}'
        return seconds_until(
            "the metric", lambda: backends.prometheus_query(http, stack.url("prometheus"), query)
        )

    assert_fresh("a metric", 5, attempt)


def test_a_derived_metric_is_queryable_in_five_seconds(
    http: httpx.Client, stack: Stack, sender: otlp.Sender
) -> None:
    known: list[str] = []

    def counted(word: str, number: int) -> float:
        event = {"job.name": word, "job.outcome": "succeeded", "job.duration": 0.5}
        query = f'jobs_total{{job_name="{word}"}} == {number}'
        sender.logs([otlp.log("Job finished", event, event="job.finished")])
        return seconds_until(
            f"count {number}",
            lambda: backends.prometheus_query(http, stack.url("prometheus"), query),
        )

    def first(word: str) -> float:
        known.append(word)
        return counted(word, 1)

    # The first event of a name that nobody listed: its series is exposed at 0 for three seconds.
    assert_fresh("the first count", 8, first, attempts=FIRST_ATTEMPTS)
    numbers = itertools.count(2)
    assert_fresh("a count", 5, lambda _: counted(known[0], next(numbers)))


@pytest.mark.parametrize("per_minute", [0, 600])
def test_the_bench_finds_each_kind_that_a_service_sends(stack: Stack, per_minute: int) -> None:
    target = Target(
        otlp=stack.otlp,
        loki=stack.address("loki"),
        tempo=stack.address("tempo"),
        prometheus=stack.address("prometheus"),
        state=stack.state,
    )
    seed = secrets.randbelow(2**31)
    run = asyncio.run(
        measure.run(target, per_minute=per_minute, samples=SAMPLES, seed=seed, settle_s=0)
    )
    assert (run["requests_per_minute"], run["seed"]) == (per_minute, seed)
    assert run["requests_failed"] == 0
    assert bool(run["sent_per_minute"]) is bool(per_minute)
    assert list(run["kinds"]) == [kind.name for kind in KINDS]
    for name, found in run["kinds"].items():
        # Not how long it took: a machine may be ten times slower.
        assert (found["found"], found["lost"]) == (SAMPLES, 0), name
        assert found["answers_failed"] < found["answers"], name
        assert 0 < found["least_s"] <= found["p50_s"] <= found["p99_s"] <= found["most_s"], name
        assert found["grain_p50_s"] <= found["most_s"], name
    judged = figures.judged({"runs": [run]})
    assert len(judged) == sum(len(kind.goals_s) for kind in KINDS)
