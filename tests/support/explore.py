"""Reads the links into Grafana Explore that a rendered runbook has."""

import json
import re
from urllib.parse import parse_qs, urlsplit

from glasshouse_cli.runbooks import Query


def links(page: str) -> list[str]:
    """Return the addresses of a rendered page, in the order of their numbers."""
    found = re.findall(r"^\[(\d+)\]: (\S+)$", page, flags=re.MULTILINE)
    assert [number for number, _ in found] == [str(n + 1) for n in range(len(found))]
    return [address for _, address in found]


def query(link: str) -> Query:
    """Return the query that a link opens, and the data source it is put to."""
    [panes] = parse_qs(urlsplit(link).query)["panes"]
    [pane] = json.loads(panes).values()
    [asked] = pane["queries"]
    assert pane["datasource"] == asked["datasource"]["uid"] == asked["datasource"]["type"]
    return Query(source=pane["datasource"], text=asked.get("expr") or asked["query"])
