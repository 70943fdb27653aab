"""What `make bench` makes of its figures: medians, ratios by round, goals, changes."""

from typing import Any

import pytest

from glasshouse_bench.overhead import figures, goals
from glasshouse_bench.overhead.figures import Spread
from support import overhead


def test_a_ratio_is_made_of_the_rounds_that_both_have() -> None:
    cell = figures.cell(overhead.document(), "h11", "glasshouse", "post")
    assert cell is not None
    assert cell.us == Spread(median=200, least=100, most=200)
    assert cell.ratio == Spread(median=0.8, least=0.5, most=0.9)
    assert (cell.rounds, cell.other_threads_us) == (3, 20)
    assert cell.sent == {"spans": 2.0, "bytes": 500.0}

    document = overhead.document()
    document["runs"] = [
        one
        for one in document["runs"]
        if not (one["round"] == 2 and one["server"] == "h11" and one["variant"] == "off")
    ]
    cell = figures.cell(document, "h11", "glasshouse", "post")
    assert cell is not None
    assert cell.ratio == Spread(median=(0.9 + 0.8) / 2, least=0.8, most=0.9)
    assert cell.us.median == 200


def test_what_ran_beside_makes_the_ratio_and_not_the_process_of_another_minute() -> None:
    document = overhead.document()
    for one in document["runs"]:
        if one["variant"] == "glasshouse":
            for cost in one["loads"].values():
                cost["base_us"] = cost["us"] * 0.7
    cell = figures.cell(document, "h11", "glasshouse", "post")
    assert cell is not None
    assert cell.ratio is not None
    assert (cell.ratio.least, cell.ratio.most) == (pytest.approx(0.7), pytest.approx(0.7))
    # A result of before has nothing beside.
    cell = figures.cell(document, "h11", "stock", "post")
    assert cell is not None
    assert cell.ratio == Spread(median=0.4, least=0.25, most=0.5)


def test_what_all_is_divided_by_has_no_ratio_and_what_was_not_measured_no_cell() -> None:
    document = overhead.document()
    base = figures.cell(document, "h11", "off", "post")
    assert base is not None
    assert base.ratio is None
    assert base.us.median == 100
    assert figures.cell(document, "h11", "logfire", "post") is None
    assert figures.cell({**document, "runs": []}, "h11", "off", "post") is None


def test_memory_start_batches_and_lines() -> None:
    document = overhead.document()
    assert figures.memory(document, "h11", "glasshouse") == Spread(median=113, least=112, most=114)
    assert figures.start(document, "h11", "off") == Spread(median=1001, least=1000, most=1002)
    batch = figures.batch_ms(document, "h11", "glasshouse", "known", "hold_ms")
    assert batch == Spread(median=4.1, least=4, most=4.2)
    batch = figures.batch_ms(document, "h11", "glasshouse", "known")
    assert batch == Spread(median=10, least=10, most=10)
    batch = figures.batch_ms(document, "h11", "glasshouse", "new", "stop_ms")
    assert batch == Spread(median=1, least=1, most=1)
    assert figures.batch_ms(document, "h11", "off", "new") is None
    found = figures.line_ms(document, "h11", "off")
    assert found == {
        "words": Spread(median=2.0, least=1.0, most=3.0),  # without what was collected meanwhile
        "json": Spread(median=7.5, least=7.5, most=7.5),
    }
    found = figures.line_ms(document, "h11", "off", "stop_ms")
    assert found["words"] == Spread(median=3.0, least=2.0, most=9.0)
    assert figures.line_ms({**document, "runs": []}, "h11", "off") == {}


def judged(document: dict[str, Any]) -> dict[tuple[str, str | None], tuple[str, bool]]:
    return {(one.what, one.server): (one.measured, one.is_met) for one in goals.judged(document)}


def test_goals_are_judged_by_the_median_and_bounds_by_the_worst() -> None:
    found = judged(overhead.document())
    assert found["POST /payments", "h11 + asyncio"] == ("0.80 (0.50 to 0.90)", True)
    batch = "export of a batch of spans with {} paths, hold of the interpreter"
    assert found[batch.format("known"), "h11 + asyncio"] == ("4.1 ms (at most 4.2)", True)
    assert found[batch.format("known"), "httptools + uvloop"] == ("6.1 ms (at most 6.2)", False)
    assert found[batch.format("new"), "h11 + asyncio"] == ("7.1 ms (at most 7.2)", False)
    line = "one long log line, longest stop of the event loop"
    assert found[line, "h11 + asyncio"] == (
        "7.5 ms (at most 7.5; json; the machine by itself 6.5)",
        False,
    )
    assert found["memory beyond that without telemetry", "h11 + asyncio"] == ("12 MB", True)
    assert found["import of glasshouse, CPU time", None] == ("120 ms", True)
    assert len(found) == 2 * 6 + 1


def test_a_result_without_holds_is_judged_by_all_of_the_work() -> None:
    document = overhead.document()
    for run in document["runs"]:
        for batches in run.get("stops", {}).get("batches", {}).values():
            for one in batches:
                del one["hold_ms"]
    assert figures.batch_ms(document, "h11", "glasshouse", "known", "hold_ms") is None
    batch = "export of a batch of spans with known paths, hold of the interpreter"
    assert judged(document)[batch, "h11 + asyncio"] == ("10.0 ms (at most 10.0)", False)


def test_a_goal_without_a_figure_is_not_judged() -> None:
    document = overhead.document(imports=None)
    document["runs"] = [one for one in document["runs"] if one["variant"] == "off"]
    assert goals.judged(document) == []


def test_a_change_is_certain_where_the_rounds_do_not_overlap() -> None:
    before, now = overhead.document(), overhead.document()
    for one in now["runs"]:
        if one["variant"] == "glasshouse" and one["server"] == "h11":
            one["loads"]["post"]["us"] /= 2
            one["loads"]["trivial"]["us"] *= 1.1
    changes = {
        (one.server, one.variant, one.load): (one.before.median, one.now.median, one.is_certain)
        for one in figures.changes(before, now)
    }
    assert changes["h11", "glasshouse", "post"] == (0.8, 1.6, True)
    assert changes["h11", "glasshouse", "trivial"] == (0.8, pytest.approx(0.8 / 1.1), False)
    assert changes["httptools", "stock", "post"] == (0.4, 0.4, False)
    assert len(changes) == 2 * 2 * 2


def test_what_only_one_result_has_is_not_compared() -> None:
    now = overhead.document()
    before = overhead.document(runs=[one for one in now["runs"] if one["variant"] != "stock"])
    before["settings"] = {**before["settings"], "loads": {"post": "POST /payments"}}
    found = {(one.server, one.variant, one.load) for one in figures.changes(before, now)}
    assert found == {("h11", "glasshouse", "post"), ("httptools", "glasshouse", "post")}
