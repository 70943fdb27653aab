"""Every link between signals, followed as Grafana would follow what is provisioned."""

import time
from typing import Any

import httpx
import pytest

from glasshouse_cli.project import Project
from support import backends
from support.grafana import filled, provisioned, tags
from support.payments import pay, wait_confirmed
from support.stack import Stack
from support.waiting import until

REQUEST_ID = "correlations-1"
SERVICES = {"backend-api", "backend-worker"}


@pytest.fixture(scope="module")
def sources(project: Project) -> dict[str, dict[str, Any]]:
    return provisioned(project.root)


@pytest.fixture(scope="module")
def line(http: httpx.Client, stack: Stack) -> dict[str, Any]:
    """The log line of a payment that the API created and the worker confirmed."""
    wait_confirmed(http, stack, pay(http, stack, "EUR", REQUEST_ID))

    def probe() -> tuple[dict[str, Any] | None, object]:
        lines = backends.loki_lines(
            http, stack.url("loki"), f'{{service_name="backend-api"}} | request_id="{REQUEST_ID}"'
        )
        created = [one for one in lines if one["labels"].get("event") == "payment.created"]
        return (created[0] if created else None), lines

    return until(probe, what="the payment's first line")


def field(sources: dict[str, dict[str, Any]], label: str) -> dict[str, Any]:
    fields = sources["loki"]["jsonData"]["derivedFields"]
    [found] = [one for one in fields if one["matcherRegex"] == label]
    assert found["matcherType"] == "label"
    return found


def trace(http: httpx.Client, stack: Stack, trace_id: str) -> list[dict[str, Any]]:
    def probe() -> tuple[list[dict[str, Any]] | None, object]:
        if not backends.tempo_written(http, stack.url("tempo"), trace_id):
            return None, "nothing is written"
        spans = backends.tempo_spans(http, stack.url("tempo"), trace_id)
        return (spans if {span["service"] for span in spans} >= {"backend-api"} else None), spans

    return until(probe, what=f"trace {trace_id}")


def test_a_log_line_leads_to_its_trace_and_back(
    http: httpx.Client, stack: Stack, sources: dict[str, dict[str, Any]], line: dict[str, Any]
) -> None:
    link = field(sources, "trace_id")
    assert sources[link["datasourceUid"]]["type"] == "tempo"
    trace_id = filled(link["url"], {"__value.raw": line["labels"]["trace_id"]})
    spans = trace(http, stack, trace_id)

    back = sources["tempo"]["jsonData"]["tracesToLogsV2"]
    assert sources[back["datasourceUid"]]["type"] == "loki"
    query = filled(
        back["query"],
        {
            "__tags": tags(back["tags"], {"service.name": spans[0]["service"]}),
            "__trace.traceId": trace_id,
        },
    )
    lines = backends.loki_lines(http, stack.url("loki"), query)
    assert {one["labels"]["trace_id"] for one in lines} == {trace_id}
    assert {one["labels"]["service_name"] for one in lines} == {spans[0]["service"]}


def test_each_service_of_a_trace_leads_to_its_own_lines(
    http: httpx.Client, stack: Stack, sources: dict[str, dict[str, Any]], line: dict[str, Any]
) -> None:
    back = sources["tempo"]["jsonData"]["tracesToLogsV2"]
    trace_id = line["labels"]["trace_id"]
    for service in SERVICES:
        values = {
            "__tags": tags(back["tags"], {"service.name": service}),
            "__trace.traceId": trace_id,
        }

        def probe(values: dict[str, str] = values) -> tuple[list[Any] | None, object]:
            query = filled(back["query"], values)
            return (backends.loki_lines(http, stack.url("loki"), query) or None), query

        lines = until(probe, what=f"lines of {service}")
        assert {one["labels"]["service_name"] for one in lines} == {service}


def test_a_log_line_leads_to_all_lines_of_its_request(
    http: httpx.Client, stack: Stack, sources: dict[str, dict[str, Any]], line: dict[str, Any]
) -> None:
    link = field(sources, "correlation_id")
    assert sources[link["datasourceUid"]]["type"] == "loki"
    query = filled(link["url"], {"__value.raw": line["labels"]["correlation_id"]})

    def probe() -> tuple[list[Any] | None, object]:
        lines = backends.loki_lines(http, stack.url("loki"), query)
        found = {one["labels"]["service_name"] for one in lines}
        return (lines if found >= SERVICES else None), lines

    lines = until(probe, what=query)
    assert {one["labels"]["correlation_id"] for one in lines} == {line["labels"]["correlation_id"]}


