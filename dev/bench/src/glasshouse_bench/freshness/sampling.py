"""Takes samples: marks at random moments, and asks the backends until each mark is found."""

from __future__ import annotations

import asyncio
import random
import secrets
import string
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from glasshouse_bench.freshness.kinds import KINDS, Ask, Kind, Mark, asking
from glasshouse_bench.freshness.target import Target
from glasshouse_cli.errors import StackError

# Between two marks of a kind, on average. Each wait is drawn anew from 0 to twice this, so that
# marks keep no step with exports, batches and scrapes, whose intervals are shorter.
SPACING_S = 1.2
# After this a mark counts as lost.
PATIENCE_S = 60.0
_TIMEOUT_S = 10.0
# Their first answers are slow, and a new series of an event begins at 0 for some seconds.
WARM_UP = 2
_SILENT_S = 60.0
_LETTERS = 12


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One mark that was found.

    seconds: from the event in the service until the answer that has it. grain_s: of these, how long
    before that answer nobody had asked without finding it.
    """

    seconds: float
    grain_s: float


@dataclass
class Series:
    """All samples of one kind. asked: answers of the backend; failed: those that were errors."""

    kind: Kind
    samples: list[Sample] = field(default_factory=list[Sample])
    lost: int = 0
    asked: int = 0
    failed: int = 0
    answers_s: list[float] = field(default_factory=list[float])
    waiting: dict[str, tuple[Mark, float]] = field(default_factory=dict[str, tuple[Mark, float]])
    is_marked: bool = False


def word() -> str:
    """Return a new word, of letters alone: redaction takes none for a number or an id.

    No seed repeats it: what an earlier run has stored would be found at once.
    """
    return "mark" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS))


async def run(
    target: Target,
    service: str,
    name: str,
    *,
    samples: int,
    rng: random.Random,
    note: Callable[[str], None],
    kinds: Sequence[Kind] = KINDS,
) -> list[Series]:
    """Take that many samples of each kind, side by side.

    service: the address of the one that is watched. name: the run's word, as the service has it.

    Raises:
        StackError: the service does not answer, or a backend gives no answer for a minute.
    """
    found = [Series(kind) for kind in kinds]
    limits = httpx.Limits(max_connections=32)
    async with (
        httpx.AsyncClient(
            headers=target.reader, timeout=_TIMEOUT_S, trust_env=False, limits=limits
        ) as reader,
        httpx.AsyncClient(base_url=service, timeout=_TIMEOUT_S, trust_env=False) as marker,
    ):
        ask = asking(reader)

        async def one(series: Series, rng: random.Random) -> None:
            await _warm(series, marker, ask, target, name, rng)
            async with asyncio.TaskGroup() as group:
                group.create_task(_mark(series, marker, samples, rng))
                group.create_task(_poll(series, ask, target, name))

        async def progress() -> None:
            while True:
                done = ", ".join(f"{one.kind.name} {len(one.samples)}" for one in found)
                note(f"{done} of {samples}")
                await asyncio.sleep(1.0)

        shown = asyncio.create_task(progress())
        try:
            async with asyncio.TaskGroup() as group:
                for series in found:
                    # Of its own, so that one kind's waits do not depend on another's.
                    group.create_task(one(series, random.Random(rng.getrandbits(64))))  # noqa: S311
        except BaseExceptionGroup as group:
            raise _cause(group) from None
        finally:
            shown.cancel()
    return found


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first of what tasks ended with, in words where it is a service's silence."""
    first = group.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _cause(first)
    if isinstance(first, httpx.HTTPError):
        what = str(first) or type(first).__name__
        return StackError(f"the service that is watched does not answer: {what}")
    return first


async def _warm(
    series: Series,
    marker: httpx.AsyncClient,
    ask: Ask,
    target: Target,
    name: str,
    rng: random.Random,
) -> None:
    """Take samples that do not count."""
    first = Series(series.kind)
    for _ in range(WARM_UP):
        first.is_marked = False
        await _mark(first, marker, len(first.samples) + first.lost + 1, rng, spacing_s=0.0)
        await _poll(first, ask, target, name)
    if first.lost:
        raise StackError(
            f"{series.kind.title}: nothing found after {PATIENCE_S:.0f} s: `make doctor` says why"
        )


async def _mark(
    series: Series,
    marker: httpx.AsyncClient,
    samples: int,
    rng: random.Random,
    spacing_s: float = SPACING_S,
) -> None:
    done = len(series.samples) + series.lost
    for _ in range(samples - done):
        await asyncio.sleep(rng.uniform(0, 2 * spacing_s))
        chosen = word()
        answer = await marker.get(f"/mark/{series.kind.path}/{chosen}")
        said = answer.raise_for_status().json()
        series.waiting[chosen] = (Mark(word=chosen, **said), said["at_ns"] / 1e9)
    series.is_marked = True


async def _poll(series: Series, ask: Ask, target: Target, name: str) -> None:
    """Ask until all is marked and each mark is found or lost."""
    answered_at = time.monotonic()
    while series.waiting or not series.is_marked:
        began = time.monotonic()
        marks = [mark for mark, _ in series.waiting.values()]
        if marks:
            series.asked += 1
            try:
                words = await series.kind.find(ask, target, name, marks)
            except (httpx.HTTPError, KeyError, ValueError):
                series.failed += 1
                words = set[str]()
            else:
                answered_at = time.monotonic()
            ended = time.monotonic()
            series.answers_s.append(ended - began)
            _sort(series, marks, words, began, ended)
            if ended - answered_at > _SILENT_S:
                raise StackError(
                    f"{series.kind.title}: no answer for {_SILENT_S:.0f} s: `make doctor` says why"
                )
        else:
            answered_at = began
        await asyncio.sleep(max(0.0, began + series.kind.poll_s - time.monotonic()))


def _sort(
    series: Series, marks: Sequence[Mark], words: set[str], began: float, ended: float
) -> None:
    for mark in marks:
        # Until when it was surely not there: when the last question without it was asked.
        absent_at = series.waiting[mark.word][1]
        seconds = ended - mark.at_ns / 1e9
        if mark.word in words:
            series.samples.append(Sample(seconds=seconds, grain_s=ended - absent_at))
            del series.waiting[mark.word]
        elif seconds > PATIENCE_S:
            series.lost += 1
            del series.waiting[mark.word]
        else:
            series.waiting[mark.word] = (mark, began)
