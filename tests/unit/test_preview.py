"""The preview shows values as Grafana does, and knows every unit the dashboards use."""

import pytest

from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import dashboards, panels
from glasshouse_dashboards.preview import draw, units


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.385, "s", "385 ms"),
        (90, "s", "1.5 min"),
        (0, "s", "0 s"),
        (0.9995, "percentunit", "99.95 %"),
        (1, "percentunit", "100 %"),
        (1234, "short", "1.23 k"),
        (0.25, "reqps", "0.25 req/s"),
        (1536, "bytes", "1.5 KiB"),
        (2048, "Bps", "2 KiB/s"),
        (float("nan"), "s", "-"),
    ],
)
def test_a_value_is_shown_as_in_grafana(value: float, unit: str, shown: str) -> None:
    assert units.text(value, unit) == shown


def test_every_unit_is_known() -> None:
    used = {
        panel["fieldConfig"]["defaults"]["unit"]
        for board in dashboards(FOLDER)
        for panel in panels(board)
        if panel["type"] != "logs"
    }
    assert used <= units.KNOWN
    with pytest.raises(KeyError):
        units.text(1, "furlongs")


@pytest.mark.parametrize(
    ("value", "color"), [(0.05, "red"), (0.1, "orange"), (0.4, "orange"), (0.5, "green")]
)
def test_a_threshold_colours_from_its_value_on(value: float, color: str) -> None:
    steps = [
        {"value": None, "color": "red"},
        {"value": 0.1, "color": "orange"},
        {"value": 0.5, "color": "green"},
    ]
    assert draw.threshold({"thresholds": {"steps": steps}}, value) == color
