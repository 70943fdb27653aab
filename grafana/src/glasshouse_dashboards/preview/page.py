"""Puts the panels on one page, where Grafana would put them."""

import base64
import hashlib
import html
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

import httpx

from glasshouse_dashboards.expand import (
    TimeRange,
    dashboards,
    expand,
    panels,
    query_of,
    variables,
)
from glasshouse_dashboards.preview import draw, units
from glasshouse_dashboards.preview.data import Backends, Line, Reader, Series, Trace

_TABLE_ROWS: Final = 12
_EMPTY: Final = '<p class="empty">'  # no text of others has a quote once it is escaped
# The lowest number of each severity of OTLP, whose names are classes of the page.
_SEVERITIES: Final = (
    (21, "fatal"), (17, "error"), (13, "warn"), (9, "info"), (5, "debug"), (1, "trace")
)  # fmt: skip
_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def write(folder: Path, out: Path, backends: Backends, *, minutes: int) -> dict[str, int]:
    """Draw each dashboard of ``folder`` with the last ``minutes``; return panels without data.

    Raises httpx.HTTPError when a backend does not answer or refuses a query.
    """
    end = time.time()
    time_range = TimeRange(start=end - 60 * minutes, end=end)
    empty: dict[str, int] = {}
    sections: list[str] = []
    boards = sorted(dashboards(folder), key=lambda board: (board["uid"] != "start", board["uid"]))
    with httpx.Client(timeout=30, trust_env=False, auth=backends.auth) as http:
        reader = Reader(http, backends, time_range)
        for board in boards:
            drawn = [_render_panel(board, panel, reader, time_range) for panel in panels(board)]
            empty[board["uid"]] = sum(_EMPTY in text for text in drawn)
            headings = [
                _render_heading(panel) for panel in board["panels"] if panel["type"] == "row"
            ]
            sections.append(_render_section(board, [*headings, *drawn]))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(_render_page(boards, sections, time_range), encoding="utf-8")
    return empty


def _render_panel(
    board: Mapping[str, Any], panel: Mapping[str, Any], reader: Reader, time_range: TimeRange
) -> str:
    values = _chosen(board, reader)
    queries = [(one, expand(query_of(one), values, time_range)) for one in panel["targets"]]
    source = panel["datasource"]["uid"]
    if panel["type"] == "logs":
        lines = [line for _, query in queries for line in reader.lines(query)]
        return _render_box(panel, _render_logs(lines) if lines else _render_empty(panel))
    if source == "tempo" and panel["type"] == "table":
        found = [trace for one, query in queries for trace in reader.traces(query, one["limit"])]
        return _render_box(panel, _render_traces(found) if found else _render_empty(panel))
    answers = [
        (
            target["refId"],
            reader.span_series(query)
            if source == "tempo"
            else reader.log_series(target, query)
            if source == "loki"
            else reader.series(target, query),
        )
        for target, query in queries
    ]
    series = [one for _, found in answers for one in found]
    if not series:
        return _render_box(panel, _render_empty(panel))
    if panel["type"] == "table":
        return _render_box(panel, _render_table(panel, answers))
    marks = {
        mark["iconColor"]: reader.marks(expand(mark["expr"], values, time_range))
        for mark in board["annotations"]["list"]
        if panel["type"] == "timeseries"
    }
    return _render_box(panel, draw.panel_data(panel, series, time_range, marks))


def _chosen(board: Mapping[str, Any], reader: Reader) -> dict[str, str]:
    """Return the values of a dashboard's variables, each one that exists, as Grafana does."""
    values = variables(board)
    for variable in board["templating"]["list"]:
        # But the one that `expand` knows.
        is_one = variable["type"] == "query" and not variable.get("includeAll")
        if is_one and variable["name"] in values:
            query = expand(variable["query"]["query"], values, reader.time_range)
            known = reader.label_values(query)
            if known and values[variable["name"]] not in known:
                values[variable["name"]] = known[0]
    return values


def _render_empty(panel: Mapping[str, Any]) -> str:
    reason = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "No data")
    return f"{_EMPTY}{html.escape(reason)}</p>"


def _render_table(panel: Mapping[str, Any], answers: Sequence[tuple[str, Sequence[Series]]]) -> str:
    [order] = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
    names = {
        label: order["renameByName"][label]
        for label in sorted(order["indexByName"], key=order["indexByName"].__getitem__)
    }
    head = "".join(f"<th>{html.escape(title)}</th>" for title in names.values())
    rows = _rows(answers, merged=any(one["id"] == "merge" for one in panel["transformations"]))
    body = "".join(
        "<tr>"
        + "".join(_render_cell(panel, row.get(name, ""), title) for name, title in names.items())
        + "</tr>"
        for row in rows[:_TABLE_ROWS]
    )
    more = len(rows) - _TABLE_ROWS
    note = f'<p class="more">and {more} more</p>' if more > 0 else ""
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table>{note}</div>'


