"""The ratios of one server as a picture: SVG for light and for dark pages, without a library."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from glasshouse_bench.overhead import figures
from glasshouse_bench.overhead.figures import Spread
from glasshouse_bench.overhead.results import Document
from glasshouse_bench.overhead.variants import BASE

OURS = "glasshouse"
# All in pixels.
WIDTH = 760
_LEFT, _SCALE, _TOP = 176, 500, 58
_ROW, _BAR, _HEADING, _GAP = 18, 11, 22, 10
# The ratio at the end of the axis; what is above it (by chance, or without cost) is cut there.
MOST = 1.05


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours. The page's own background shows through."""

    ink: str
    quiet: str
    grid: str
    ours: str
    others: str
    goal: str


THEMES = {
    "light": Theme(
        ink="#1f2328",
        quiet="#59636e",
        grid="#d1d9e0",
        ours="#1b6e53",
        others="#a9b4be",
        goal="#a4442c",
    ),
    "dark": Theme(
        ink="#f0f6fc",
        quiet="#9198a1",
        grid="#3d444d",
        ours="#4fb38f",
        others="#656d76",
        goal="#f0876c",
    ),
}


def x_of(ratio: float) -> float:
    """Return where a ratio is on the axis."""
    return round(_LEFT + min(max(ratio, 0.0), MOST) * _SCALE, 1)


def draw(document: Document, server: str, theme: Theme) -> str:
    """Return the picture, the same bytes for the same figures."""
    loads = document["settings"]["loads"]
    others = [name for name in figures.names(document, "variants") if name != BASE]
    parts: list[str] = []
    y = _TOP
    for load, title in loads.items():
        found = {name: figures.cell(document, server, name, load) for name in others}
        bars = [(name, one.ratio) for name, one in found.items() if one and one.ratio]
        if not bars:
            continue
        parts.append(_text(_LEFT, y + 14, title, theme.ink, "bold"))
        y += _HEADING
        top = y
        for name, ratio in bars:
            parts += _bar(name, ratio, y, theme)
            y += _ROW
        parts += _goal(figures.GOALS[load], top, y, theme)
        y += _GAP
    title = f"{document['settings']['servers'][server]}: throughput a core keeps with telemetry"
    under = "CPU time without it / CPU time with it; thin lines: least to most of the rounds"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 26}" '
            f'width="{WIDTH}" height="{y + 26}" font-family="system-ui, sans-serif" '
            f'font-size="12" role="img" aria-label="{escape(title)}">',
            _text(8, 20, title, theme.ink, "bold"),
            _text(8, 38, under, theme.quiet),
            *_axis(y, theme),
            *parts,
            "</svg>\n",
        ]
    )


def _axis(bottom: int, theme: Theme) -> list[str]:
    parts: list[str] = []
    for tenth in range(0, 11, 2):
        x = x_of(tenth / 10)
        parts.append(_line(x, _TOP, x, bottom, theme.grid, 1))
        parts.append(_text(x, bottom + 16, f"{tenth / 10:.1f}", theme.quiet, anchor="middle"))
    return parts


def _bar(name: str, ratio: Spread, y: int, theme: Theme) -> list[str]:
    start, end = x_of(0), x_of(ratio.median)
    middle = y + _ROW / 2
    is_ours = name.startswith(OURS)
    colour = theme.ours if is_ours else theme.others
    ink = theme.ink if is_ours else theme.quiet
    return [
        _text(_LEFT - 8, middle + 4, name, ink, anchor="end"),
        f'<rect x="{start}" y="{middle - _BAR / 2}" width="{round(end - start, 1)}" '
        f'height="{_BAR}" rx="2" fill="{colour}"/>',
        _line(x_of(ratio.least), middle, x_of(ratio.most), middle, theme.ink, 1.5),
        _text(x_of(max(ratio.most, ratio.median)) + 6, middle + 4, f"{ratio.median:.2f}", ink),
    ]


def _goal(goal: float, top: int, bottom: int, theme: Theme) -> list[str]:
    x = x_of(goal)
    return [
        f'<line x1="{x}" y1="{top}" x2="{x}" y2="{bottom}" stroke="{theme.goal}" '
        'stroke-width="1.5" stroke-dasharray="4 3"/>',
        _text(x, top - 4, f"goal {goal:.2f}", theme.goal, anchor="middle"),
    ]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    where = f'x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"'
    return f'<line {where} stroke="{colour}" stroke-width="{width}"/>'


def _text(
    x: float, y: float, text: str, colour: str, weight: str = "normal", anchor: str = "start"
) -> str:
    how = f'fill="{colour}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" {how}>{escape(text)}</text>'
