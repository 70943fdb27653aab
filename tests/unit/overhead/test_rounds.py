"""Rounds take turns, go on where they ended, and end in time."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from glasshouse_bench.overhead import load, measure, rounds
from glasshouse_bench.overhead.command import ROUNDS
from glasshouse_bench.overhead.environments import Environment
from glasshouse_bench.overhead.variants import SERVERS, VARIANTS
from glasshouse_cli.errors import StackError
from support import overhead

HERE = Environment(Path("/nowhere"), {})


def plan(turns: int = 3) -> rounds.Plan:
    return rounds.Plan(
        variants=[VARIANTS[one] for one in overhead.VARIANTS],
        servers=SERVERS,
        rounds=turns,
        size=measure.Size(loads=[load.BY_NAME[one] for one in overhead.LOADS]),
        kinds=("words",),
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, str]]:
    """What is measured, in order; each process takes a hundredth of a second."""
    found: list[tuple[int, str, str]] = []

    async def one(_: rounds.Plan, variant: Any, server: str, turn: int, *__: object) -> Any:
        time.sleep(0.01)  # noqa: ASYNC251  # nothing else runs
        found.append((turn, server, variant.name))
        return overhead.run(turn, server, variant.name, 100.0)

    monkeypatch.setattr(rounds, "one", one)
    return found


async def go(document: dict[str, Any], turns: int, ends_at: float | None = None) -> bool:
    saved: list[int] = []
    known = len(document["runs"])
    is_whole = await rounds.run(
        plan(turns),
        dict.fromkeys(overhead.VARIANTS, HERE),
        None,
        document,
        note=lambda _: None,
        save=lambda: saved.append(len(document["runs"])),
        ends_at=ends_at,
    )
    # After each process, so that nothing is lost.
    assert saved == list(range(known + 1, len(document["runs"]) + 1))
    return is_whole


def test_each_round_has_all_once_and_another_goes_first() -> None:
    cells = list(plan().cells())
    assert Counter((turn, server, one.name) for turn, server, one in cells) == Counter(
        (turn, server, name)
        for turn in range(3)
        for server in SERVERS
        for name in overhead.VARIANTS
    )
    firsts = [one.name for turn, server, one in cells if server == "h11"][::3]
    assert sorted(firsts) == sorted(overhead.VARIANTS)


async def test_a_run_goes_on_where_it_ended(measured: list[tuple[int, str, str]]) -> None:
    whole = overhead.document()
    document = overhead.document(runs=whole["runs"][:8])
    assert await go(document, 3)
    assert len(document["runs"]) == len(whole["runs"])
    done = {(one["round"], one["server"], one["variant"]) for one in whole["runs"][:8]}
    assert not done & set(measured)
    assert done | set(measured) == {
        (turn, server, name)
        for turn in range(3)
        for server in SERVERS
        for name in overhead.VARIANTS
    }


async def test_a_process_that_fails_is_measured_once_more(
    measured: list[tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    whole = rounds.one

    async def one(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        # One fault, and later two in a row.
        if calls in {3, 6, 7}:
            raise StackError("the API answers 503")
        return await whole(*arguments)

    monkeypatch.setattr(rounds, "one", one)
    document = overhead.document(runs=[])
    with pytest.raises(StackError, match="answers 503"):
        await go(document, 3)
    # The first fault cost nothing; what was measured before the others is kept.
    assert len(document["runs"]) == len(measured) == 4


async def test_no_round_begins_that_would_end_late(measured: list[tuple[int, str, str]]) -> None:
    assert not await go(overhead.document(runs=[]), 50, ends_at=time.monotonic())
    # The first is measured whole all the same.
    assert len(measured) == 6
    assert {turn for turn, *_ in measured} == {0}


def test_the_estimate_is_of_what_is_left() -> None:
    left = [
        rounds.remaining_s(plan(turns), overhead.document(runs=overhead.document()["runs"][:count]))
        for turns, count in ((3, 0), (3, 6), (3, 18), (4, 18))
    ]
    assert left[0] > left[1] > left[3] > left[2] == 0


@pytest.mark.parametrize(
    ("names", "minutes"),
    [(list(VARIANTS), 40), (["off", "glasshouse"], 12)],
)
def test_a_whole_run_is_estimated_below_its_bound(names: list[str], minutes: float) -> None:
    whole = rounds.Plan(
        variants=[VARIANTS[one] for one in names],
        servers=SERVERS,
        rounds=ROUNDS,
        size=measure.Size(loads=load.LOADS),
        kinds=measure.ALL_KINDS,
    )
    assert rounds.remaining_s(whole, overhead.document(runs=[])) < minutes * 60
