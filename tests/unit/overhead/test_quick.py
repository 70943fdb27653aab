"""`make bench` runs: what it writes has its shape, and ratios of the right order."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from glasshouse_bench.overhead import figures, results
from support.deployed import ROOT


# Half a minute: two processes of the service, one after the other, whose time is compared.
@pytest.mark.slow
@pytest.mark.alone
def test_a_quick_run_measures_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    command = [sys.executable, "-m", "glasshouse_bench.cli", "overhead", "--quick"]
    done = subprocess.run(
        [*command, "--servers", "h11", "--rounds", "1", "--output", path, "--compare", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    document = results.read(path)
    assert json.loads(done.stdout) == document
    assert [(one["round"], one["server"], one["variant"]) for one in document["runs"]] == [
        (0, "h11", "off"),
        (0, "h11", "glasshouse"),
    ]
    for load in ("trivial", "log"):
        base = figures.cell(document, "h11", "off", load)
        ours = figures.cell(document, "h11", "glasshouse", load)
        assert base is not None
        assert ours is not None
        assert ours.ratio is not None
        # Telemetry is neither free nor ten times the service.
        assert 0.1 < ours.ratio.median < 1.2
        assert base.sent == {}
        # Each request is one span, and one record where a line is logged: none is dropped.
        sent = {kind: count for kind, count in ours.sent.items() if kind != "bytes"}
        assert sent == {"spans": 1.0, **({"log_records": 1.0} if load == "log" else {})}
    assert figures.batch_ms(document, "h11", "off", "new") is None
    known, new = (figures.batch_ms(document, "h11", "glasshouse", one) for one in ("known", "new"))
    assert known is not None
    assert new is not None
    assert known.least > 0
    assert new.least > 0
    assert set(figures.line_ms(document, "h11", "glasshouse")) == {"words", "addresses"}
    assert document["imports"]["glasshouse"]["median_ms"] > 0
    memory = figures.memory(document, "h11", "off")
    assert memory is not None
    assert memory.least > 20

    # What stops the loop can be measured anew, and nothing else of a result changes by it.
    done = subprocess.run(
        [*command, "--servers", "h11", "--only-stops", "--variants", "off", "--output", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    again = results.read(path)
    assert again.pop("stops")["variants"] == ["off"]
    for before, after in zip(document["runs"], again["runs"], strict=True):
        stops = before.pop("stops"), after.pop("stops")
        assert (stops[0] == stops[1]) is (before["variant"] != "off")
        assert stops[0].keys() == stops[1].keys()
    assert again == document
