"""The committed dashboards are what the code makes, and each panel says what it answers."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse_dashboards.__main__ import FOLDER, rendered

pytestmark = pytest.mark.static

PROVISIONED = Path(__file__).parents[2] / "grafana" / "provisioning" / "datasources" / "stack.yaml"


def panels() -> list[Any]:
    found = [
        (path.name, panel)
        for path in sorted(FOLDER.glob("*.json"))
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
    ]
    return [pytest.param(panel, id=f"{name}: {panel['title']}") for name, panel in found]


def test_the_committed_dashboards_are_the_rendered_ones() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert committed == rendered(), "run `make dashboards` and commit"


@pytest.mark.parametrize("panel", panels())
def test_a_panel_is_described_and_reads_a_provisioned_data_source(panel: dict[str, Any]) -> None:
    sources = yaml.safe_load(PROVISIONED.read_text(encoding="utf-8"))["datasources"]
    assert panel["description"].endswith(".")
    assert panel["datasource"]["uid"] in {source["uid"] for source in sources}
    assert panel["type"] == "logs" or panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