def _rows(
    answers: Sequence[tuple[str, Sequence[Series]]], *, merged: bool
) -> list[dict[str, str | float]]:
    """Return the rows, largest numbers first; ``merged``, with one row for each set of labels."""
    rows: dict[tuple[object, ...], dict[str, str | float]] = {}
    for reference, found in answers:
        for index, one in enumerate(sorted(found, key=lambda one: -one.last)):
            place = tuple(sorted(one.labels.items())) if merged else (index,)
            row = rows.setdefault(place, dict(one.labels))
            row[f"Value #{reference}" if merged else "Value"] = one.last
    return list(rows.values())


def _render_cell(panel: Mapping[str, Any], value: str | float, title: str) -> str:
    if isinstance(value, str):
        return f"<td>{html.escape(value)}</td>"
    defaults = panel["fieldConfig"]["defaults"]
    own = {
        one["id"]: one["value"]
        for override in panel["fieldConfig"].get("overrides", [])
        if override["matcher"]["options"] == title
        for one in override["properties"]
    }
    style = ""
    if "custom.cellOptions" in own:
        style = f' style="color:{draw.COLORS[draw.threshold(own, value)]}"'
    shown = units.text(value, own.get("unit", defaults["unit"]), defaults.get("decimals"))
    return f"<td{style}>{html.escape(shown)}</td>"


def _render_traces(found: Sequence[Trace]) -> str:
    head = "".join(f"<th>{title}</th>" for title in ("Start", "Service", "Name", "Duration"))
    body = "".join(
        f"<tr><td>{datetime.fromtimestamp(one.at, tz=UTC):%H:%M:%S}</td>"
        f"<td>{html.escape(one.service)}</td><td>{html.escape(one.name)}</td>"
        f"<td>{units.text(one.took, 's') if one.took else 'under 1 ms'}</td></tr>"
        for one in found[:_TABLE_ROWS]
    )
    more = len(found) - _TABLE_ROWS
    note = f'<p class="more">and {more} more</p>' if more > 0 else ""
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table>{note}</div>'


def _render_logs(lines: Iterable[Line]) -> str:
    rows = [
        f'<li class="{_severity(line.labels)}">'
        f"<time>{datetime.fromtimestamp(line.at, tz=UTC):%H:%M:%S.%f}"[:-3]
        + f"</time> <b>{html.escape(line.labels.get('service_name', ''))}</b> "
        f"{html.escape(line.text)} <i>{html.escape(_details(line.labels))}</i></li>"
        for line in lines
    ]
    return f'<ol class="scroll">{"".join(rows)}</ol>'


def _severity(labels: Mapping[str, str]) -> str:
    """Return one of the page's classes, whatever a sender calls its severity."""
    text = labels.get("severity_number", "")
    number = int(text) if re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) else 0
    return next((name for lowest, name in _SEVERITIES if number >= lowest), "info")


def _details(labels: Mapping[str, str]) -> str:
    """Return the attributes of an event, which distinguish one line from the next."""
    areas = ("payment_", "automation_", "notification_", "job_", "correlation_id")
    return " ".join(f"{key}={value}" for key, value in labels.items() if key.startswith(areas))


def _grid_style(panel: Mapping[str, Any]) -> str:
    place = panel["gridPos"]
    x, y = place.get("x", 0) + 1, place.get("y", 0) + 1
    return f"grid-column:{x}/span {place['w']};grid-row:{y}/span {place['h']}"


def _render_box(panel: Mapping[str, Any], content: str) -> str:
    return (
        f'<article class="{html.escape(panel["type"])}" style="{_grid_style(panel)}" '
        f'title="{html.escape(panel["description"])}">'
        f"<h3>{html.escape(panel['title'])}</h3>{content}</article>"
    )


def _render_heading(panel: Mapping[str, Any]) -> str:
    return f'<h2 class="row" style="{_grid_style(panel)}">{html.escape(panel["title"])}</h2>'


def _link(to: str, title: str) -> str:
    return f'<a href="#{html.escape(to)}">{html.escape(title)}</a>'


def _render_section(board: Mapping[str, Any], items: Iterable[str]) -> str:
    links = " ".join(
        _link(link["url"].removeprefix("/d/"), link["title"])
        for link in board["links"]
        if link["url"].startswith("/d/")
    )
    return (
        f'<section id="{html.escape(board["uid"])}"><header><h1>{html.escape(board["title"])}</h1>'
        f"<p>{html.escape(board['description'])}</p><nav>{links}</nav></header>"
        f'<div class="grid">{"".join(items)}</div></section>'
    )


def _render_page(
    boards: Iterable[Mapping[str, Any]], sections: Iterable[str], time_range: TimeRange
) -> str:
    start, end = (datetime.fromtimestamp(at, tz=UTC) for at in (time_range.start, time_range.end))
    tabs = "".join(_link(board["uid"], board["title"]) for board in boards)
    template = _resource("page.html").replace("{{panels}}", _resource("panels.js"))
    return (
        template.replace("{{policy}}", html.escape(_policy(template)), 1)
        .replace("{{tabs}}", tabs, 1)
        .replace("{{when}}", f"{start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC", 1)
        .replace("{{sections}}", "".join(sections), 1)
    )


def _resource(name: str) -> str:
    folder = resources.files("glasshouse_dashboards.preview")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _policy(template: str) -> str:
    """Return the Content-Security-Policy: the page's own script and styles, and nothing else."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _SCRIPT.findall(template)
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
