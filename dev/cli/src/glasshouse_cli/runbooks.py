"""Reads the runbooks, and writes the links into Grafana Explore behind their queries."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from glasshouse_cli.project import Project

SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Rehearsed")
# The language of a block of code: the data source that answers it.
SOURCES = {"promql": "prometheus", "logql": "loki", "traceql": "tempo"}
_GRAFANA = "http://127.0.0.1:3000"
_QUERY = re.compile(
    r"^```(?P<language>promql|logql|traceql)\n(?P<query>.*?)\n```\n"
    r"(?:\n\[Open in Explore\][^\n]*\n)?",
    re.DOTALL | re.MULTILINE,
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


def folder(checkout: Project) -> Path:
    return checkout.root / "runbooks"


def pages(checkout: Project) -> list[Page]:
    """Return all runbooks."""
    paths = sorted(folder(checkout).glob("*.md"))
    return [read(path) for path in paths if path.stem != "README"]


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
        queries=[
            Query(source=SOURCES[found["language"]], text=found["query"])
            for found in _QUERY.finditer(text)
        ],
        commands=[
            line
            for block in _COMMANDS.findall(text)
            for line in block.replace("\\\n", " ").splitlines()
            if line.strip() and not line.startswith("#")
        ],
    )


def link(query: Query) -> str:
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
    return f"{_GRAFANA}/explore?schemaVersion=1&orgId=1&panes={panes}"


def linked(text: str) -> str:
    """Return a page with a link behind each query."""

    def with_link(found: re.Match[str]) -> str:
        query = Query(source=SOURCES[found["language"]], text=found["query"])
        block = f"```{found['language']}\n{query.text}\n```\n"
        return f"{block}\n[Open in Explore]({link(query)})\n"

    return _QUERY.sub(with_link, text)


def write(checkout: Project) -> None:
    """Renew the links of every page."""
    for path in sorted(folder(checkout).glob("*.md")):
        path.write_text(linked(path.read_text(encoding="utf-8")), encoding="utf-8")
