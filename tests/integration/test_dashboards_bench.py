"""`make bench-dashboards` in its short form: a day of data and two dashboards.

By what is read, not by time: it is the same on every machine. Its wide margins say that no panel
begins to read many times what it shows.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glasshouse_bench.dashboards import page, results
from support.deployed import ROOT

# Where nothing of Prometheus was compiled yet.
BENCH_S = 2400
# A day of one series that comes every two seconds has 43,200; those of a histogram are hundreds.
MOST_SAMPLES = 60_000_000


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_a_day_of_two_dashboards_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    program = Path(sys.executable).with_name("glasshouse-bench")
    command = [program, "dashboards", "--days=1", "--rows=2000", "--boards=slos,jobs,rules"]
    done = subprocess.run(
        [*command, "--ranges=1 h,24 h", "--output", path, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BENCH_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    document = results.read(path)
    assert json.loads(done.stdout) == document
    assert {one["board"] for one in document["panels"]} > {"slos", "jobs", "rules/slos"}
    assert {one["range"] for one in document["panels"]} == {"1 h", "24 h", "now"}
    refused = {
        (one["panel"], error)
        for one in document["panels"]
        for error in one["errors"]
        # On a slow machine some end for lack of time.
        if not error.startswith("over ")
    }
    assert refused == set()
    shown = {one["panel"]: one for one in document["panels"] if one["range"] == "1 h"}
    for title in ("Worker heartbeat", "Executions by outcome", "Objectives"):
        assert shown[title]["series"] > 0, title
    assert max(one["samples"] for one in document["panels"]) < MOST_SAMPLES
    assert document["data"]["samples"] > 50_000_000
    assert len(document["statements"]) > 50
    assert "| over | panels |" in page.section(document)
