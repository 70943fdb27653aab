"""Graphs and bars as SVG that takes its text's colour from the page: one for light and dark."""

import io
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from glasshouse_dashboards.expand import TimeRange
from glasshouse_dashboards.preview import units
from glasshouse_dashboards.preview.data import Series

COLORS: Final = {"green": "#3a9e5c", "orange": "#e08b27", "red": "#d64550", "blue": "#3d7fd9"}
# Far apart for eyes that see colours differently, and legible on white and on near-black.
PALETTE: Final = (
    "#3d7fd9", "#e08b27", "#3a9e5c", "#b45fc4", "#d64550", "#1ea7a7", "#a3791f", "#7b7fd0",
    "#c0588c", "#6f9e2f",
)  # fmt: skip
# Stand-ins, which no series uses, for what the page decides.
_TEXT: Final = "#010203"
_GRID: Final = "#030201"
_DPI: Final = 72
_TICKS: Final = 6
_ROUND_S: Final = (60, 120, 300, 600, 900, 1800, 3600, 3 * 3600, 6 * 3600, 86400)

mpl.rcParams.update(
    {
        "svg.fonttype": "none",  # text stays text
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.edgecolor": _GRID,
        "axes.labelcolor": _TEXT,
        "xtick.color": _GRID,
        "ytick.color": _GRID,
        "xtick.labelcolor": _TEXT,
        "ytick.labelcolor": _TEXT,
        "grid.color": _GRID,
        "grid.linewidth": 0.7,
        "text.color": _TEXT,
    }
)


def graph(
    panel: Mapping[str, Any],
    series: Sequence[Series],
    time_range: TimeRange,
    marks: Mapping[str, Sequence[Series]],
    size: tuple[int, int],
) -> str:
    """Return a time series panel. ``size`` in pixels; ``marks`` by colour."""
    defaults = panel["fieldConfig"]["defaults"]
    figure, axes = _canvas(size)
    start, end = (datetime.fromtimestamp(at, tz=UTC) for at in (time_range.start, time_range.end))
    axes.set_xlim(start, end)  # type: ignore[arg-type]
    for color, found in marks.items():
        for mark in found:
            first, last = (
                datetime.fromtimestamp(at, tz=UTC) for at in (min(mark.times), max(mark.times))
            )
            # A band at the foot: a filled graph would hide what it is about.
            axes.axvspan(first, last, ymax=0.03, color=COLORS[color], alpha=0.6, linewidth=0)  # type: ignore[arg-type]
            axes.axvline(first, color=COLORS[color], linewidth=0.8, linestyle=":")  # type: ignore[arg-type]
    custom = defaults.get("custom", {})
    highest = (
        _stack(axes, series, time_range, colors(panel, series))
        if _stacked(panel)
        else _lines(
            axes,
            series,
            time_range,
            colors(panel, series),
            points=custom.get("showPoints") == "always",
        )
    )
    _limits(axes, defaults, highest)
    axes.set_ylim(bottom=0)
    if highest == 0:
        axes.set_ylim(top=1)
    axes.yaxis.set_major_locator(
        FixedLocator(binary_ticks(axes.get_ylim()[1]))
        if defaults["unit"] in {"bytes", "Bps"}
        else MaxNLocator(nbins=4)
    )
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: units.text(value, defaults["unit"]))
    )
    axes.xaxis.set_major_locator(FixedLocator(_moments(time_range)))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=UTC))
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=0, pad=6)
    axes.tick_params(axis="y", length=0)
    return _svg(figure, f"{panel['id']}{panel['title']}{time_range.start}")


def colors(panel: Mapping[str, Any], series: Sequence[Series]) -> list[str]:
    """Return a colour for each line: of the state that it is named after, else the next one."""
    fixed = [
        (re.compile(override["matcher"]["options"].strip("/")), one["value"]["fixedColor"])
        for override in panel["fieldConfig"].get("overrides", [])
        if override["matcher"]["id"] == "byRegexp"
        for one in override["properties"]
        if one["id"] == "color"
    ]
    return [
        next(
            (COLORS[color] for name, color in fixed if name.search(one.name)),
            PALETTE[index % len(PALETTE)],
        )
        for index, one in enumerate(series)
    ]


def bar_gauge(panel: Mapping[str, Any], series: Sequence[Series], size: tuple[int, int]) -> str:
    """Return a bar gauge panel, one horizontal bar a series."""
    defaults = panel["fieldConfig"]["defaults"]
    figure, axes = _canvas(size)
    shown = list(reversed(series))
    full = defaults.get("max") or max((one.last for one in shown), default=1) or 1
    for index, one in enumerate(shown):
        color = COLORS[threshold(defaults, one.last)]
        axes.barh(index, full, color=_GRID, height=0.34, alpha=0.5)
        axes.barh(index, min(max(one.last, 0), full), color=color, height=0.34)
        axes.text(
            0, index + 0.25, one.name, ha="left", va="bottom", fontsize=10,
            parse_math=False,  # a name with dollar signs is no formula
        )  # fmt: skip
        axes.text(
            full, index + 0.25, units.text(one.last, defaults["unit"]), ha="right", va="bottom",
            fontsize=10, fontweight="bold",
        )  # fmt: skip
    axes.set_xlim(0, full)
    axes.set_ylim(-0.5, max(len(shown), 3) - 0.2)
    axes.set_axis_off()
    return _svg(figure, f"{panel['id']}{panel['title']}")


