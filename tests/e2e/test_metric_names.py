"""Metrics that could lose name or labels on the way arrive as rules and dashboards use them."""

import httpx
import pytest

from support import backends
from support.stack import Stack
from support.waiting import until

METRICS = [
    'jobs_backlog{job_name="confirm_payment",service_name="backend-api"}',
    'jobs_oldest_pending_age_seconds{job_name="confirm_payment",service_name="backend-api"}',
    # Prometheus makes its own label "job" of the service's name.
    'worker_heartbeat_age_seconds{job="glasshouse/backend-api",service_name="backend-api"}',
    'worker_heartbeat_age_seconds{job="glasshouse/backend-worker",service_name="backend-worker"}',
    'probe_success{target="api",service_name="backend-worker"} == 1',
    'probe_duration_seconds{target="api",service_name="backend-worker"}',
    # The Collector's own, with the endings that Prometheus names have.
    "otelcol_exporter_sent_log_records_total",
    "otelcol_receiver_refused_spans_total",
    'http_client_request_duration_seconds_count{job="collector",server_address="loki"}',
]


@pytest.mark.parametrize("query", METRICS)
def test_a_metric_has_the_name_and_labels_that_queries_use(
    http: httpx.Client, stack: Stack, query: str
) -> None:
    def probe() -> tuple[bool | None, object]:
        found = backends.prometheus_query(http, stack.url("prometheus"), query)
        return (True if found else None), found

    until(probe, what=query)
