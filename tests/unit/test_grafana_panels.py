"""What Grafana's own code draws of the dashboards in the preview, read in a real browser."""

import dataclasses
import hashlib
import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from backend.telemetry import known_values
from glasshouse_dashboards import preview
from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import dashboards, panels
from glasshouse_dashboards.preview import Backends, draw
from support import browser
from support.deployed import ROOT
from support.http_server import Handler, serving

PACKAGE = ROOT / "grafana" / "preview"
SCRIPT = ROOT / "grafana/src/glasshouse_dashboards/preview/panels.js"
LICENCES = SCRIPT.with_name("panels.js.LICENSES.txt")
# The choices of an expression with OR count one by one.
ALLOWED = {"0BSD", "Apache-2.0", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "Unlicense"}
STATES = {
    "state": [*known_values.PaymentState],
    "outcome": [*known_values.JobOutcome],
    "status": [*known_values.NotificationDeliveryStatus],
    "http_response_status_code": ["200", "202", "404", "503"],
    "severity_text": ["INFO", "WARN", "ERROR"],
}
WIDTH, HEIGHT = 1440, 24_000
# Panels as they are once the last one is drawn.
DRAWN = """
const drawn = [...page.querySelectorAll(".drawn")];
const ready = (one) => one.firstChild && (one.querySelector("canvas")
  || !one.dataset.panel.includes('"type":"timeseries"') || one.textContent.includes("fails here"));
if (!drawn.every(ready)) return undefined;
return drawn.map((one) => ({
  board: one.closest("section").id,
  title: one.closest("article").querySelector("h3").textContent,
  type: JSON.parse(one.dataset.panel).panel.type,
  text: one.textContent,
  graphs: one.querySelectorAll("canvas").length,
  legend: [...one.querySelectorAll("button")].map((name) => [
    name.textContent,
    view.getComputedStyle(name.parentElement.querySelector("[data-testid=series-icon]")
      ?? name.parentElement.firstElementChild).backgroundImage
      + view.getComputedStyle(name.parentElement.firstElementChild).backgroundColor,
  ]),
  background: [...one.querySelectorAll("div")].map(
    (part) => view.getComputedStyle(part).backgroundImage).find((image) => image !== "none") ?? "",
}));
"""


class Plausible(Handler):
    """Stands for Prometheus and Loki: shares of 99.95 %, and curves for everything else."""

    def do_GET(self) -> None:
        self.respond(urlsplit(self.path).query)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.respond(self.rfile.read(length).decode())

    def respond(self, form: str) -> None:
        path, query, now = (
            urlsplit(self.path).path,
            parse_qs(form).get("query", [""])[0],
            time.time(),
        )
        by = re.search(r"by \(([^)]*)\)", query)
        labels = [label.strip() for label in by[1].split(",")] if by else []
        combined: list[dict[str, str]] = [{}]
        for label in labels:
            values = STATES.get(label, [f"{label}-1", f"{label}-2"])
            combined = [{**one, label: value} for one in combined for value in values][:8]
        share = "/ " in query
        if "/label/" in path:
            self.answer(json.dumps({"status": "success", "data": ["one"]}).encode())
            return
        if path.startswith("/loki") and not re.search("count_over_time|rate", query):
            result: list[Any] = [{"stream": {}, "values": [[str(int(now * 10**9)), "a line"]]}]
        elif path.endswith("query_range"):
            times = [now - 900 + 15 * step for step in range(60)]
            result = [
                {
                    "metric": one,
                    "values": [
                        [at, "0.9995" if share else str(5 + 4 * math.sin(at / 90 + index))]
                        for at in times
                    ],
                }
                for index, one in enumerate(combined)
            ]
        else:
            result = [{"metric": one, "value": [now, "0.9995"]} for one in combined]
        self.answer(json.dumps({"status": "success", "data": {"result": result}}).encode())


def backends(url: str) -> Backends:
    """One address for all of them."""
    names = [field.name for field in dataclasses.fields(Backends) if field.name != "auth"]
    addresses: dict[str, Any] = dict.fromkeys(names, url)
    return Backends(**addresses)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every panel that Grafana's code draws."""
    path = tmp_path_factory.mktemp("preview") / "preview.html"
    with serving(Plausible) as url:
        preview.write(FOLDER, path, backends(url), minutes=15)
    found = browser.look(path.read_text(encoding="utf-8"), DRAWN, width=WIDTH, height=HEIGHT)
    assert isinstance(found, list)
    return found