def threshold(defaults: Mapping[str, Any], value: float) -> str:
    """Return the colour that the panel's thresholds give to a value."""
    color = "green"
    for step in defaults.get("thresholds", {}).get("steps", []):
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    return color


def binary_ticks(highest: float) -> list[int]:
    """Return at most five round numbers of bytes up to ``highest``, as Grafana does."""
    step = 2 ** max(0, math.ceil(math.log2(max(highest, 1) / 4)))
    return list(range(0, math.floor(highest) + 1, step))


def _moments(time_range: TimeRange) -> list[float]:
    """Return round times, as few as fit below a graph."""
    every = next((one for one in _ROUND_S if time_range.seconds / one <= _TICKS), _ROUND_S[-1])
    first = math.ceil(time_range.start / every) * every
    return [
        float(date2num(datetime.fromtimestamp(at, tz=UTC)))
        for at in range(first, math.floor(time_range.end) + 1, every)
    ]


def _canvas(size: tuple[int, int]) -> tuple[Figure, Axes]:
    width, height = size
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    return figure, axes


def _stacked(panel: Mapping[str, Any]) -> bool:
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    return custom.get("stacking", {}).get("mode") == "normal"


def _gaps(one: Series, time_range: TimeRange) -> tuple[list[datetime], list[float]]:
    """Return points with a break where some are missing, so that no line crosses a gap."""
    times: list[datetime] = []
    values: list[float] = []
    before: float | None = None
    for at, value in zip(one.times, one.values, strict=True):
        if before is not None and at - before > 4 * max(time_range.step, 15):
            times.append(datetime.fromtimestamp(before + 1, tz=UTC))
            values.append(float("nan"))
        times.append(datetime.fromtimestamp(at, tz=UTC))
        values.append(value)
        before = at
    return times, values


def _lines(
    axes: Axes,
    series: Sequence[Series],
    time_range: TimeRange,
    shades: Sequence[str],
    *,
    points: bool,
) -> float:
    for one, color in zip(series, shades, strict=True):
        times, values = _gaps(one, time_range)
        axes.plot(times, values, color=color, linewidth=1.6, solid_capstyle="round")  # type: ignore[arg-type]
        if points:
            axes.plot(times, values, color=color, marker="o", markersize=3, linestyle="")  # type: ignore[arg-type]
        if len(series) <= 3:
            axes.fill_between(times, values, color=color, alpha=0.08, linewidth=0)  # type: ignore[arg-type]
    return max((max(one.values) for one in series), default=0)


def _stack(
    axes: Axes, series: Sequence[Series], time_range: TimeRange, shades: Sequence[str]
) -> float:
    moments = moments_of_stack(series, time_range)
    by_series = [dict(zip(one.times, one.values, strict=True)) for one in series]
    columns = [[values.get(at, 0.0) for at in moments] for values in by_series]
    if columns:
        times = [datetime.fromtimestamp(at, tz=UTC) for at in moments]
        axes.stackplot(times, *columns, colors=list(shades), alpha=0.55, linewidth=0)  # type: ignore[arg-type]
    return max((sum(column) for column in zip(*columns, strict=True)), default=0)


def moments_of_stack(series: Sequence[Series], time_range: TimeRange) -> list[float]:
    """Return all times, with one more at each end of a gap: a stack is nothing in between."""
    longest = 4 * max(time_range.step, 15)
    moments = sorted({at for one in series for at in one.times})
    ends = [
        end
        for before, after in itertools.pairwise(moments)
        if after - before > longest
        for end in (before + 1, after - 1)
    ]
    return sorted([*moments, *ends])


def _limits(axes: Axes, defaults: Mapping[str, Any], highest: float) -> None:
    """Draw thresholds that lie near the data; one far above would flatten it."""
    for step in defaults.get("thresholds", {}).get("steps", []):
        value = step["value"]
        if value is not None and value <= max(highest * 3, highest + 1e-9):
            axes.axhline(value, color=COLORS[step["color"]], linewidth=1, linestyle="--")


def _svg(figure: Figure, salt: str) -> str:
    out = io.StringIO()
    # A salt of its own: ids of two pictures in one page must not be the same.
    with mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(
        r"<!--.*?-->|\n\s*", lambda found: " " if found[0][0] == "\n" else "", text, flags=re.S
    )
    text = re.sub(r'id="((?!p|m)[^"]*)"', "", text)
    return text.replace(_TEXT, "currentColor").replace(_GRID, "var(--grid)")
