"""The preview shows values as Grafana does, and knows every unit the dashboards use."""

import base64
import hashlib
import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import TimeRange, dashboards, panels
from glasshouse_dashboards.preview import Backends, draw, units, write
from glasshouse_dashboards.preview.data import Series
from support.http_server import Handler, serving

# What somebody sends who wants to be more than text on the page.
HOSTILE = (
    "x onmouseover=alert(1)",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) '",
    "</style></svg></li><script>alert(1)</script>",
    "<!--",
    "{{sections}}",
    'class="empty"',
    r"$\frac{$",
)


class Hostile(Handler):
    """Stands for Prometheus, Loki and Tempo: every name, text and label is hostile."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        now = time.time()
        if url.path.startswith("/api/v1/label/"):
            found: dict[str, object] = {"data": HOSTILE}
        elif url.path == "/api/search":
            found = {
                "traces": [
                    {
                        "traceID": text,
                        "rootServiceName": text,
                        "rootTraceName": text,
                        "startTimeUnixNano": str(int(now * 10**9)),
                        "durationMs": 12,
                    }
                    for text in HOSTILE
                ]
            }
        else:
            found = {
                "series": [
                    {
                        "labels": [{"key": text, "value": {"stringValue": text}}],
                        "samples": [{"timestampMs": str(int(now * 1000)), "value": 2.0}],
                    }
                    for text in HOSTILE
                ]
            }
        self.answer(json.dumps(found).encode())

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(self.body().decode())["query"][0]
        now = time.time()
        labels = [*re.findall(r"\w+", query), "severity_text", "severity_number", "service_name"]
        metric = [{label: text for label in labels if label != "__name__"} for text in HOSTILE]
        if url.path.startswith("/loki") and not re.search("count_over_time|rate", query):
            at = str(int(now * 10**9))
            result = [
                {"stream": one, "values": [[at, text]]}
                for one, text in zip(metric, HOSTILE, strict=True)
            ]
        elif url.path.endswith("query_range"):
            result = [{"metric": one, "values": [[now - 30, "1"], [now, "2"]]} for one in metric]
        else:
            result = [{"metric": one, "value": [now, "1"]} for one in metric]
        self.answer(json.dumps({"status": "success", "data": {"result": result}}).encode())


class Tags(HTMLParser):
    """Collects the elements of a page with their attributes, its scripts and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.classes: set[str] = set()
        self.metas: dict[str, str] = {}
        self.scripts: list[str] = []
        self.text: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        found = {name: value or "" for name, value in attrs}
        self.attributes |= set(found)
        if tag == "li":
            self.classes.add(found.get("class", ""))
        if tag == "meta":
            self.metas[found.get("http-equiv", "")] = found.get("content", "")
        self._inside = tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self._inside == "script" else self.text).append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tags, dict[str, int]]:
    """The preview of hostile data, and how many panels it calls empty."""
    path = tmp_path_factory.mktemp("preview") / "preview.html"
    with serving(Hostile) as url:
        empty = write(FOLDER, path, Backends(prometheus=url, loki=url, tempo=url), minutes=15)
    tags = Tags()
    tags.feed(path.read_text(encoding="utf-8"))
    return tags, empty


def test_what_is_sent_is_text_on_the_page(
    page: tuple[Tags, dict[str, int]], tmp_path: Path
) -> None:
    tags, empty = page
    text = "".join(tags.text)
    assert [one for one in HOSTILE if one not in text] == []
    assert not {one for one in tags.attributes if one.startswith("on")}
    assert not {"src", "autofocus", "img", "frac"} & (tags.attributes | tags.names)
    assert len(tags.scripts) == 1
    assert set(empty.values()) == {0}
    # The control: the same page without quotes or escapes has what is claimed to be absent.
    careless = Tags()
    careless.feed("".join(f"<li class={one}>" for one in HOSTILE))
    assert {"onmouseover", "onfocus"} & careless.attributes


def test_a_severity_is_one_of_six(page: tuple[Tags, dict[str, int]]) -> None:
    tags, _ = page
    assert tags.classes <= {"", "trace", "debug", "info", "warn", "error", "fatal"}


def test_the_page_runs_its_own_script_alone(page: tuple[Tags, dict[str, int]]) -> None:
    tags, _ = page
    policy = tags.metas["Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(tags.scripts[0].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


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


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "shown"),
    [
        (0.4366, "percentunit", 0, "44 %"),
        (-194.46, "percentunit", 0, "-19446 %"),
        (1, "percentunit", 0, "100 %"),
        (0.4366, "percentunit", 1, "43.7 %"),
        (12.4, "short", 0, "12"),
    ],
)
def test_decimals_are_those_of_what_is_shown(
    value: float, unit: str, decimals: int, shown: str
) -> None:
    assert units.text(value, unit, decimals) == shown


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


def series(name: str, *values: float) -> Series:
    times = [float(at) for at in range(len(values))]
    return Series(name=name, labels={}, times=times, values=list(values))


def test_a_state_has_its_colour_on_every_dashboard() -> None:
    graphs = {
        (board["uid"], panel["title"]): panel
        for board in dashboards(FOLDER)
        for panel in panels(board)
        if panel["type"] == "timeseries"
    }
    red, green, orange = (draw.COLORS[color] for color in ("red", "green", "orange"))
    for place, names, expected in (
        (("service", "Lines by severity"), ["error", "warn"], [red, orange]),
        (("logs", "Lines by severity"), ["ERROR", "WARN"], [red, orange]),
        (("service", "By status"), ["500", "404", "201"], [red, orange, green]),
        (("api", "By status"), ["500", "404", "200"], [red, orange, green]),
        (("payments", "Payments by state"), ["failed", "confirmed"], [red, green]),
    ):
        found = draw.colors(graphs[place], [series(name, 1) for name in names])
        assert found == expected, place
    # What is no state takes the next colour, also where others are states.
    other = draw.colors(graphs["service", "By status"], [series("5000", 1), series("500", 1)])
    assert other == [draw.PALETTE[0], red]


def test_a_stack_is_nothing_where_no_value_is() -> None:
    moments = draw.moments_of_stack(
        [series("a", 1, 1), replace(series("b", 1, 1), times=[1.0, 500.0])],
        TimeRange(start=0, end=900),
    )
    assert moments == [0, 1, 2, 499, 500]


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (100 * 2**20, [0, 32 * 2**20, 64 * 2**20, 96 * 2**20]),
        (3, [0, 1, 2, 3]),
    ],
)
def test_bytes_are_counted_in_powers_of_two(highest: float, ticks: list[int]) -> None:
    assert draw.binary_ticks(highest) == ticks


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
