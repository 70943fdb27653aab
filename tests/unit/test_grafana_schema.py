"""The dashboards are what Grafana's own types say, but for what is known."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from glasshouse_dashboards.__main__ import FOLDER
from support.deployed import ROOT

PACKAGE = ROOT / "grafana" / "preview"
RECORDED = (PACKAGE / "schema.txt").read_text(encoding="utf-8")
KNOWN = {
    "auto": "the SDK writes it for variables of every kind",
    "expr": "an annotation's query, which is its data source's own",
    "footer": "the SDK's, of tables before Grafana 13, which ignores it",
}


def check(*arguments: str) -> str:
    node = shutil.which("node")
    if node is None or not (PACKAGE / "node_modules" / "typescript").is_dir():
        pytest.skip("Grafana's packages are not installed: `npm ci` in grafana/preview")
    done = subprocess.run(
        [node, "schema.mjs", *arguments],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def test_what_grafanas_types_do_not_know_is_known_here() -> None:
    assert set(re.findall(r'"(\w+)"', RECORDED)) == KNOWN.keys()
    assert len(RECORDED.splitlines()) == len(KNOWN)


def test_the_record_is_what_grafanas_types_say() -> None:
    assert check() == RECORDED


def test_an_option_that_grafana_does_not_know_is_found(tmp_path: Path) -> None:
    board = json.loads((FOLDER / "start.json").read_text(encoding="utf-8"))
    graph = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
    graph["options"]["legend"]["placment"] = "bottom"
    graph["fieldConfig"]["defaults"]["custom"]["lineWidth"] = "thick"
    (tmp_path / "start.json").write_text(json.dumps(board), encoding="utf-8")
    found = check(f"{tmp_path}/")
    assert "placment" in found
    assert "Type 'string' is not assignable to type 'number'" in found
