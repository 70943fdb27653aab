"""A result on the terminal: ratios with their spread, and what changed since another."""

import pytest

from glasshouse_bench.overhead import report
from glasshouse_cli.console import Terminal
from support import overhead


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed, with one blank between words."""
    written = capsys.readouterr()
    assert written.err == ""
    return [" ".join(one.split()) for one in written.out.splitlines()]


def test_each_server_has_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    report.show(Terminal(), overhead.document(), None)
    found = lines(capsys)
    assert found.count("variant post trivial") == 2
    assert found.count("off 100 100") == 2
    assert found.count("glasshouse 200 · 0.80 (0.50 to 0.90) 200 · 0.80 (0.50 to 0.90)") == 2
    assert found.count("wanted 0.80 0.65") == 2
    assert "glasshouse 113 1001 7.1 (at most 7.2) 7.5 (json)" in found
    assert "glasshouse 113 1001 9.1 (at most 9.2) 7.5 (json)" in found
    assert found.count("off 101 1001 - 7.5 (json)") == 2
    assert "import glasshouse: 120 CPU ms (110 to 130)" in found
    assert not any("compared" in one for one in found)


def test_what_was_not_measured_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    document = overhead.document(imports=None)
    document["runs"] = [one for one in document["runs"] if one["variant"] == "off"]
    report.show(Terminal(), document, None)
    found = lines(capsys)
    assert found.count("stock - -") == 2
    assert found.count("stock - - - -") == 2


def test_changes_are_those_of_the_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    before, now = overhead.document(), overhead.document()
    for one in now["runs"]:
        if one["variant"] == "glasshouse" and one["server"] == "h11":
            one["loads"]["post"]["us"] /= 2
    report.show(Terminal(), now, before)
    found = lines(capsys)
    assert "compared with 2026-01-02T03:04:05Z, 0123456789ab" in found
    changed = "h11 glasshouse post 0.80 (0.50 to 0.90) 1.60 (1.00 to 1.80) changed"
    assert [one for one in found if one.endswith(" changed")] == [changed]
    assert sum(one.endswith(" within the spread") for one in found) == 7
