"""Each runbook is whole, its links are those of its queries, its commands name what there is."""

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from glasshouse_cli import project, runbooks
from glasshouse_cli.cli import app
from glasshouse_cli.parts import PARTS
from glasshouse_cli.runbooks import SECTIONS, Page

ROOT = Path(__file__).parents[2]
CHECKOUT = project.load(ROOT)
PAGES = runbooks.pages(CHECKOUT)
COMPOSE: dict[str, Any] = yaml.safe_load(CHECKOUT.compose_file.read_text(encoding="utf-8"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
SOURCES = ROOT / "grafana" / "provisioning" / "datasources" / "stack.yaml"
PROVISIONED = {one["uid"] for one in yaml.safe_load(SOURCES.read_text())["datasources"]}
DOCKER = {"inspect", "kill", "logs", "pause", "restart", "start", "stop", "unpause"}
PORTS = {CHECKOUT.port(part.variable) for part in PARTS}

every_page = pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])


@every_page
def test_a_page_has_its_sections_in_order_and_none_is_empty(page: Page) -> None:
    assert page.title == page.name
    assert tuple(page.sections) == SECTIONS
    for title, text in page.sections.items():
        assert len(text.split()) >= 8, title
        assert "TODO" not in text, title
    assert "```" in page.sections["Diagnosis"]
    assert "```sh" in page.sections["Mitigation"]
    assert "It worked when" in page.sections["Mitigation"]


@every_page
def test_the_links_into_explore_are_those_of_the_queries(page: Page) -> None:
    text = (ROOT / "runbooks" / f"{page.name}.md").read_text(encoding="utf-8")
    assert text == runbooks.linked(text), "run `make rules` and commit"
    links = re.findall(r"\[Open in Explore\]\((\S+)\)", text)
    assert len(links) == len(page.queries) > 0
    for link, query in zip(links, page.queries, strict=True):
        [panes] = parse_qs(urlsplit(link).query)["panes"]
        [pane] = json.loads(panes).values()
        [asked] = pane["queries"]
        assert asked.get("expr", asked.get("query")) == query.text
        assert pane["datasource"] == asked["datasource"]["uid"] == query.source
        assert query.source in PROVISIONED


@every_page
def test_a_page_that_is_linked_is_there(page: Page) -> None:
    linked = re.findall(r"\]\((\w+)\.md\)", " ".join(page.sections.values()))
    assert set(linked) <= {other.name for other in PAGES}


def fault(command: str) -> str | None:
    """Return what a command of a runbook names that is not there, None when all is."""
    program, *rest = shlex.split(command)
    if program == "make":
        settings = dict(word.split("=", 1) for word in rest if "=" in word)
        wrong = {word for word in rest if "=" not in word} - TARGETS
        if part := settings.get("PART"):
            wrong |= {part} - COMPOSE["services"].keys()
        return f"make: {wrong}" if wrong else None
    if program == "docker":
        service = re.fullmatch(rf"{COMPOSE['name']}-([a-z]+)-1", rest[1])
        there = rest[0] in DOCKER and service and service[1] in COMPOSE["services"]
        return None if there else command
    if program == "curl":
        [url] = [word for word in rest if word.startswith("http")]
        port = re.match(r"http://127\.0\.0\.1:(\d+)/", url)
        return None if port and int(port[1]) in PORTS else url
    if program == "glasshouse":
        known = {one.callback.__name__ for one in app.registered_commands if one.callback}
        return None if rest[0] in known else rest[0]
    return program


@every_page
def test_a_command_names_what_there_is(page: Page) -> None:
    assert [found for command in page.commands if (found := fault(command))] == []


@pytest.mark.parametrize(
    "command",
    [
        "make coffee",
        "make logs PART=lokki",
        "docker restart glasshouse-wroker-1",
        "docker remove glasshouse-worker-1",
        "curl http://127.0.0.1:8026/faults",
        "glasshouse fly",
        "rm -r /",
    ],
)
def test_a_command_that_is_not_there_is_noticed(command: str) -> None:
    assert fault(command)
