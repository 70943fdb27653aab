"""Each runbook is whole, is rendered with working links, and its commands name what there is."""

import io
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from glasshouse_cli import project, runbooks
from glasshouse_cli.cli import app
from glasshouse_cli.components import COMPONENTS
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project
from glasshouse_cli.runbooks import SECTIONS, Page
from support import explore

ROOT = Path(__file__).parents[2]
CHECKOUT = project.load(ROOT)
PAGES = runbooks.pages(CHECKOUT)
COMPOSE: dict[str, Any] = yaml.safe_load(CHECKOUT.compose_file.read_text(encoding="utf-8"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
SOURCES = ROOT / "grafana" / "provisioning" / "datasources" / "stack.yaml"
PROVISIONED = {one["uid"] for one in yaml.safe_load(SOURCES.read_text())["datasources"]}
COMPOSE_COMMANDS = {"kill", "pause", "ps --all", "restart", "start", "stop", "unpause"}
# As committed: the variables of this process do not count.
DEFAULT_PORTS = {
    variable: port
    for variable, _, port in (
        line.partition("=") for line in (ROOT / ".env").read_text(encoding="utf-8").splitlines()
    )
    if variable in {component.variable for component in COMPONENTS}
}

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


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The checkout with other ports, another name and another state folder."""
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "other")
    ports = {
        component.variable: str(10_000 + number) for number, component in enumerate(COMPONENTS)
    }
    return replace(CHECKOUT, settings={**ports, "GLASSHOUSE_STATE": str(tmp_path / "state")})


@every_page
def test_a_committed_page_holds_no_generated_link(page: Page) -> None:
    text = (ROOT / "runbooks" / f"{page.name}.md").read_text(encoding="utf-8")
    assert "explore?" not in text
    assert "[Explore]" not in text


@every_page
def test_a_rendered_page_links_each_query_to_explore(page: Page, elsewhere: Project) -> None:
    text = (ROOT / "runbooks" / f"{page.name}.md").read_text(encoding="utf-8")
    rendered = runbooks.render(elsewhere, text)
    assert [explore.query(link) for link in rendered.links] == page.queries != []
    assert {query.source for query in page.queries} <= PROVISIONED
    for link in rendered.links:
        assert link.startswith(elsewhere.url("GRAFANA_PORT") + "/explore?")
    numbers = re.findall(r"\n```\n\n\[Explore\]\[(\d+)\]\n", rendered.body)
    assert numbers == [str(number) for number in range(1, len(page.queries) + 1)]
    assert explore.links(rendered.markdown) == list(rendered.links)


@every_page
def test_the_commands_of_a_rendered_page_name_this_stack(page: Page, elsewhere: Project) -> None:
    text = (ROOT / "runbooks" / f"{page.name}.md").read_text(encoding="utf-8")
    body = runbooks.render(elsewhere, text).body
    assert "${" not in body
    assert "-p glasshouse" not in body
    found = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", body)}
    assert found <= {elsewhere.port(component.variable) for component in COMPONENTS}
    assert body.count("docker compose -p other ") == text.count("docker compose -p glasshouse ")


def test_the_served_pages_are_all_pages_and_no_others(elsewhere: Project) -> None:
    target = elsewhere.state / "runbooks"
    target.mkdir(parents=True)
    (target / "RenamedAlert.md").write_text("# RenamedAlert\n")
    assert runbooks.write(elsewhere) == target
    assert {path.stem for path in target.iterdir()} == {page.name for page in PAGES}
    text = (ROOT / "runbooks" / "Watchdog.md").read_text(encoding="utf-8")
    served = (target / "Watchdog.md").read_text(encoding="utf-8")
    assert served == runbooks.render(elsewhere, text).markdown


def test_the_command_prints_plain_markdown_when_it_is_not_on_a_terminal() -> None:
    text = (ROOT / "runbooks" / "PaymentOutage.md").read_text(encoding="utf-8")
    printed = CliRunner().invoke(app, ["runbook", "PaymentOutage"])
    assert printed.exit_code == 0
    assert printed.stdout == runbooks.render(CHECKOUT, text).markdown
    listed = CliRunner().invoke(app, ["runbook"])
    assert listed.stdout.splitlines() == [page.name for page in PAGES]


def test_on_a_terminal_a_link_is_one_short_word() -> None:
    terminal = Terminal()
    terminal.out = Console(file=io.StringIO(), force_terminal=True, width=40)
    terminal.page("# Title\n\n[Explore][1] it\n", ["http://127.0.0.1:3000/explore"])
    assert isinstance(terminal.out.file, io.StringIO)
    written = terminal.out.file.getvalue()
    assert "http://127.0.0.1:3000/explore\x1b\\[Explore]\x1b]8;;" in written
    visible = re.sub(r"\x1b\].*?\x1b\\|\x1b\[[0-9;]*m", "", written)
    assert visible == "# Title\n\n[Explore] it\n"


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(StackError, match=r"'PaymentsOutage': did you mean PaymentOutage\?"):
        runbooks.find(CHECKOUT, "PaymentsOutage")


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
        option, words, service = rest[:3], " ".join(rest[3:-1]), rest[-1]
        there = option == ["compose", "-p", COMPOSE["name"]] and service in COMPOSE["services"]
        return None if there and words in COMPOSE_COMMANDS else command
    if program == "curl":
        [url] = [word for word in rest if word.startswith("http")]
        port = runbooks.PORT.match(url.removeprefix("http://127.0.0.1:"))
        known = port and DEFAULT_PORTS.get(port["variable"]) == port["default"]
        return None if known else url
    if program == "glasshouse":
        known = {one.callback.__name__ for one in app.registered_commands if one.callback}
        return None if rest[0] in known else rest[0]
    return program


VARIABLE = re.compile(r"(?<![$\w{/])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w/])")
# Of a row of docs/settings.md: variable and readers.
SETTING = re.compile(r"^\| `([A-Z_]+)` \| ([a-z, ]+) \|", re.MULTILINE)
SETTINGS = {
    variable: set(readers.split(", "))
    for variable, readers in SETTING.findall(
        (ROOT / "docs" / "settings.md").read_text().partition("\n## ")[0]
    )
}
# Readers that are no container of this name: what runs with the distro, and `make up`.
PROCESSES = {"glasshouse": {"api", "worker"}, "cli": set[str]()}
# They run once, when somebody asks them to.
ONCE = {name for name, one in COMPOSE["services"].items() if one["restart"] == "no"}


def unreachable(variable: str) -> str | None:
    """Say why a variable that somebody sets in `.env` does not reach who reads it, if so."""
    if variable not in SETTINGS:
        return f"{variable} is not in docs/settings.md"
    services = COMPOSE["services"]
    found = (PROCESSES.get(one, {one}) for one in SETTINGS[variable])
    readers = (set[str]().union(*found) - ONCE) & services.keys()
    # What `setup` reads, it writes into pages and files: nothing runs with it.
    having = {
        name
        for name, service in services.items()
        if name != "setup" and variable in (service.get("environment") or {})
    }
    if missing := readers - having:
        return f"docker-compose.yml gives {variable} not to {missing}"
    if not having:
        return f"docker-compose.yml gives {variable} to no container"
    for name in readers or having:
        value = str(services[name]["environment"][variable])
        if value.startswith("/run/secrets/"):
            if value.removeprefix("/run/secrets/") not in services[name]["x-secrets"]:
                return f"{name} does not see {value}"
        elif not re.fullmatch(rf"\$\{{{variable}:[-?].*\}}", value):
            return f"in docker-compose.yml {variable} of {name} is fixed to {value}"
    return None


@every_page
def test_a_variable_that_a_page_names_reaches_its_container(page: Page) -> None:
    text = (ROOT / "runbooks" / f"{page.name}.md").read_text(encoding="utf-8")
    named = set(VARIABLE.findall(text))
    assert [fault for one in sorted(named) if (fault := unreachable(one))] == []


def test_the_pages_name_variables() -> None:
    texts = [(ROOT / "runbooks" / f"{page.name}.md").read_text() for page in PAGES]
    named = {one for text in texts for one in VARIABLE.findall(text)}
    assert {"CHAIN_RPC_URL", "WORKER_CONCURRENCY", "GLASSHOUSE_BUFFER_BYTES"} <= named
    assert "SANDBOX_PORT" not in named  # of commands, and with a test of its own


@pytest.mark.parametrize(
    ("variable", "fault"),
    [
        ("CHAIN_RPC_ADDRESS", "CHAIN_RPC_ADDRESS is not in docs/settings.md"),
        ("CHAIN_POLL_INTERVAL", "docker-compose.yml gives CHAIN_POLL_INTERVAL not to {'worker'}"),
        ("HOST", "in docker-compose.yml HOST of api is fixed to 0.0.0.0"),
        ("SERVICE_PORT", "docker-compose.yml gives SERVICE_PORT to no container"),
    ],
)
def test_a_variable_that_does_not_reach_its_container_is_noticed(variable: str, fault: str) -> None:
    assert unreachable(variable) == fault


@every_page
def test_a_command_names_what_there_is(page: Page) -> None:
    assert [found for command in page.commands if (found := fault(command))] == []


@pytest.mark.parametrize(
    "command",
    [
        "make coffee",
        "make logs PART=lokki",
        "docker compose -p glasshouse restart wroker",
        "docker compose -p glasshouse remove worker",
        "docker compose -p glashouse restart worker",
        "docker restart glasshouse-worker-1",
        "curl http://127.0.0.1:8025/faults",
        "curl http://127.0.0.1:${SANDBOX_PORT:-8026}/faults",
        "curl http://127.0.0.1:${SANDBOKS_PORT:-8025}/faults",
        "glasshouse fly",
        "rm -r /",
    ],
)
def test_a_command_that_is_not_there_is_noticed(command: str) -> None:
    assert fault(command)
