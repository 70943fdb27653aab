"""Puts the drawn panels on one page, where Grafana would put them."""

import html
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

import httpx

from glasshouse_dashboards.preview import draw, units
from glasshouse_dashboards.preview.data import Backends, Line, Reader, Series
from glasshouse_dashboards.reading import Span, dashboards, expanded, panels, variables

# What one column and one row of Grafana's grid measure on a wide screen, in pixels.
_COLUMN: Final = 57
_ROW: Final = 38
_FRAME: Final = 76  # title, legend and padding of a panel
_LEGEND: Final = 8  # more names than these are counted, not listed
_TABLE_ROWS: Final = 12


def write(folder: Path, out: Path, backends: Backends, *, minutes: int) -> dict[str, int]:
    """Draw each dashboard of ``folder`` with the last ``minutes``; return panels without data.

    Raises httpx.HTTPError when a backend does not answer or refuses a query.
    """
    end = time.time()
    span = Span(start=end - 60 * minutes, end=end)
    empty: dict[str, int] = {}
    sections: list[str] = []
    boards = sorted(dashboards(folder), key=lambda board: (board["uid"] != "start", board["uid"]))
    with httpx.Client(timeout=30, trust_env=False) as http:
        reader = Reader(http, backends, span)
        for board in boards:
            drawn = [_panel(board, panel, reader, span) for panel in panels(board)]
            empty[board["uid"]] = sum("class=empty" in text for text in drawn)
            headings = [_heading(panel) for panel in board["panels"] if panel["type"] == "row"]
            sections.append(_section(board, [*headings, *drawn]))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(_page(boards, sections, span), encoding="utf-8")
    return empty


def _panel(board: Mapping[str, Any], panel: Mapping[str, Any], reader: Reader, span: Span) -> str:
    values = variables(board)
    queries = [(target, expanded(target["expr"], values, span)) for target in panel["targets"]]
    loki = panel["datasource"]["uid"] == "loki"
    if panel["type"] == "logs":
        lines = [line for _, query in queries for line in reader.lines(query)]
        return _box(panel, _logs(lines) if lines else _nothing(panel))
    ask = reader.log_series if loki else reader.series
    series = [one for target, query in queries for one in ask(target, query)]
    if not series:
        return _box(panel, _nothing(panel))
    if panel["type"] == "stat":
        return _box(panel, _numbers(panel, series))
    if panel["type"] == "table":
        return _box(panel, _table(panel, series))
    place = panel["gridPos"]
    size = (place["w"] * _COLUMN - 24, place["h"] * _ROW - _FRAME)
    if panel["type"] == "bargauge":
        return _box(panel, draw.bars(panel, series, size))
    marks = {mark["iconColor"]: reader.marks(mark["expr"]) for mark in board["annotations"]["list"]}
    return _box(panel, draw.graph(panel, series, span, marks, size) + _legend(panel, series))


def _nothing(panel: Mapping[str, Any]) -> str:
    reason = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "No data")
    return f"<p class=empty>{html.escape(reason)}</p>"


def _numbers(panel: Mapping[str, Any], series: Sequence[Series]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    colored = panel["options"]["colorMode"] == "background"
    tiles: list[str] = []
    for one in series:
        color = f' style="background:{draw.COLORS[draw.threshold(defaults, one.last)]}"'
        name = f"<small>{html.escape(one.name)}</small>" if len(series) > 1 else ""
        number = html.escape(units.text(one.last, defaults["unit"], defaults.get("decimals")))
        tiles.append(f"<div class=number{color if colored else ''}>{number}{name}</div>")
    return f"<div class=numbers>{''.join(tiles)}</div>"


def _table(panel: Mapping[str, Any], series: Sequence[Series]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    [order] = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
    names = {
        label: order["renameByName"][label]
        for label in sorted(order["indexByName"], key=order["indexByName"].__getitem__)
    }
    head = "".join(f"<th>{html.escape(title)}</th>" for title in names.values())
    shown = sorted(series, key=lambda one: -one.last)[:_TABLE_ROWS]
    body = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(_cell(one, label, defaults))}</td>" for label in names)
        + "</tr>"
        for one in shown
    )
    more = len(series) - len(shown)
    note = f"<p class=more>and {more} more</p>" if more else ""
    return f"<div class=scroll><table><tr>{head}</tr>{body}</table>{note}</div>"


