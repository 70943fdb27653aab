"""What is marked and how it is found: five kinds, each asked of its backend as a person asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from glasshouse_bench.freshness.process import SERVICE
from glasshouse_bench.freshness.service import METRIC, RUN, WORD
from glasshouse_bench.freshness.target import Target

_WINDOW_S = 300
_MOST = 1000
_SERIES = METRIC.replace(".", "_") + "_total"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One thing that happened in the service: when, and by what it is found."""

    word: str
    at_ns: int
    trace_id: str = ""
    number: int = 0


Ask = Callable[[str, Mapping[str, str | int]], Awaitable[Any]]
# Returns the words of those that are there.
Find = Callable[[Ask, Target, str, Sequence[Mark]], Awaitable[set[str]]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of sample.

    path: what of the service makes it happen. goals_s: most seconds, by percentile. poll_s: how
    often is asked, far below what is measured, and no more than the backend takes lightly: Tempo
    takes 10 to 25 ms of CPU time for an answer.
    """

    name: str
    title: str
    path: str
    find: Find
    goals_s: Mapping[int, float]
    poll_s: float


async def _logs(ask: Ask, target: Target, _: str, marks: Sequence[Mark]) -> set[str]:
    words = "|".join(mark.word for mark in marks)
    end = time.time_ns() + 60 * 10**9
    answer = await ask(
        f"{target.loki}/loki/api/v1/query_range",
        {
            "query": f'{{service_name="{SERVICE}"}} |~ "{words}"',
            "start": end - (60 + _WINDOW_S) * 10**9,
            "end": end,
            "limit": _MOST,
        },
    )
    lines = [line for one in answer["data"]["result"] for _, line in one["values"]]
    return {mark.word for mark in marks if any(mark.word in line for line in lines)}


async def _by_id(ask: Ask, target: Target, _: str, marks: Sequence[Mark]) -> set[str]:
    # At once, so that many that wait do not make each other wait longer.
    answers = await asyncio.gather(
        *(ask(f"{target.tempo}/api/v2/traces/{mark.trace_id}", {}) for mark in marks)
    )
    return {
        mark.word
        for mark, answer in zip(marks, answers, strict=True)
        # Other spans of the trace may be there before.
        if answer and mark.word in str(answer.get("trace"))
    }


async def _searched(ask: Ask, target: Target, _: str, marks: Sequence[Mark]) -> set[str]:
    words = "|".join(mark.word for mark in marks)
    now = int(time.time())
    answer = await ask(
        f"{target.tempo}/api/search",
        {
            "q": f'{{span.{WORD}=~"{words}"}}',
            "start": now - _WINDOW_S,
            "end": now + 60,
            "limit": _MOST,
        },
    )
    ids = {one["traceID"].zfill(32) for one in answer.get("traces", [])}
    return {mark.word for mark in marks if mark.trace_id in ids}


def _count(query: Callable[[str], str]) -> Find:
    """Find marks by the number that Prometheus has counted in a run."""

    async def find(ask: Ask, target: Target, run: str, marks: Sequence[Mark]) -> set[str]:
        answer = await ask(f"{target.prometheus}/api/v1/query", {"query": query(run)})
        series = answer["data"]["result"]
        number = float(series[0]["value"][1]) if series else 0.0
        return {mark.word for mark in marks if number >= mark.number}

    return find


KINDS = (
    Kind(
        name="log",
        title="log line, Loki",
        path="log",
        find=_logs,
        goals_s={50: 1.0, 95: 3.0},
        poll_s=0.1,
    ),
    Kind(
        name="trace",
        title="trace by its id, Tempo",
        path="span",
        find=_by_id,
        goals_s={95: 3.0},
        poll_s=0.2,
    ),
    Kind(
        name="search",
        title="TraceQL, Tempo",
        path="span",
        find=_searched,
        goals_s={95: 5.0},
        poll_s=0.25,
    ),
    Kind(
        name="metric",
        title="metric, Prometheus",
        path="metric",
        find=_count(lambda run: f'sum({_SERIES}{{{RUN}="{run}"}})'),
        goals_s={95: 5.0},
        poll_s=0.1,
    ),
    Kind(
        name="event",
        title="event, as a count in Prometheus",
        path="event",
        find=_count(lambda run: f'sum(jobs_total{{job_name="{run}"}})'),
        goals_s={95: 5.0},
        poll_s=0.1,
    ),
)


def asking(http: httpx.AsyncClient) -> Ask:
    """Return a way to ask for a JSON document; None where there is nothing."""

    async def ask(url: str, parameters: Mapping[str, str | int]) -> Any:
        answer = await http.get(url, params=dict(parameters))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return answer.raise_for_status().json()

    return ask
