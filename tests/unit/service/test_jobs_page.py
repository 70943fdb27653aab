"""The page of jobs as people read it: states, times, links, colours, and narrow screens."""

import base64
import hashlib
import itertools
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from backend.api.jobs_page import LATE_AFTER_S, POLICY, Links, render
from backend.jobs.queue import CONFIRM_PAYMENT, RUN_AUTOMATION, SWEEP_PAYMENTS
from backend.jobs.schedule import Schedule
from backend.jobs.status import OVERDUE_AFTER_S, JobStatus, WorkerStatus, is_overdue
from support import browser
from support.deployed import ROOT

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
LINKS = Links(grafana="https://grafana.example", runbooks="https://books.example/user")
LEAST_CONTRAST = 4.5  # WCAG 2.2, AA


def job(name: str = CONFIRM_PAYMENT, **changes: Any) -> JobStatus:
    nothing: dict[str, Any] = dict.fromkeys(JobStatus.__dataclass_fields__)
    counts = {"running": 0, "pending": 0, "failed": 0, "oldest_pending_age": 0.0}
    return JobStatus(**nothing | counts | {"job": name, "overdue": False} | changes)


def failed(name: str = CONFIRM_PAYMENT) -> JobStatus:
    moment = NOW - timedelta(hours=3)
    return job(
        name,
        last_outcome="failed",
        last_error="OSError",
        last_finished=moment,
        failed=13,
        last_failure=moment,
        last_failure_error="OSError",
        last_failure_trace=TRACE,
    )


def worker(state: str = "alive", **changes: Any) -> WorkerStatus:
    fields: dict[str, Any] = {
        "worker": "w-1",
        "started": NOW - timedelta(hours=5),
        "heartbeat_age": 2.0,
    }
    fields |= {"state": state} | changes
    return WorkerStatus(**fields)


def page(*jobs: JobStatus, workers: tuple[WorkerStatus, ...] = (worker(),), **rest: Any) -> "Page":
    return Page(render(jobs, workers, rest.pop("links", LINKS), now=NOW, **rest))


def everything() -> str:
    """A page with everything that it can show, and texts of others that are long."""
    long = "<b>x</b>" + "W" * 150
    jobs = [
        *(job(one, last_outcome=one) for one in ("succeeded", "retried", "aborted")),
        job("never"),
        failed("broken"),
        job(
            long,
            last_outcome="failed",
            last_error=long,
            schedule="* * * * *",
            overdue=True,
            pending=10**9,
            oldest_pending_age=10**6,
            last_failure=NOW,
            last_failure_trace=TRACE,
        ),
    ]
    workers = [worker(one, worker=long) for one in ("lost", "stopped", "alive")]
    return render(jobs, workers, LINKS, now=NOW)


