"""What others send stays text wherever it is shown: in pages, chat messages and terminals."""

import io
import json
import logging
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from rich.console import Console

from backend.api import jobs_page
from backend.api.jobs_page import Links
from backend.jobs.status import JobStatus, WorkerStatus
from glasshouse.formatters import GcpFormatter, JsonFormatter, TextFormatter
from glasshouse_cli.console import Terminal, plain_table

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
    """Elements with the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def structure(page: str) -> Structure:
    parser = Structure()
    parser.feed(page)
    parser.close()
    return parser


def test_markup_of_others_is_found_where_it_is() -> None:
    page = "<ol><li class=x onmouseover=alert(1)>a</li></ol>"
    assert structure(page).found == [("ol", ()), ("li", ("class", "onmouseover"))]


def jobs(text: str, links: Links) -> str:
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
        overdue=True,
        last_failure=moment,
        last_failure_error=text,
        last_failure_trace=text,
    )
    worker = WorkerStatus(worker=text, state="alive", started=moment, heartbeat_age=1.0)
    return jobs_page.render([job], [worker], links)


@pytest.mark.parametrize(
    ("links", "times"),
    [
        # With Grafana a trace is a link with an address, a name, a title and a text.
        (Links(), 8),
        (Links(grafana="http://grafana", runbooks="http://runbooks"), 11),
    ],
    ids=["without links", "with links"],
)
@pytest.mark.parametrize("text", HOSTILE)
def test_the_page_of_jobs_has_no_markup_of_others(text: str, links: Links, times: int) -> None:
    assert jobs(HARMLESS, links).count(HARMLESS) == times
    assert structure(jobs(text, links)).found == structure(jobs(HARMLESS, links)).found


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
