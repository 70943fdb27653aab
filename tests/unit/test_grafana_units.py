"""Numbers are shown in the preview as Grafana's own code shows them."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import dashboards, panels
from glasshouse_dashboards.preview import units
from support.deployed import ROOT

PACKAGE = ROOT / "grafana" / "preview"
RECORDED: dict[str, Any] = json.loads((PACKAGE / "values.json").read_text(encoding="utf-8"))
UNITS = sorted({row[0] for row in RECORDED["rows"]})


@pytest.mark.parametrize("unit", UNITS)
def test_a_number_is_shown_as_grafana_shows_it(unit: str) -> None:
    rows = [row for row in RECORDED["rows"] if row[0] == unit]
    assert len(rows) > 40
    ours = [
        [unit, value, *(units.text(value, unit, decimals) for decimals in RECORDED["decimals"])]
        for _, value, *_ in rows
    ]
    assert ours == rows


def test_what_was_recorded_is_of_the_grafana_that_is_deployed() -> None:
    [tag] = re.findall(
        r"^GRAFANA_IMAGE=grafana/grafana:([0-9.]+)", (ROOT / ".env").read_text(), re.M
    )
    again = "grafana/README.md says how to record it again"
    assert RECORDED["version"] == tag, again
    wanted = json.loads((PACKAGE / "package.json").read_text())["dependencies"]
    assert {version for name, version in wanted.items() if name.startswith("@grafana/")} == {tag}


def test_every_unit_of_the_dashboards_was_recorded() -> None:
    used = {
        panel["fieldConfig"]["defaults"]["unit"]
        for board in dashboards(FOLDER)
        for panel in panels(board)
        if panel["type"] != "logs"
    }
    assert used <= set(UNITS) == units.KNOWN
    with pytest.raises(KeyError):
        units.text(1, "furlongs")


def test_nothing_is_shown_for_what_is_no_number() -> None:
    assert [units.text(float(value), "s") for value in ("nan", "inf", "-inf")] == ["-", "∞", "-∞"]


def test_the_record_is_what_grafanas_packages_print() -> None:
    node = shutil.which("node")
    if node is None or not (PACKAGE / "node_modules" / "@grafana" / "data").is_dir():
        pytest.skip("Grafana's packages are not installed: `npm ci` in grafana/preview")
    done = subprocess.run(
        [node, "values.mjs"], cwd=PACKAGE, capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == RECORDED