def test_an_exemplar_leads_to_its_trace(
    http: httpx.Client, stack: Stack, sources: dict[str, dict[str, Any]], line: dict[str, Any]
) -> None:
    [target] = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert sources[target["datasourceUid"]]["type"] == "tempo"

    def probe(query: str) -> tuple[list[str] | None, object]:
        now = time.time()
        answer = http.get(
            f"{stack.url('prometheus')}/api/v1/query_exemplars",
            params={"query": query, "start": now - 900, "end": now},
        )
        labels = [
            exemplar["labels"]
            for series in answer.json()["data"]
            for exemplar in series["exemplars"]
        ]
        return ([one[target["name"]] for one in labels if target["name"] in one] or None), labels

    # Others have exemplars, too, of traces in which the API is not.
    for histogram in (
        'http_server_request_duration_seconds_bucket{service_name="backend-api"}',
        'payment_confirmation_delay_seconds_bucket{currency="EUR"}',
    ):
        ids = until(lambda query=histogram: probe(query), what=f"exemplars of {histogram}")
        assert trace(http, stack, ids[-1])


def test_a_span_leads_to_its_services_metrics(
    http: httpx.Client, stack: Stack, sources: dict[str, dict[str, Any]], line: dict[str, Any]
) -> None:
    link = sources["tempo"]["jsonData"]["tracesToMetrics"]
    assert sources[link["datasourceUid"]]["type"] == "prometheus"
    services = {span["service"] for span in trace(http, stack, line["labels"]["trace_id"])}
    assert "backend-api" in services
    matchers = tags(link["tags"], {"service.name": "backend-api"})
    assert matchers == 'service_name="backend-api"'
    known = f"db_client_operation_duration_seconds_count{{{matchers}}}"

    def seen() -> tuple[list[Any] | None, object]:
        series = backends.prometheus_query(http, stack.url("prometheus"), known)
        return (series or None), series

    until(seen, what=known)
    # A rate needs a step, and a series that has just come up has none.
    pay(http, stack, "EUR", "correlations-2")
    for one in link["queries"]:
        query = filled(one["query"], {"__tags": matchers})

        def probe(query: str = query) -> tuple[list[Any] | None, object]:
            series = backends.prometheus_query(http, stack.url("prometheus"), query)
            return ([item for item in series if item["value"] == item["value"]] or None), series

        until(probe, what=f"{one['name']}: {query}")


def test_the_service_map_knows_who_calls_whom(
    http: httpx.Client, stack: Stack, sources: dict[str, dict[str, Any]], line: dict[str, Any]
) -> None:
    assert sources["tempo"]["jsonData"]["nodeGraph"]["enabled"]
    uid = sources["tempo"]["jsonData"]["serviceMap"]["datasourceUid"]
    assert sources[uid]["type"] == "prometheus"

    def probe() -> tuple[set[tuple[str, str]] | None, object]:
        series = backends.prometheus_query(
            http, stack.url("prometheus"), "traces_service_graph_request_total"
        )
        calls = {(one["labels"]["client"], one["labels"]["server"]) for one in series}
        return (calls if ("backend-api", "backend-worker") in calls else None), calls

    until(probe, what="the API hands jobs to the worker")


def test_alerts_are_there_to_be_shown(
    http: httpx.Client, stack: Stack, sources: dict[str, dict[str, Any]]
) -> None:
    assert sources["prometheus"]["jsonData"]["manageAlerts"] is True
    groups = http.get(f"{stack.url('prometheus')}/api/v1/rules").json()["data"]["groups"]
    assert any(rule["type"] == "alerting" for group in groups for rule in group["rules"])
    assert sources["alertmanager"]["jsonData"]["implementation"] == "prometheus"

    def probe() -> tuple[list[Any] | None, object]:
        firing = http.get(f"{stack.url('alertmanager')}/api/v2/alerts").json()
        names = [alert["labels"]["alertname"] for alert in firing]
        return ([one for one in names if one == "Watchdog"] or None), names

    until(probe, what="Alertmanager knows of Watchdog")
