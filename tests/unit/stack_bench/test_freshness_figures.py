"""Percentiles, goals and the page's table are those of the samples."""

import random
import secrets
import statistics

import pytest

from glasshouse_bench.freshness import command, figures, page
from glasshouse_cli.errors import StackError
from support import freshness


def test_a_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown where the test fails)
    rng = random.Random(seed)  # noqa: S311 (not for secrets)
    for _ in range(200):
        values = sorted(rng.expovariate(1) for _ in range(rng.randrange(1, 300)))
        for share in figures.PERCENTILES:
            found = figures.percentile(values, share)
            assert found in values
            assert sum(one <= found for one in values) >= share / 100 * len(values)
            assert sum(one < found for one in values) < share / 100 * len(values)
        assert figures.percentile(values, 50) == statistics.median_low(values)


def test_a_goal_is_met_at_its_percentile() -> None:
    judged = {
        (one.kind, one.per_minute, one.percentile): one
        for one in figures.judged(freshness.document())
    }
    # Of those that were measured, under each load.
    assert set(judged) == {
        (kind, rate, share)
        for rate in (0, 2000)
        for kind, share in (("log", 50), ("log", 95), ("trace", 95), ("search", 95))
    }
    assert judged["log", 0, 50].measured_s == 0.5
    assert judged["log", 0, 50].is_met
    assert judged["search", 2000, 95].measured_s == 9.5
    assert not judged["search", 2000, 95].is_met


def test_a_kind_that_lost_a_mark_meets_no_goal() -> None:
    document = freshness.document()
    document["runs"][0]["kinds"]["trace"]["lost"] = 1
    judged = {(one.kind, one.per_minute): one.is_met for one in figures.judged(document)}
    assert not judged["trace", 0]
    assert judged["trace", 2000]
    assert (
        "| 0.99 | 1.00, **1 lost** | 0.10 | p95 3 | **missed: p95** |\n"
        in (page.parts(document)["freshness"])
    )


def test_the_table_has_the_figures() -> None:
    made = page.parts(freshness.document())["freshness"]
    assert made.startswith("6 of 8 goals are met. Seconds.\n\n|  | requests a minute | p50 |")
    assert (
        "| log line, Loki | 2,000 | 0.50 | 0.95 | 0.99 | 1.00 | 0.10 | p50 1, p95 3 | met |\n"
    ) in made
    assert "| 9.50 | 9.90 | 10.00 | 0.10 | p95 5 | **missed: p95** |\n" in made
    assert "Seeds: 7 at 0, 7 at 2,000 requests a minute.\n" in made
    assert "commit 0123456789ab.\n" in made


def test_a_busy_machine_is_said() -> None:
    document = freshness.document(load_average={"before": [0.9, 6.25, 3.0], "after": None})
    assert page.parts(document)["freshness"].startswith(
        "**Measured on a busy machine: a load of 6.2 on 2 cores before it began."
    )


@pytest.mark.parametrize("text", ["", "fast", "0,-1", "1.5"])
def test_a_load_that_is_none_is_one_line(text: str) -> None:
    with pytest.raises(StackError, match=r"^--load .* is no number of requests a minute$"):
        command.parse_loads(text)


def test_loads_and_variables_are_read() -> None:
    assert command.parse_loads("0, 2000,0") == [0, 2000]
    assert command.parse_variables(["A=1", "B=x=y", "C="]) == {"A": "1", "B": "x=y", "C": ""}
    for wrong in ("A", "=1", ""):
        with pytest.raises(StackError, match="write NAME=VALUE"):
            command.parse_variables([wrong])
