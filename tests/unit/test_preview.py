"""The preview shows what is sent as text, and runs its own scripts alone."""

import base64
import hashlib
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.preview import Backends, draw, write
from support import browser
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
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        else:
            self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the preview of hostile data is."""
    return tmp_path_factory.mktemp("preview") / "preview.html"


@pytest.fixture(scope="module")
def page(path: Path) -> tuple[Tags, dict[str, int]]:
    """The preview of hostile data, and how many panels it calls empty."""
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
    assert len(tags.scripts) == 2
    assert set(empty.values()) == {0}
    # The control: the same page without quotes or escapes has what is claimed to be absent.
    careless = Tags()
    careless.feed("".join(f"<li class={one}>" for one in HOSTILE))
    assert {"onmouseover", "onfocus"} & careless.attributes


# The document as Grafana's code leaves it.
LEFT = """
const drawn = [...page.querySelectorAll(".drawn")];
const ready = (one) => one.firstChild && (one.querySelector("canvas")
  || !one.dataset.panel.includes('"type":"timeseries"') || one.textContent.includes("fails here"));
if (!drawn.every(ready)) return undefined;
const elements = [...page.querySelectorAll("body *")];
return {
  panels: drawn.length,
  text: drawn.map((one) => one.textContent).join(" "),
  names: [...new Set(elements.map((one) => one.localName))],
  attributes: [...new Set(elements.flatMap((one) => one.getAttributeNames()))],
};
"""


@pytest.mark.usefixtures("page")
def test_what_is_sent_is_text_when_it_is_drawn(path: Path) -> None:
    found = browser.look(path.read_text(encoding="utf-8"), LEFT, width=1440, height=24_000)
    assert found["panels"] > 100
    assert [one for one in HOSTILE if one not in found["text"]] == []
    assert not {one for one in found["attributes"] if one.startswith("on")}
    assert not {"autofocus", "src"} & set(found["attributes"])
    assert not {"img", "frac"} & set(found["names"])


def test_a_severity_is_one_of_six(page: tuple[Tags, dict[str, int]]) -> None:
    tags, _ = page
    assert tags.classes <= {"", "trace", "debug", "info", "warn", "error", "fatal"}


def test_the_page_runs_its_own_scripts_alone(page: tuple[Tags, dict[str, int]]) -> None:
    tags, _ = page
    policy = tags.metas["Content-Security-Policy"]
    digests = [hashlib.sha256(script.encode()).digest() for script in tags.scripts]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    assert policy == (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


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
