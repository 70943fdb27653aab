"""docs/performance.md and its pictures are those of the last committed result."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from glasshouse_bench.overhead import charts, page, results
from glasshouse_cli.errors import StackError
from support import overhead
from support.deployed import ROOT

MARKERS = "\n".join(
    f"# {name}\n<!-- begin {name} -->\nold\n<!-- end {name} -->\n"
    for name in page.parts(overhead.document())
)


def test_the_page_and_its_pictures_are_made_from_the_last_result() -> None:
    document = results.read(results.latest(ROOT))
    text = (ROOT / page.PAGE).read_text(encoding="utf-8")
    assert page.rendered(text, document) == text, "run: make performance"
    for name, picture in page.pictures(document).items():
        path = ROOT / page.PICTURES / name
        assert path.read_text(encoding="utf-8") == picture, "run: make performance"
        assert f"pictures/{name}" in text


def test_what_stands_outside_the_markers_stays() -> None:
    made = page.rendered(f"Before.\n{MARKERS}After.\n", overhead.document())
    assert made.startswith("Before.\n# goals\n<!-- begin goals -->\n")
    assert made.endswith("After.\n")
    assert "\nold\n" not in made
    assert page.rendered(made, overhead.document()) == made


def test_a_missing_marker_is_named() -> None:
    without = MARKERS.replace("<!-- begin stops -->", "")
    with pytest.raises(StackError, match="has no <!-- begin stops -->"):
        page.rendered(without, overhead.document())


def test_the_tables_have_the_figures() -> None:
    parts = page.parts(overhead.document())
    assert parts["goals"].startswith("8 of 13 goals are met.\n")
    assert (
        "| POST /payments | h11 + asyncio | 0.80 | 0.80 (0.50 to 0.90) | met |\n" in parts["goals"]
    )
    line = "one long log line, longest stop of the event loop"
    worst = "7.5 ms (at most 7.5; json; the machine by itself 6.5)"
    assert (
        f"| {line} | h11 + asyncio | at most 5 ms | **{worst}** | **missed** |\n" in parts["goals"]
    )
    assert parts["ratios"].startswith("**h11 + asyncio**\n\n|  | POST /payments | trivial GET |\n")
    assert "| stock | 0.40 (0.25 to 0.50) | 0.40 (0.25 to 0.50) |\n" in parts["ratios"]
    assert "| goal | 0.80 | 0.65 |\n" in parts["ratios"]
    assert "| off |" not in parts["ratios"]
    assert "| glasshouse | 200 (20) | 200 (20) |\n" in parts["times"]
    assert "| glasshouse | 2.00 spans, 0.50 kB | 2.00 spans, 0.50 kB |\n" in parts["sent"]
    assert (
        "|  | known paths, work | known paths, hold | known paths, loop "
        "| new paths, work | new paths, hold | new paths, loop |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| glasshouse | 10.0 (at most 10.0) | 4.1 (at most 4.2) | 1.0 (at most 1.0) "
        "| 10.0 (at most 10.0) | 7.1 (at most 7.2) | 1.0 (at most 1.0) |\n"
    ) in parts["stops"]
    assert "| off |" not in parts["stops"]
    words = "2.0 (at most 3.0)"
    assert f"| words | {words} | {words} | {words} |\n" in parts["lines"]
    assert "| longest collection of garbage | 8.0 | 8.0 | 8.0 |\n" in parts["lines"]
    by_itself = "at most 6.5"
    row = f"| the machine by itself | {by_itself} | {by_itself} | {by_itself} |\n"
    assert row in parts["lines"]
    assert "| stock | 121 | 1.00 |\n" in parts["memory"]
    assert "commit 0123456789ab.\n" in parts["measured"]
    assert "Example 9000, 2 cores, 7.8 GiB, Linux 6.1.0, Python 3.11.7.\n" in parts["measured"]
    assert "- Rounds: off 3, glasshouse 3, stock 3.\n" in parts["measured"]


def test_a_result_of_changed_code_says_so() -> None:
    source = {"commit": "0123456789ab", "changed": True}
    measured = page.parts(overhead.document(source=source))["measured"]
    assert "commit 0123456789ab, with changes.\n" in measured


def test_a_result_of_a_busy_machine_or_few_rounds_is_shown_with_a_doubt() -> None:
    document = overhead.document(load_average={"before": [0.9, 6.25, 3.0], "after": [9, 9, 9]})
    document["runs"] = [one for one in document["runs"] if one["round"] == 0]
    goals = page.parts(document)["goals"].splitlines()
    assert goals[0] == (
        "**Measured on a busy machine: a load of 6.2 on 2 cores before it began. Ratios are some "
        "tenths off; measure again on a quiet one.**"
    )
    assert goals[2] == "**Measured in 1 of 3 rounds that a spread needs.**"
    assert goals[4].endswith("goals are met.")


def test_what_ended_before_a_long_run_is_no_load_of_it() -> None:
    document = overhead.document(load_average={"before": [0.9, 6.25, 3.0], "after": [9, 9, 1.2]})
    assert "busy" not in page.parts(document)["goals"]


def test_stops_that_were_measured_anew_say_when() -> None:
    again = {
        "measured": "2026-01-02T03:04:05Z",
        "source": {"commit": "abcdef012345", "changed": False},
        "load_average": [0.5, 0.25, 1.0],
        "variants": ["off", "glasshouse"],
    }
    assert (
        "- What stops the event loop, of off, glasshouse: 2026-01-02T03:04:05Z, "
        "commit abcdef012345, load average before 0.50 / 0.25 / 1.00.\n"
    ) in page.parts({**overhead.document(), "stops": again})["measured"]


@pytest.mark.parametrize("theme", charts.THEMES)
def test_a_bar_is_as_long_as_its_ratio(theme: str) -> None:
    text = charts.draw(overhead.document(), "h11", charts.THEMES[theme])
    drawn = ElementTree.fromstring(text)  # noqa: S314 (our own)
    bars = [one for one in drawn.iter() if one.tag.endswith("}rect")]
    widths = [float(one.get("width", "0")) for one in bars]
    # Of glasshouse and stock, for both loads.
    assert widths == [400.0, 200.0, 400.0, 200.0]
    colours = [one.get("fill") for one in bars]
    assert colours == [charts.THEMES[theme].ours, charts.THEMES[theme].others] * 2
    texts = [one.text for one in drawn.iter() if one.tag.endswith("}text")]
    assert texts.count("goal 0.80") == texts.count("goal 0.65") == 1
    assert texts.count("0.80") >= 2
    assert "h11 + asyncio: throughput a core keeps with telemetry" in texts
    other = next(one for one in charts.THEMES if one != theme)
    mine, theirs = charts.THEMES[theme], charts.THEMES[other]
    assert set(re.findall(r"#[0-9a-f]{6}", text)) <= set(vars(mine).values())
    assert not set(vars(mine).values()) & set(vars(theirs).values())


def test_a_ratio_above_the_axis_is_cut_there() -> None:
    assert charts.x_of(7) == charts.x_of(charts.MOST) < charts.WIDTH
    assert charts.x_of(-1) == charts.x_of(0)
    assert charts.x_of(0.5) == (charts.x_of(0) + charts.x_of(1)) / 2


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"performance\.md cannot be written: No such file"):
        page.write(tmp_path, overhead.document())
