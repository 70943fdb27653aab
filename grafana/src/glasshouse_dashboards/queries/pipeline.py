"""The telemetry pipeline itself."""

from typing import Final

from glasshouse_dashboards.queries.shared import COLLECTORS, RATE, increase, quantile, rate

UP: Final = "(count(up == 0) or vector(0)) + (count(edge:silent:group) or vector(0))"
QUEUE_NOW: Final = "max(otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"


def _total_increase(record: str) -> str:
    """Add up, over the chosen time, what a rule records as the increase in 10 minutes.

    The rules count the first value of a new series, which increase() would leave out.
    """
    return f"sum(sum_over_time({record}[$__range:10m])) or vector(0)"


LOST: Final = _total_increase("exporter:lost:increase10m")
DROPPED: Final = _total_increase("pipeline:refused:increase10m")
SET_ASIDE: Final = _total_increase("dead_letter:written:increase10m")
DISCARDED: Final = _total_increase("backend:discarded:increase10m")
LETTERS: Final = (
    "max(otelcol_extension_dead_letter_used_bytes / otelcol_extension_dead_letter_capacity_bytes)"
)
UNSCANNED: Final = "sum(increase(otelcol_processor_pii_unscanned_total[$__range])) or vector(0)"


def _per_signal(template: str) -> dict[str, str]:
    kinds = {"spans": "spans", "logs": "log_records", "metrics": "metric_points"}
    return {legend: template.replace("KIND", kind) for legend, kind in kinds.items()}


# What services sent, once: not what an edge says of itself, and not again at a gateway.
_FIRST: Final = 'job!="glasshouse-gateway",receiver!="otlp/self"'
ACCEPTED: Final = _per_signal(f"sum(rate(otelcol_receiver_accepted_KIND_total{{{_FIRST}}}{RATE}))")
# An edge sends to a gateway, which is no backend.
SENT: Final = _per_signal(
    f'sum(rate(otelcol_exporter_sent_KIND_total{{job!="glasshouse-edge"}}{RATE}))'
)
REFUSED: Final = _per_signal(f"sum(rate(otelcol_receiver_refused_KIND_total{RATE}))")
DROPPED_WHY: Final = {
    "{{reason}} {{service}}": "sum by (reason, service) (pipeline:refused:increase10m) > 0"
}
GIVEN_UP_WHY: Final = {
    "{{service}} {{signal}} {{reason}}": "sum by (service, signal, reason) "
    "(service:given_up:increase10m) > 0"
}
WAITING: Final = {
    "{{service_name}}": "sum by (service_name) "
    '({__name__=~"otel_sdk_exporter_(span|log|metric_data_point)_inflight"})'
}
SET_ASIDE_WHY: Final = {
    "{{signal}} {{reason}}": "sum by (signal, reason) (dead_letter:written:increase10m) > 0"
}
THROTTLED: Final = {
    "{{service}} {{outcome}}": "sum by (service, outcome) "
    f"(rate(otelcol_processor_admission_throttled_total{RATE}))"
}
HALVED: Final = {
    "{{exporter}}": f"sum by (exporter) (rate(otelcol_exporter_otlp_bisect_splits_total{RATE}))"
}
FRESHNESS: Final = {
    # Edges by their names: each pushes for itself.
    "{{job}}": "time() - max by (job) (timestamp(up) or label_replace("
    'timestamp(otelcol_process_uptime_seconds_total{job="glasshouse-edge"}), '
    '"job", "$1", "instance", "(.*)"))',
    "services": 'time() - max(timestamp(target_info{service_name=~"backend-.+"}))',
}
REPAIRED_WHY: Final = {
    "{{reason}}": "sum by (reason) (admission:repaired:increase10m) > 0",
}
NOT_AS_SENT: Final = (
    "sum by (service, signal, reason, outcome) ("
    + " or ".join(
        f'label_replace(sum_over_time({record}[$__range:10m]), "outcome", "{outcome}", "", "")'
        for outcome, record in (
            ("repaired", "admission:repaired:increase10m"),
            ("set aside", "dead_letter:written:increase10m"),
            ("dropped", "pipeline:refused:increase10m"),
        )
    )
    + ") > 0"
)
DISCARDED_WHY: Final = {
    "{{job}} {{reason}}": "sum by (job, reason) (backend:discarded:increase10m)"
}
BEHIND: Final = {"counts": "max(otelcol_connector_event_metrics_behind_seconds)"}
REDACTED: Final = {"{{rule}}": rate("otelcol_processor_pii_redacted_total", by="rule")}
REDACTED_WHERE: Final = (
    f"{increase('otelcol_processor_pii_redacted_total', by='rule, signal, surface')} > 0"
)
EXPORTS: Final = {
    "{{server_address}}": quantile(
        95, "http_client_request_duration_seconds", COLLECTORS, by="server_address"
    )
}
MEMORY: Final = {
    "Collector": "max(otelcol_process_memory_rss_bytes)",
    "{{job}}": "max by (job) (process_resident_memory_bytes)",
}
CPU: Final = {
    "Collector": f"sum(rate(otelcol_process_cpu_seconds_total{RATE}))",
    "{{job}}": f"sum by (job) (rate(process_cpu_seconds_total{RATE}))",
}
SERIES: Final = {"series": "max(prometheus_tsdb_head_series)"}
SERIES_BY_SERVICE: Final = {
    "{{service}}": "topk(10, max by (service) (otelcol_processor_admission_series))"
}
NOT_BELIEVED: Final = {
    "events": f"sum(rate(otelcol_connector_event_metrics_not_believed_total{RATE}))"
}
STORED: Final = {
    "Loki": f"sum(rate(loki_distributor_bytes_received_total{RATE}))",
    "Tempo": f"sum(rate(tempo_distributor_bytes_received_total{RATE}))",
}
TARGETS: Final = "up"
