"""Every link of every served runbook opens a query that the running backend takes."""

import time
from pathlib import Path

import httpx
import pytest

from glasshouse_cli import project, runbooks
from glasshouse_cli.runbooks import Query
from support import explore
from support.stack import Stack

ROOT = Path(__file__).parents[2]
PAGES = [pytest.param(page, id=page.name) for page in runbooks.pages(project.load(ROOT))]


def ask(http: httpx.Client, stack: Stack, query: Query) -> httpx.Response:
    url, now = stack.url(query.source), int(time.time())
    window = {"start": now - 3600, "end": now}
    if query.source == "prometheus":
        return http.get(f"{url}/api/v1/query", params={"query": query.text})
    if query.source == "loki":
        asked = {"query": query.text, "step": "60s", "limit": 10}
        return http.get(f"{url}/loki/api/v1/query_range", params=asked | window)
    return http.get(f"{url}/api/search", params={"q": query.text, "limit": 10} | window)


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_served_runbook_open_queries_that_run(
    http: httpx.Client, stack: Stack, page: runbooks.Page
) -> None:
    served = http.get(f"{stack.url('prometheus')}/user/{page.name}.md")
    assert served.status_code == httpx.codes.OK
    links = explore.links(served.text)
    assert {link.partition("?")[0] for link in links} == {f"{stack.url('grafana')}/explore"}
    queries = [explore.query(link) for link in links]
    assert queries == page.queries
    refused = {
        query.text: answer.text
        for query in queries
        if (answer := ask(http, stack, query)).status_code != httpx.codes.OK
    }
    assert refused == {}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("prometheus", "sum by (state (payments_total)"),
        ("loki", '{service_name="x"} | event='),
        ("tempo", "{ resource.service.name = }"),
    ],
)
def test_a_query_with_a_fault_is_refused(
    http: httpx.Client, stack: Stack, source: str, text: str
) -> None:
    assert ask(http, stack, Query(source=source, text=text)).status_code == 400
