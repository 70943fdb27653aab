"""What others send stays text wherever it is shown: in pages, chat messages and terminals."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.console import Console

from backend.api import jobs_page
from backend.jobs.status import JobStatus, WorkerStatus
from glasshouse.logs import GcpFormatter, JsonFormatter, TextFormatter
from glasshouse_cli.console import Terminal, plain_table
from glasshouse_dashboards.expand import panels
from glasshouse_dashboards.preview import Backends, write
from support import http_server

ROOT = Path(__file__).parents[2]
BOARDS = ROOT / "grafana" / "dashboards"
HARMLESS = "harmless"
HOSTILE = (
    "x onmouseover=alert(1) y",
    "\"'><script>alert(1)</script>",
    "</svg></style></script><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "$\\frac{$ [link=https://evil.example]x[/link] {{sections}}",
)
# Clears the screen; a title in C1's form; text from right to left; a return over what was written.
CONTROLS = "a\x1b[2Jb\x9b31mc\x07d\u202ee\rf\x7fg"


class Structure(HTMLParser):
    """Elements with the names of their attributes, outside of pictures, and the page's scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.everywhere: set[tuple[str, str]] = set()
        self.classes: set[str] = set()
        self.links: set[str] = set()
        self._pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.everywhere |= {(tag, name) for name, _ in attrs} or {(tag, "")}
        self._pictures += tag == "svg"
        if not self._pictures:
            self.found.append((tag, tuple(name for name, _ in attrs)))
            self.classes |= {value or "" for name, value in attrs if name == "class"}
            self.links |= {value or "" for name, value in attrs if name in {"href", "src"}}

    def handle_endtag(self, tag: str) -> None:
        self._pictures -= tag == "svg"


def structure(page: str) -> Structure:
    parser = Structure()
    parser.feed(page)
    parser.close()
    return parser


def labels() -> set[str]:
    """Every label that a legend or a column of a dashboard shows."""
    text = "".join(file.read_text(encoding="utf-8") for file in BOARDS.glob("*.json"))
    shown = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", text))
    columns = {
        name
        for found in re.findall(r'"renameByName": (\{.*?\})', text, re.S)
        for name in json.loads(found)
    }
    return shown | columns | {"service_name", "severity_text", "payment_id", "detected_level"}


@contextmanager
def backends(text: str) -> Iterator[Backends]:
    """Prometheus and Loki that answer every query with series and lines of this text."""
    names = dict.fromkeys(labels(), text)

    class Backend(http_server.Handler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            at = float(query.get("end") or query.get("time") or 0)
            self.answer(json.dumps(self.found(asked.path, query.get("query", ""), at)).encode())

        def do_POST(self) -> None:
            query = {name: one[0] for name, one in parse_qs(self.body().decode()).items()}
            at = float(query.get("end") or query.get("time") or 0)
            path = urlsplit(self.path).path
            self.answer(json.dumps(self.found(path, query.get("query", ""), at)).encode())

        def found(self, path: str, query: str, at: float) -> object:
            at = at / 10**9 if at > 10**12 else at
            points = [[at - 60, "1"], [at - 30, "2"]]
            if "/loki/" in path and not re.match(r"\s*(sum|topk|count|max|avg)", query):
                line = [str(int(at * 10**9)), text]
                result = {"resultType": "streams", "result": [{"stream": names, "values": [line]}]}
            elif path.endswith("query_range"):
                result = {"resultType": "matrix", "result": [{"metric": names, "values": points}]}
            else:
                result = {"resultType": "vector", "result": [{"metric": names, "value": points[0]}]}
            return {"status": "success", "data": result}

    with http_server.serving(Backend) as url:
        yield Backends(prometheus=url, loki=url)


def preview(text: str, folder: Path) -> str:
    """A page with one panel of each type."""
    types: set[str] = set()
    for file in sorted(BOARDS.glob("*.json")):
        board = json.loads(file.read_text(encoding="utf-8"))
        kept = {one["type"]: one for one in panels(board) if one["type"] not in types}
        types |= kept.keys()
        text_of_board = json.dumps({**board, "panels": list(kept.values())})
        (folder / file.name).write_text(text_of_board, encoding="utf-8")
    assert types == {"stat", "timeseries", "table", "bargauge", "logs"}
    page = folder / "preview.html"
    with backends(text) as found:
        empty = write(folder, page, found, minutes=5)
    assert sum(empty.values()) == 0, "a panel that shows nothing proves nothing"
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Structure:
    page = preview(HARMLESS, tmp_path_factory.mktemp("harmless"))
    assert page.count(HARMLESS) > 5
    return structure(page)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_telemetry_becomes_markup(
    text: str, harmless: Structure, tmp_path: Path
) -> None:
    page = preview(text, tmp_path)
    found = structure(page)
    assert found.found == harmless.found
    assert found.everywhere <= harmless.everywhere
    assert found.classes == harmless.classes
    assert found.links == harmless.links


def test_markup_of_others_is_found_where_it_is(harmless: Structure) -> None:
    page = "<ol><li class=x onmouseover=alert(1)>a</li></ol><svg><script>x</script></svg>"
    found = structure(page)
    assert ("li", "onmouseover") in found.everywhere - harmless.everywhere
    assert found.classes - harmless.classes == {"x"}


def jobs(text: str) -> str:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    job = JobStatus(
        job=text,
        schedule=text,
        last_outcome=text,
        last_error=text,
        last_success=moment,
        last_finished=moment,
        next_run=moment,
        running=1,
        pending=1,
        oldest_pending_age=1.0,
        failed=1,
    )
    worker = WorkerStatus(worker=text, state="alive", started=moment, heartbeat_age=1.0)
    return jobs_page.render([job], [worker])


@pytest.mark.parametrize("text", HOSTILE)
def test_the_page_of_jobs_has_no_markup_of_others(text: str) -> None:
    assert jobs(HARMLESS).count(HARMLESS) == 4
    assert structure(jobs(text)).found == structure(jobs(HARMLESS)).found


def terminal() -> tuple[Terminal, io.StringIO]:
    """One that can colour, whose output is kept."""
    made, kept = Terminal(), io.StringIO()
    made.out = made.err = Console(file=kept, force_terminal=True, width=500)
    return made, kept


CALLS = ("say", "line", "lines", "error", "table", "note")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "text", [CONTROLS, "[/x] [link=https://evil.example]y[/link] [red]z[/red]"]
)
def test_a_terminal_shows_control_characters_as_text(call: str, text: str) -> None:
    made, kept = terminal()
    match call:
        case "table":
            table = plain_table("column")
            table.add_row(text)
            made.table(table)
        case "lines":
            made.lines([text])
        case "note":
            with made.step("step") as step:
                step.note(text)
        case _:
            getattr(made, call)(text)
    printed = kept.getvalue()
    expected = "a\\x1b[2Jb\\x9b31mc\\x07d\\u202ee\\rf\\x7fg" if text == CONTROLS else text
    assert expected in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed)
    assert "\x1b[2Jb" not in printed
    assert "\x1b]8;" not in printed


@pytest.mark.parametrize("form", [TextFormatter(), JsonFormatter("shop"), GcpFormatter("shop")])
def test_a_console_line_moves_no_cursor(form: logging.Formatter) -> None:
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, f"said {CONTROLS}", None, None)
    record.__dict__["note"] = CONTROLS
    line = form.format(record)
    assert "said a" in line
    assert re.findall(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", line) == []
    assert line.count("\\u202e") == 2
    if isinstance(form, JsonFormatter):
        assert json.loads(line)["message"] == f"said {CONTROLS}"
