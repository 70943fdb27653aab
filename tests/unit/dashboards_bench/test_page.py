"""What stands in docs/performance.md of dashboards is made of the newest result."""

from typing import Any

import pytest

from glasshouse_bench.dashboards import page, results
from glasshouse_bench.dashboards.asking import Answer
from glasshouse_bench.dashboards.grafana import Request
from glasshouse_cli.errors import StackError
from support.deployed import ROOT


def answer(panel: str, ref: str, cold_ms: float, warm_ms: list[float], **more: Any) -> Answer:
    request = Request(
        board="api", panel=panel, ref=ref, source="prometheus", kind="range", query="up", start=0,
        end=1,
    )  # fmt: skip
    return Answer(request=request, range="1 h", cold_ms=cold_ms, warm_ms=warm_ms, **more)


def document(*answers: Answer) -> dict[str, Any]:
    return {
        "schema": 1,
        "measured": "2026-01-02T03:04:05Z",
        "source": {"commit": "0123456789ab", "changed": False},
        "machine": {"processor": "Example 9000", "cores": 2, "memory_gib": 7.8},
        "load_average": {"before": [0.1, 0.2, 9.0], "after": [1, 1, 1]},
        "data": {
            "days": 30,
            "samples": 1_000_000,
            "mib": 12,
            "rows": 100_000,
            "peak_mib": 99,
            "bounds": {"cpus": "1", "memory": "384m", "gomemlimit": "300MiB"},
        },
        "panels": results.panels(answers),
        "statements": [{"name": "beat", "median_ms": 1.0, "worst_ms": 2.0, "scans": []}],
    }


def test_a_panel_is_the_sum_of_its_queries() -> None:
    [found] = results.panels(
        [answer("Rate", "A", 400, [300, 310, 330]), answer("Rate", "B", 700, [200, 200, 200])]
    )
    assert (found["cold_ms"], found["warm_ms"], found["worst_ms"]) == (1100, 510, 1100)
    assert results.is_slow(found)


def test_what_is_over_a_second_is_named() -> None:
    slow, quick = answer("Slow", "A", 1001, []), answer("Quick", "A", 999, [1, 1, 1])
    ended = answer("Ended", "A", 5, [], error="over 2 s")
    text = page.section(document(slow, quick, ended))
    assert "| 1 h | 3 | 5 | 1,001 | **2** |" in text
    assert "| api | Slow (1 h), Ended (1 h) |" in text
    assert "Quick" not in text
    assert "No panel and no rule takes over a second." in page.section(document(quick))


def test_a_busy_machine_is_a_doubt() -> None:
    made = document(answer("Quick", "A", 1, [1]))
    assert "busy" not in page.section(made)
    made["load_average"]["before"] = [0.1, 3.0, 0.1]
    assert "a load of 3.0" in page.section(made)


def test_the_page_is_that_of_the_newest_result() -> None:
    text = (ROOT / page.PAGE).read_text(encoding="utf-8")
    newest = results.latest(ROOT)
    if newest is not None:
        assert page.rendered(text, results.read(newest)) == text, "run: make performance"
    with pytest.raises(StackError, match="begin dashboards"):
        page.rendered("no marker", document(answer("Quick", "A", 1, [1])))