class Page(HTMLParser):
    """The elements of a page with what they say, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said: list[str] = []
        self.elements.append((tag, {name: value or "" for name, value in attrs}, said))
        if tag != "meta":
            self._open.append(said)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for said in self._open:
            said.append(data)

    def all(self, tag: str, **wanted: str) -> list[tuple[dict[str, str], str]]:
        return [
            (attrs, "".join(said).strip())
            for name, attrs, said in self.elements
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]

    def cell(self, column: str, row: int = 0) -> str:
        return self.all("td", **{"data-label": column})[row][1]

    def states(self) -> list[tuple[str, str]]:
        found = (*self.all("span"), *self.all("a"))
        return [
            (text, attrs["class"].removeprefix("state "))
            for attrs, text in found
            if attrs.get("class", "").startswith("state ")
        ]

    def link(self, text: str) -> str:
        [attrs] = [attrs for attrs, said in self.all("a") if said == text]
        return attrs["href"]


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ("succeeded", ("succeeded", "good")),
        ("retried", ("retrying", "busy")),
        ("failed", ("failed", "bad")),
        ("aborted", ("aborted", "warn")),
        (None, ("never ran", "quiet")),
    ],
)
def test_an_outcome_is_a_word_and_a_colour(outcome: str | None, shown: tuple[str, str]) -> None:
    assert page(job(last_outcome=outcome), workers=()).states() == [shown]


@pytest.mark.parametrize(
    ("state", "color"), [("alive", "good"), ("lost", "warn"), ("stopped", "quiet")]
)
def test_a_worker_is_a_word_and_a_colour(state: str, color: str) -> None:
    assert page(workers=(worker(state),)).states() == [(state, color)]


@pytest.mark.parametrize(
    ("changes", "shown", "runbook"),
    [
        ({"overdue": True}, ("overdue", "bad"), "JobOverdue"),
        ({"pending": 1, "oldest_pending_age": LATE_AFTER_S + 1}, ("late", "warn"), "JobBacklog"),
        ({"pending": 1, "oldest_pending_age": LATE_AFTER_S}, None, None),
    ],
)
def test_what_raises_an_alert_is_shown_with_its_runbook(
    changes: dict[str, Any], shown: tuple[str, str] | None, runbook: str | None
) -> None:
    made = page(job(last_outcome="succeeded", **changes))
    assert made.states()[:1] == [("succeeded", "good")]
    assert [one for one in made.states() if one[0] in {"overdue", "late"}] == [shown][: bool(shown)]
    if shown:
        assert made.link(shown[0]) == f"{LINKS.runbooks}/{runbook}.md"


def test_automation_that_waits_has_a_runbook_of_its_own() -> None:
    made = page(job(RUN_AUTOMATION, pending=1, oldest_pending_age=1e4))
    assert made.link("late").endswith("/AutomationBacklog.md")


def test_the_limits_are_those_of_the_alerts() -> None:
    alerts = {
        rule["alert"]: rule["expr"]
        for name in ("jobs", "automation")
        for group in yaml.safe_load((ROOT / f"prometheus/rules/{name}.yaml").read_text())["groups"]
        for rule in group["rules"]
    }
    for name in ("JobBacklog", "AutomationBacklog"):
        assert alerts[name].endswith(f"> {LATE_AFTER_S}")
    assert alerts["JobOverdue"].endswith(
        f"> on (job_name) 2 * max by (job_name) (job_schedule_interval_seconds) + {OVERDUE_AFTER_S}"
    )


@pytest.mark.parametrize(("ago", "expected"), [(178, False), (182, True), (None, False)])
def test_a_job_is_overdue_after_twice_its_interval_and_a_minute(
    ago: int | None, *, expected: bool
) -> None:
    last = None if ago is None else datetime.now(UTC) - timedelta(seconds=ago)
    assert is_overdue(Schedule("* * * * *"), last) is expected


def test_what_is_wrong_stands_first_and_leads_to_its_row() -> None:
    made = page(job(last_outcome="succeeded"), failed(SWEEP_PAYMENTS))
    assert made.all("title")[0][1] == "1 to check: jobs"
    anchor = made.link(f"{SWEEP_PAYMENTS}: failed")
    assert made.text.index(anchor) < made.text.index("<table")
    [(row, said)] = made.all("tr", id=anchor.removeprefix("#"))
    assert row["role"] == "row"
    assert said.startswith(SWEEP_PAYMENTS)


@pytest.mark.parametrize("states", [(), ("lost",), ("lost", "stopped")])
def test_that_no_worker_is_alive_stands_first(states: tuple[str, ...]) -> None:
    made = page(job(), workers=tuple(worker(one) for one in states))
    assert made.link("no worker is alive: no job runs").endswith("/WorkerHeartbeatLost.md")
    assert "All healthy" not in made.text


def test_that_all_is_healthy_is_said_with_counts() -> None:
    made = page(job(running=2, pending=1), job(running=1), workers=(worker(), worker("lost")))
    [(attrs, said)] = [one for one in made.all("p") if "banner" in one[0].get("class", "")]
    assert said == "All healthy. Running: 3. Waiting: 1. Workers alive: 1."
    assert attrs["class"] == "banner good"
    assert made.all("title")[0][1] == "Jobs"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),  # the database's clock is ahead
        (0.4, "just now"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (86400 * 3, "3 d ago"),
    ],
)
def test_a_time_is_relative_with_the_exact_one_behind_it(seconds: float, text: str) -> None:
    made = page(job(last_success=NOW - timedelta(seconds=seconds)))
    [attrs] = [attrs for attrs, said in made.all("time") if said == text]
    moment = NOW - timedelta(seconds=seconds)
    assert attrs["datetime"] == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    assert attrs["title"] == f"{moment:%Y-%m-%d %H:%M:%S} UTC"


@pytest.mark.parametrize(("seconds", "text"), [(-3, "now"), (20, "in 20 s"), (7300, "in 2 h")])
def test_the_next_run_lies_ahead(seconds: float, text: str) -> None:
    assert page(job(next_run=NOW + timedelta(seconds=seconds))).cell("Next run") == text


def test_a_time_of_another_zone_is_shown_in_utc() -> None:
    there = (NOW - timedelta(hours=1)).astimezone(timezone(timedelta(hours=5)))
    made = page(job(last_success=there))
    assert made.all("time", datetime="2026-03-04T04:06:07Z")


def test_it_leads_to_the_dashboard_the_runbooks_and_the_trace() -> None:
    made = page(failed())
    assert made.link("Dashboard") == "https://grafana.example/d/jobs"
    books = [attrs["href"] for attrs, _ in made.all("a") if "books.example" in attrs["href"]]
    names = {urlsplit(book).path.removeprefix("/user/") for book in books}
    assert {"WorkerHeartbeatLost.md", "JobOverdue.md", "JobBacklog.md"} < names
    assert all((ROOT / "runbooks" / name).is_file() for name in names)
    link = made.link(f"trace {TRACE[:8]}")
    [panes] = parse_qs(urlsplit(link).query)["panes"]
    [pane] = json.loads(panes).values()
    [asked] = pane["queries"]
    assert link.startswith("https://grafana.example/explore?")
    assert pane["datasource"] == asked["datasource"]["uid"] == "tempo"
    assert asked["query"] == TRACE
    start, end = (int(pane["range"][key]) / 1000 for key in ("from", "to"))
    assert start < (NOW - timedelta(hours=3)).timestamp() < end


def test_without_their_addresses_there_are_no_links_and_the_whole_id() -> None:
    made = page(failed(), links=None, workers=())
    assert {attrs["href"] for attrs, _ in made.all("a")} == {"?reload=off", "#job-0"}
    assert TRACE in made.cell("Last failure")


def test_it_loads_again_by_itself_until_it_is_stopped() -> None:
    assert page().all("meta", **{"http-equiv": "refresh"})
    assert page().link("Stop") == "?reload=off"
    still = page(reload=False)
    assert not still.all("meta", **{"http-equiv": "refresh"})
    assert still.link("Reload every 10 s") == "?reload=on"


def test_the_policy_allows_the_pages_own_style_alone() -> None:
    made = Page(everything())
    [(_, style)] = made.all("style")
    written = re.search(r"<style>(.*?)</style>", made.text, re.DOTALL)
    assert written
    assert written[1].strip() == style
    digest = base64.b64encode(hashlib.sha256(written[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in POLICY
    assert POLICY.startswith("default-src 'none';")
    assert "unsafe" not in POLICY
    tags = {tag for tag, _, _ in made.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "form", "svg"}
    for _, attrs, _ in made.elements:
        assert not [name for name in attrs if name in {"style", "src"} or name.startswith("on")]
    assert "url(" not in style
    assert "@import" not in style


def test_tables_are_tables_to_a_screen_reader() -> None:
    made = Page(everything())
    assert len(made.all("table")) == len(made.all("caption")) == 2
    assert [attrs.get("scope") for attrs, _ in made.all("th")].count(None) == 0
    columns = [said for _, said in made.all("th", scope="col")]
    rows = made.all("th", scope="row")
    assert len(rows) == 6 + 3
    # A narrow screen shows a row as a card; its cells then say themselves what they are.
    labels = {attrs["data-label"] for attrs, _ in made.all("td")}
    assert labels == set(columns) - {"Job", "Worker"}
    # Browsers forget what a table is once it is laid out otherwise.
    for tag, role in (("table", "table"), ("tr", "row"), ("td", "cell"), ("tbody", "rowgroup")):
        assert all(attrs.get("role") == role for attrs, _ in made.all(tag))
    assert len(made.all("h1")) == len(made.all("main")) == 1
    assert made.all("html", lang="en")


def test_a_page_of_nothing_says_so() -> None:
    made = page(workers=())
    assert [said for _, said in made.all("td")] == [
        "No job is known.",
        "No worker has been seen. No job runs before one starts.",
    ]
    assert len(made.all("th", scope="col")) == 8 + 4


def luminance(color: str) -> float:
    """WCAG's relative luminance of ``#rrggbb``."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # just too little


