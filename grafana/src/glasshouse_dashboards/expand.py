"""Reads the committed dashboards, and fills their variables in as Grafana does."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from glasshouse_dashboards.queries import history

# Not `$1`, which is a group in label_replace().
_NAME: Final = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$([A-Za-z_]\w*)")
_SCRAPE_S: Final = 15  # timeInterval in provisioning/datasources/stack.yaml


@dataclass(frozen=True, kw_only=True)
class TimeRange:
    """The chosen time, in Unix seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> int:
        return round(self.end - self.start)

    @property
    def step(self) -> int:
        """Seconds between the points of a graph."""
        return max(1, self.seconds // history.POINTS)


def dashboards(folder: Path) -> list[dict[str, Any]]:
    """Return the committed dashboards, in the order of their files' names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what shows data: all panels but the headings of rows."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel


def query_of(target: Mapping[str, Any]) -> str:
    """Return what a target asks: PromQL and LogQL stand elsewhere than TraceQL."""
    return target["expr"] if "expr" in target else target["query"]


def variables(dashboard: Mapping[str, Any]) -> dict[str, str]:
    """Return what each variable stands for before anybody chose something.

    Without the one that follows from the chosen time: `expand` knows it.
    """
    values: dict[str, str] = {}
    for variable in dashboard.get("templating", {}).get("list", []):
        if variable["name"] == history.VARIABLE:
            continue
        if "allValue" in variable:
            values[variable["name"]] = variable["allValue"]
        elif variable["type"] in {"query", "custom"}:
            values[variable["name"]] = variable["current"]["value"]
        else:
            values[variable["name"]] = variable.get("query", "")
    return values


def expand(query: str, values: Mapping[str, str], time_range: TimeRange) -> str:
    """Fill in the variables of the dashboard, and those that Grafana itself provides.

    Raises KeyError for a variable that nobody defines.
    """
    # As Grafana: at least four scrapes, and one more than the step.
    rate = max(time_range.step + _SCRAPE_S, 4 * _SCRAPE_S)
    known = {
        "__rate_interval": f"{rate}s",
        "__range": f"{time_range.seconds}s",
        "__range_s": f"{time_range.seconds}",
        "__interval": f"{max(time_range.step, _SCRAPE_S)}s",
        "__auto": f"{max(time_range.step, _SCRAPE_S)}s",
        history.VARIABLE: history.resolution(time_range.seconds),
        **values,
    }
    return _NAME.sub(lambda found: known[found[1] or found[2]], query)