def _cell(one: Series, label: str, defaults: Mapping[str, Any]) -> str:
    if label != "Value":
        return one.labels.get(label, "")
    return units.text(one.last, defaults["unit"], defaults.get("decimals"))


def _logs(lines: Iterable[Line]) -> str:
    rows = [
        f"<li class={html.escape(line.labels.get('severity_text', 'info').lower())}>"
        f"<time>{datetime.fromtimestamp(line.at, tz=UTC):%H:%M:%S.%f}"[:-3]
        + f"</time> <b>{html.escape(line.labels.get('service_name', ''))}</b> "
        f"{html.escape(line.text)} <i>{html.escape(_details(line.labels))}</i></li>"
        for line in lines
    ]
    return f"<ol class=scroll>{''.join(rows)}</ol>"


def _details(labels: Mapping[str, str]) -> str:
    """Return the attributes of an event, which are what tells one line from the next."""
    areas = ("payment_", "automation_", "notification_", "job_", "correlation_id")
    return " ".join(f"{key}={value}" for key, value in labels.items() if key.startswith(areas))


def _legend(panel: Mapping[str, Any], series: Sequence[Series]) -> str:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    names = [
        f"<li><i style='background:{draw.PALETTE[index % len(draw.PALETTE)]}'></i>"
        f"{html.escape(one.name)} <b>{html.escape(units.text(one.last, unit))}</b></li>"
        for index, one in enumerate(series[:_LEGEND])
    ]
    if len(series) > _LEGEND:
        names.append(f"<li>and {len(series) - _LEGEND} more</li>")
    return f"<ul class=legend>{''.join(names)}</ul>"


def _place(panel: Mapping[str, Any]) -> str:
    place = panel["gridPos"]
    x, y = place.get("x", 0) + 1, place.get("y", 0) + 1
    return f"grid-column:{x}/span {place['w']};grid-row:{y}/span {place['h']}"


def _box(panel: Mapping[str, Any], content: str) -> str:
    return (
        f'<article class="{panel["type"]}" style="{_place(panel)}" '
        f'title="{html.escape(panel["description"])}">'
        f"<h3>{html.escape(panel['title'])}</h3>{content}</article>"
    )


def _heading(panel: Mapping[str, Any]) -> str:
    return f'<h2 class=row style="{_place(panel)}">{html.escape(panel["title"])}</h2>'


def _section(board: Mapping[str, Any], items: Iterable[str]) -> str:
    links = " ".join(
        f'<a href="#{link["url"].removeprefix("/d/")}">{html.escape(link["title"])}</a>'
        for link in board["links"]
        if link["url"].startswith("/d/")
    )
    return (
        f'<section id="{board["uid"]}"><header><h1>{html.escape(board["title"])}</h1>'
        f"<p>{html.escape(board['description'])}</p><nav>{links}</nav></header>"
        f"<div class=grid>{''.join(items)}</div></section>"
    )


def _page(boards: Iterable[Mapping[str, Any]], sections: Iterable[str], span: Span) -> str:
    start, end = (datetime.fromtimestamp(at, tz=UTC) for at in (span.start, span.end))
    tabs = "".join(
        f'<a href="#{board["uid"]}">{html.escape(board["title"])}</a>' for board in boards
    )
    frame = (
        resources.files("glasshouse_dashboards.preview")
        .joinpath("page.html")
        .read_text(encoding="utf-8")
    )
    return (
        frame.replace("{{tabs}}", tabs)
        .replace("{{when}}", f"{start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC")
        .replace("{{sections}}", "".join(sections))
    )
