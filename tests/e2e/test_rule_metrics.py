"""Every metric that a rule reads is one that the running stack has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from support.stack import Stack
from support.waiting import until

RULES = Path(__file__).parents[2] / "prometheus" / "rules"
# Made only by a fault or by what has a reason to be missing at first.
ONLY_AFTER = {
    "otelcol_processor_pii_redacted_total": "redaction masked something",
    "otelcol_processor_pii_unscanned_total": "redaction could not check something",
    "otelcol_deltatocumulative_datapoints_total": "a point was a delta",
    "redaction:hits:increase10m": "redaction masked something",
    "service:given_up:increase10m": "a service gave telemetry up",
    "errors:increase5m": "an error",
    "stack:without_backend": "a start without the profile demo",
    "errors:ratio_rate5m": "a request or a job in the last 5 minutes",
    "otelcol_exporter_send_failed_spans_total": "an exporter gave spans up",
    "otelcol_exporter_send_failed_log_records_total": "an exporter gave log records up",
    "otelcol_exporter_send_failed_metric_points_total": "an exporter gave points up",
    "otelcol_exporter_enqueue_failed_spans_total": "a queue took spans no longer",
    "otelcol_exporter_enqueue_failed_log_records_total": "a queue took log records no longer",
    "otelcol_exporter_enqueue_failed_metric_points_total": "a queue took points no longer",
    # Of edges and gateways, of which one machine has none.
    "edge:silent:group": "an edge that ended",
    "kafka:lag:records": "a gateway behind Kafka",
    "otelcol_extension_tenants_refused_total": "a gateway",
    "otelcol_kafka_receiver_current_offset_ratio": "a gateway behind Kafka",
    "otelcol_kafka_receiver_offset_lag_ratio": "a gateway behind Kafka",
    "otelcol_kafka_receiver_records_total": "a gateway behind Kafka",
}


def expressions() -> set[str]:
    return {
        rule["expr"]
        for path in RULES.glob("*.yaml")
        # Of any service: those that are here have what panels ask, see test_dashboards.py.
        if path.name != "history.yaml"
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }


def selected(node: Any) -> Iterator[str]:
    """Yield the name of each metric that a parsed query selects."""
    if isinstance(node, dict):
        if node.get("type") in {"vectorSelector", "matrixSelector"} and node.get("name"):
            yield node["name"]
        for value in node.values():
            yield from selected(value)
    elif isinstance(node, list):
        for value in node:
            yield from selected(value)


def test_the_stack_has_every_metric_that_a_rule_reads(http: httpx.Client, stack: Stack) -> None:
    prometheus = stack.url("prometheus")
    wanted: set[str] = set()
    for expression in expressions():
        answer = http.get(f"{prometheus}/api/v1/parse_query", params={"query": expression})
        wanted |= set(selected(answer.raise_for_status().json()["data"]))
    assert {"payments_total", "up", "slo:bad:rate5m", "health_check_status"} <= wanted
    assert ONLY_AFTER.keys() <= wanted

    def probe() -> tuple[bool | None, object]:
        names = http.get(f"{prometheus}/api/v1/label/__name__/values").json()["data"]
        missing = wanted - set(names) - ONLY_AFTER.keys()
        return (None if missing else True), missing

    # A scheduled job runs once a minute; before its first success there is no time of it.
    until(probe, what="metrics that rules read")


# A rule selects them by an expression for their names; that they exist is seen here alone.
SELF_METRICS = {
    "otel_sdk_exporter_span_exported_total",
    "otel_sdk_exporter_log_exported_total",
    "otel_sdk_exporter_metric_data_point_exported_total",
    "otel_sdk_processor_span_processed_total",
    "otel_sdk_processor_log_processed_total",
}


@pytest.fixture(autouse=True)
def a_request(http: httpx.Client, stack: Stack) -> None:
    """Without one there is no rate of requests, and no span of the API."""
    http.get(f"{stack.api}/payments/none", headers=stack.caller)


@pytest.mark.parametrize("name", sorted(SELF_METRICS))
def test_each_service_counts_what_it_delivers(name: str, http: httpx.Client, stack: Stack) -> None:
    def probe() -> tuple[bool | None, object]:
        answer = http.get(f"{stack.url('prometheus')}/api/v1/query", params={"query": name})
        services = {one["metric"].get("service_name") for one in answer.json()["data"]["result"]}
        return (True if {"backend-api", "backend-worker"} <= services else None), services

    until(probe, what=name)


def test_no_rule_fails_when_it_is_evaluated(http: httpx.Client, stack: Stack) -> None:
    def probe() -> tuple[list[dict[str, Any]] | None, object]:
        answer = http.get(f"{stack.url('prometheus')}/api/v1/rules").json()
        found = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
        pending = [rule["name"] for rule in found if rule["health"] == "unknown"]
        return (None if pending else found), pending

    evaluated = until(probe, what="every rule is evaluated")
    assert len(evaluated) > 70
    assert {
        rule["name"]: rule.get("lastError") for rule in evaluated if rule["health"] != "ok"
    } == {}
