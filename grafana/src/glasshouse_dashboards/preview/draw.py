"""What the page's script draws with Grafana's own code: a panel's settings beside its data.

`grafana/preview/panels.jsx` reads it.
"""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from glasshouse_dashboards.expand import TimeRange
from glasshouse_dashboards.preview.data import Series

# Grafana draws these; tables and lines of logs are HTML.
DRAWN: Final = frozenset({"timeseries", "stat", "bargauge"})
_DIGITS: Final = 7  # more than anybody can see, and half of what a number has
# What a cell of a table may have.
COLORS: Final = {"green": "#3a9e5c", "orange": "#e08b27", "red": "#d64550", "blue": "#3d7fd9"}


def panel_data(
    panel: Mapping[str, Any],
    series: Sequence[Series],
    time_range: TimeRange,
    marks: Mapping[str, Sequence[Series]],
) -> str:
    """Return the element that a panel is drawn in. ``marks`` by colour."""
    data = {
        "panel": {key: panel[key] for key in ("type", "options", "fieldConfig")},
        "start": time_range.start,
        "end": time_range.end,
        "series": [
            {
                "name": one.name,
                "labels": dict(one.labels),
                "times": [round(at, 3) for at in one.times],
                "values": [float(f"{value:.{_DIGITS}g}") for value in one.values],
            }
            for one in series
        ],
        "marks": [
            {"color": color, "start": min(one.times), "end": max(one.times)}
            for color, found in marks.items()
            for one in found
        ],
    }
    # In an attribute: what is sent can end no script there.
    attribute = html.escape(json.dumps(data, separators=(",", ":")))
    return f'<div class="drawn" data-panel="{attribute}"></div>'


def threshold(defaults: Mapping[str, Any], value: float) -> str:
    """Return the colour that the panel's thresholds give to a value."""
    color = "green"
    for step in defaults.get("thresholds", {}).get("steps", []):
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    return color