STATES = ("good", "busy", "warn", "bad", "quiet")
PAIRS = [
    *itertools.product(("text", "soft", "link", "bad"), ("page", "panel")),
    *((state, f"{state}-bed") for state in STATES),
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_each_text_stands_out_from_what_is_behind_it(*, dark: bool) -> None:
    style = Page(everything()).all("style")[0][1]
    themes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", one)) for one in style.split("@media")[:2]
    ]
    assert themes[0].keys() == themes[1].keys()
    colors = themes[dark]
    # Each colour is in a pair, but for lines; and no rule has a colour of its own.
    assert {name for pair in PAIRS for name in pair} == colors.keys() - {"edge"}
    assert len(re.findall(r"#[0-9a-f]{3,8}\b", style)) == 2 * len(colors)
    low = {pair: contrast(colors[pair[0]], colors[pair[1]]) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in low.items() if ratio < LEAST_CONTRAST} == {}


WIDTHS = """
return {
  width: page.documentElement.clientWidth,
  needed: page.documentElement.scrollWidth,
  outside: [...page.querySelectorAll("body *")].filter(
    (one) => one.getBoundingClientRect().right > page.documentElement.clientWidth + 0.5
      && getComputedStyle(one).display !== "none" && !one.closest("thead")
  ).map((one) => one.outerHTML.slice(0, 80)),
};
"""


