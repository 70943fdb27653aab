"""What Grafana asks for when a dashboard is opened: each query with its step, for a range of time.

The step follows from the panel's limit of points, else its width in pixels, as in
`rangeutil.calculateInterval` of `@grafana/data`; `$__rate_interval` and the rest as its Prometheus
data source has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from glasshouse_dashboards import expand

# Of a screen of 1920 pixels; a panel's edges take some of its columns.
SCREEN_PX: Final = 1920
_COLUMNS: Final = 24
_EDGES_PX: Final = 32
SCRAPE_S: Final = 15  # timeInterval in provisioning/datasources/stack.yaml
# Prometheus answers with no more points for a series.
_MOST_POINTS: Final = 11_000
RANGES_S: Final[Mapping[str, int]] = {
    "1 h": 3600,  # what every dashboard opens with
    "24 h": 24 * 3600,
    "7 days": 7 * 24 * 3600,
    "30 days": 30 * 24 * 3600,
}
# Below so many milliseconds a step is rounded to so many seconds; over all of them, to a day.
_ROUNDED: Final = (
    (15_000, 10),
    (17_500, 15),
    (25_000, 20),
    (45_000, 30),
    (90_000, 60),
    (210_000, 120),
    (450_000, 300),
    (750_000, 600),
    (1_050_000, 900),
    (1_500_000, 1200),
    (2_700_000, 1800),
    (5_400_000, 3600),
    (9_000_000, 7200),
    (16_200_000, 10_800),
    (32_400_000, 21_600),
    (86_400_000, 43_200),
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One query of a panel; ``board`` and ``panel`` name it.

    ``kind``: `range`, `instant` or `labels`. ``source``: the data source's uid. ``step`` in
    seconds, 0 of what has none. ``query`` of `labels` is the selector, and ``label`` the label.
    """

    board: str
    panel: str
    ref: str
    source: str
    kind: str
    query: str
    start: int
    end: int
    step: int = 0
    label: str = ""


def named(board: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the panels that show data by their titles; of one title, with what they are, too."""
    found = list(expand.panels(board))
    titles = [panel["title"] for panel in found]
    return [
        (title if titles.count(title) == 1 else f"{title}, as {panel['type']}", panel)
        for title, panel in zip(titles, found, strict=True)
    ]


def step_s(range_s: int, points: int) -> int:
    """Return the seconds between two points of a graph, which may have so many at most."""
    wanted = range_s * 1000 / points
    rounded = next((step for below, step in _ROUNDED if wanted < below), 86_400)
    return max(rounded, SCRAPE_S)


def width_px(columns: int) -> int:
    """Return the width of a panel of so many of a dashboard's columns."""
    return SCREEN_PX * columns // _COLUMNS - _EDGES_PX


def requests(board: Mapping[str, Any], range_s: int, end: int) -> Iterator[Request]:
    """Yield what is asked when ``board`` is opened for the ``range_s`` seconds before ``end``."""
    values = expand.variables(board)
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield _variable(board, variable, values, range_s, end)
    for mark in board["annotations"]["list"]:
        if "expr" in mark:
            step = max(SCRAPE_S, -(-range_s // _MOST_POINTS))
            query = _filled(mark["expr"], values, range_s, end, step)
            yield _ranged(
                board, f"mark: {mark['name']}", "A", "prometheus", query, range_s, end, step
            )
    for title, panel in named(board):
        step = step_s(range_s, panel.get("maxDataPoints") or width_px(panel["gridPos"]["w"]))
        for target in panel["targets"]:
            query = _filled(expand.query_of(target), values, range_s, end, step)
            source = panel["datasource"]["uid"]
            if target.get("instant"):
                yield Request(
                    board=board["uid"],
                    panel=title,
                    ref=target["refId"],
                    source=source,
                    kind="instant",
                    query=query,
                    start=end - range_s,
                    end=end,
                )
            else:
                yield _ranged(board, title, target["refId"], source, query, range_s, end, step)


def _filled(query: str, values: Mapping[str, str], range_s: int, end: int, step: int) -> str:
    own = {
        "__rate_interval": f"{max(step + SCRAPE_S, 4 * SCRAPE_S)}s",
        "__interval": f"{step}s",
        "__auto": f"{step}s",
        **values,
    }
    return expand.expand(query, own, expand.TimeRange(start=end - range_s, end=end))


def _ranged(
    board: Mapping[str, Any],
    panel: str,
    ref: str,
    source: str,
    query: str,
    range_s: int,
    end: int,
    step: int,
) -> Request:
    # On multiples of the step, as Grafana does.
    start, last = ((moment // step) * step for moment in (end - range_s, end))
    return Request(
        board=board["uid"],
        panel=panel,
        ref=ref,
        source=source,
        kind="range",
        query=query,
        start=start,
        end=last,
        step=step,
    )


def _variable(
    board: Mapping[str, Any],
    variable: Mapping[str, Any],
    values: Mapping[str, str],
    range_s: int,
    end: int,
) -> Request:
    query = _filled(variable["query"]["query"], values, range_s, end, SCRAPE_S)
    if query.startswith("query_result("):
        return Request(
            board=board["uid"],
            panel=f"variable: {variable['name']}",
            ref="A",
            source="prometheus",
            kind="instant",
            query=query.removeprefix("query_result(").removesuffix(")"),
            start=end - range_s,
            end=end,
        )
    selector, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(",")
    return Request(
        board=board["uid"],
        panel=f"variable: {variable['name']}",
        ref="A",
        source="prometheus",
        kind="labels",
        query=selector.strip(),
        label=label.strip(),
        start=end - range_s,
        end=end,
    )
