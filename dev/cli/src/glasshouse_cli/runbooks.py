"""Reads the runbooks, and renders them with links and ports of the stack on this machine.

The committed pages hold no address of Grafana: links to Explore are made here, when `up` writes
the pages that Prometheus serves and when `glasshouse runbook` prints one.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from glasshouse_cli import compose
from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically
from glasshouse_cli.own import folder as own_folder
from glasshouse_cli.project import Project

SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Rehearsed")
# The language of a block of code: the data source that answers it.
SOURCES = {"promql": "prometheus", "logql": "loki", "traceql": "tempo"}
# As it stands in the committed commands.
PROJECT_OPTION = "docker compose -p glasshouse "
# A port in a command: the variable of `.env` with its default, as a shell reads it.
PORT = re.compile(r"\$\{(?P<variable>[A-Z_]+_PORT):-(?P<default>\d+)\}")
_QUERY = re.compile(
    r"^```(?P<language>promql|logql|traceql)\n(?P<query>.*?)\n```\n", re.DOTALL | re.MULTILINE
)
_COMMANDS = re.compile(r"^```sh\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Query:
    source: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """One runbook. `sections` are texts by heading; `commands` are lines for a shell."""

    name: str
    title: str
    sections: dict[str, str]
    queries: list[Query]
    commands: list[str]


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A page for readers: `[Explore][1]` behind the first query leads to the first of `links`."""

    body: str
    links: tuple[str, ...]

    @property
    def markdown(self) -> str:
        """The page with its addresses at the end, out of the reader's way."""
        listed = "".join(f"[{number}]: {link}\n" for number, link in enumerate(self.links, 1))
        return f"{self.body}\n{listed}" if listed else self.body


def folder(checkout: Project) -> Path:
    return checkout.root / "runbooks"


def pages(checkout: Project) -> list[Page]:
    """Return all runbooks."""
    return [read(path) for path in _paths(checkout)]


def read(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    sections = {
        title.strip(): body.strip() for title, _, body in (p.partition("\n") for p in parts)
    }
    return Page(
        name=path.stem,
        title=head.strip().removeprefix("# "),
        sections=sections,
        queries=[_query(found) for found in _QUERY.finditer(text)],
        commands=[
            line
            for block in _COMMANDS.findall(text)
            for line in block.replace("\\\n", " ").splitlines()
            if line.strip() and not line.startswith("#")
        ],
    )


def find(checkout: Project, name: str) -> Path:
    """Return the page of an alert. Raises StackError when there is none."""
    by_name = {path.stem: path for path in _paths(checkout)}
    if name in by_name:
        return by_name[name]
    similar = difflib.get_close_matches(name, by_name, n=1)
    hint = f"did you mean {similar[0]}? " if similar else ""
    raise StackError(f"no runbook is named {name!r}: {hint}`glasshouse runbook` lists them")


def render(checkout: Project, text: str) -> Rendered:
    """Return a page with links into Grafana, and ports and project name as `checkout` has them."""
    grafana = checkout.url("GRAFANA_PORT")
    links: list[str] = []

    def with_link(found: re.Match[str]) -> str:
        links.append(explore_link(grafana, _query(found)))
        return f"{found[0]}\n[Explore][{len(links)}]\n"

    body = _QUERY.sub(with_link, text)
    body = PORT.sub(lambda found: str(checkout.port(found["variable"])), body)
    option = f"docker compose -p {compose.project_name(checkout)} "
    return Rendered(body=body.replace(PROJECT_OPTION, option), links=tuple(links))


def explore_link(grafana: str, query: Query) -> str:
    """Return the address that opens the query in Grafana Explore, over the last hour."""
    source = {"type": query.source, "uid": query.source}
    asked = {"refId": "A", "datasource": source}
    asked |= (
        {"query": query.text, "queryType": "traceql"}
        if query.source == "tempo"
        else {"expr": query.text}
    )
    pane = {
        "datasource": query.source,
        "queries": [asked],
        "range": {"from": "now-1h", "to": "now"},
    }
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="")
    return f"{grafana}/explore?schemaVersion=1&orgId=1&panes={panes}"


def write(checkout: Project) -> Path:
    """Write the rendered pages to `state`/runbooks, which Prometheus serves, and return it."""
    target = checkout.state / "runbooks"
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o755)  # Prometheus may run as another user
    paths = _paths(checkout)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        write_atomically(target / path.name, render(checkout, text).markdown)
    for stale in set(target.glob("*.md")) - {target / path.name for path in paths}:
        stale.unlink()
    return target


def _paths(checkout: Project) -> list[Path]:
    ours = (path for path in folder(checkout).glob("*.md") if path.stem != "README")
    return sorted(ours) + own_folder.of(checkout).files("runbooks")


def _query(found: re.Match[str]) -> Query:
    return Query(source=SOURCES[found["language"]], text=found["query"])