def test_every_panel_is_drawn(drawn: list[dict[str, Any]]) -> None:
    wanted = {
        (board["uid"], panel["title"], panel["type"])
        for board in dashboards(FOLDER)
        for panel in panels(board)
        if panel["type"] in draw.DRAWN and panel["datasource"]["uid"] in {"prometheus", "loki"}
    }
    assert len(wanted) > 100
    assert wanted <= {(one["board"], one["title"], one["type"]) for one in drawn}
    assert [one for one in drawn if "Grafana's code fails here" in one["text"]] == []
    graphs = [one for one in drawn if one["type"] == "timeseries"]
    assert [one["title"] for one in graphs if one["graphs"] != 1 or not one["legend"]] == []


def test_a_share_has_two_decimals(drawn: list[dict[str, Any]]) -> None:
    shares = {
        (board["uid"], panel["title"])
        for board in dashboards(FOLDER)
        for panel in panels(board)
        if panel["type"] in {"stat", "bargauge"}
        if panel["fieldConfig"]["defaults"]["unit"] == "percentunit"
        # The budgets of any service are estimates.
        if panel["fieldConfig"]["defaults"]["decimals"] == 2
    }
    assert ("payments", "Confirmed within 120 s") in shares
    texts = {(one["board"], one["title"]): one["text"] for one in drawn}
    assert [place for place in shares if "99.95%" not in texts[place]] == []


def test_a_state_has_one_colour_on_every_dashboard(drawn: list[dict[str, Any]]) -> None:
    colors: dict[str, set[str]] = {}
    for one in drawn:
        for name, color in one["legend"]:
            colors.setdefault(name, set()).add(color)
    states = {str(state) for values in STATES.values() for state in values if not state.isdecimal()}
    seen = {name: colors[name] for name in states if name in colors}
    assert len(seen) >= 10
    assert {name: one for name, one in seen.items() if len(one) != 1} == {}
    assert seen["confirmed"] == seen["succeeded"] == seen["delivered"]
    assert len({*seen["confirmed"], *seen["failed"], *seen["retried"], *seen["created"]}) == 4
    assert seen["failed"] == seen["ERROR"]


def test_a_threshold_colours_a_number(drawn: list[dict[str, Any]]) -> None:
    [share] = [one for one in drawn if one["title"] == "Confirmed within 120 s"]
    [created] = [one for one in drawn if (one["board"], one["title"]) == ("payments", "Created")]
    assert share["background"].startswith("linear-gradient")
    assert created["background"] == ""


def test_the_script_is_made_of_these_sources() -> None:
    build = (PACKAGE / "build.mjs").read_text(encoding="utf-8")
    sources = re.search(r"const SOURCES = (\[.*?\]);", build)
    assert sources
    digest = hashlib.sha256()
    for name in json.loads(sources[1]):
        digest.update((PACKAGE / name).read_bytes())
    first = SCRIPT.read_text(encoding="utf-8").partition("\n")[0]
    assert digest.hexdigest() in first, "`npm ci && npm run build` in grafana/preview"


def parts() -> Iterator[tuple[str, str]]:
    text = LICENCES.read_text(encoding="utf-8")
    for part in text.partition("\n\n")[2].split(f"\n{'-' * 80}\n\n"):
        head = re.match(r"(\S+ \S+): (.+)\n", part)
        assert head, part[:100]
        yield head[1], head[2]


def test_what_went_into_the_script_may_be_shipped() -> None:
    found = dict(parts())
    wanted = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {f"{name} {version}" for name, version in wanted.items()} <= found.keys()
    assert {
        name: licence
        for name, licence in found.items()
        if not ALLOWED & set(licence.strip("()").split(" OR "))
    } == {}


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((PACKAGE / "package-lock.json").read_text(encoding="utf-8"))
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []
    assert [name for name, one in lock["packages"].items() if name and "integrity" not in one] == []
