"""How soon a log, a trace and a metric can be queried after the Collector took them."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from support import backends, otlp
from support.stack import Stack
from support.waiting import until


def arrives(what: str, deadline_s: float, look: Callable[[], list[Any]]) -> None:
    def probe() -> tuple[list[Any] | None, object]:
        found = look()
        return (found or None), found

    until(probe, what=what, deadline_s=deadline_s)


@pytest.fixture
def word() -> str:
    return "fresh" + secrets.token_hex(6)


@pytest.fixture
def sender(stack: Stack) -> Iterator[otlp.Sender]:
    with contextlib.closing(otlp.Sender(stack.otlp, "freshness")) as opened:
        yield opened


def test_a_log_is_queryable_in_three_seconds(
    http: httpx.Client, stack: Stack, sender: otlp.Sender, word: str
) -> None:
    loki = stack.url("loki")
    sender.logs([otlp.log(word)])
    query = f'{{service_name="freshness"}} |= "{word}"'
    arrives("the log", 3, lambda: backends.loki_lines(http, loki, query))


def test_a_trace_is_found_by_traceql_in_five_seconds(
    http: httpx.Client, stack: Stack, sender: otlp.Sender, word: str
) -> None:
    tempo = stack.url("tempo")
    sender.spans([otlp.span("freshness", {"word": word})])
    arrives("the trace", 5, lambda: backends.tempo_search(http, tempo, f'{{span.word="{word}"}}'))


def test_a_metric_is_queryable_in_five_seconds(
    http: httpx.Client, stack: Stack, sender: otlp.Sender, word: str
) -> None:
    prometheus = stack.url("prometheus")
    sender.metrics([otlp.gauge("freshness", 1.0, {"word": word})])
    query = f'freshness{{word="{word}"}}'
    arrives("the metric", 5, lambda: backends.prometheus_query(http, prometheus, query))


def test_a_derived_metric_is_queryable_in_five_seconds(
    http: httpx.Client, stack: Stack, sender: otlp.Sender, word: str
) -> None:
    prometheus = stack.url("prometheus")
    event = {"job.name": word, "job.outcome": "succeeded", "job.duration": 0.5}
    series = f'jobs_total{{job_name="{word}"}}'

    def count(number: int) -> Callable[[], list[Any]]:
        return lambda: backends.prometheus_query(http, prometheus, f"{series} == {number}")

    # The first event of a name that nobody listed: its series is exposed at 0 for three seconds.
    sender.logs([otlp.log("Job finished", event, event="job.finished")])
    arrives("the first count", 8, count(1))
    sender.logs([otlp.log("Job finished", event, event="job.finished")])
    arrives("the count", 5, count(2))