@pytest.mark.parametrize("width", [360, 700, 861, 1280])
def test_nothing_is_wider_than_the_screen(width: int) -> None:
    found = browser.look(everything(), WIDTHS, width=width)
    assert width - 30 <= found["width"] <= width  # a scroll bar's width may be missing
    assert found["needed"] == found["width"]
    assert found["outside"] == []


def test_what_is_wider_than_the_screen_is_noticed() -> None:
    wide = everything().replace("overflow-wrap: anywhere", "overflow-wrap: normal")
    found = browser.look(wide, WIDTHS, width=360)
    assert found["needed"] > found["width"]


# Each text with its colour and the nearest colour behind it.
COLORS = """
const found = [];
const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  if (!walker.currentNode.data.trim()) continue;
  const element = walker.currentNode.parentElement;
  let behind = element;
  while (behind && view.getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)")
    behind = behind.parentElement;
  found.push([
    walker.currentNode.data.trim().slice(0, 40),
    view.getComputedStyle(element).color,
    view.getComputedStyle(behind).backgroundColor,
  ]);
}
return found;
"""


def to_hex(color: str) -> str:
    found = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", color)
    assert found, color
    return "#" + "".join(f"{int(part):02x}" for part in found.groups())


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_each_text_with_enough_contrast(width: int, *, dark: bool) -> None:
    found = browser.look(everything(), COLORS, width=width, dark=dark)
    assert {"succeeded", "failed", "late", "alive", "never ran", "Dashboard"} <= {
        text for text, _, _ in found
    }
    # The theme that was asked for.
    assert (luminance(to_hex(found[0][2])) < 0.1) is dark
    ratios = {text: contrast(to_hex(color), to_hex(behind)) for text, color, behind in found}
    assert {text: ratio for text, ratio in ratios.items() if ratio < LEAST_CONTRAST} == {}
