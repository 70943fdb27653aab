"""The telemetry pipeline itself."""

from typing import Final

from glasshouse_dashboards.queries.shared import RATE

UP: Final = "count(up == 0) or vector(0)"
QUEUE_NOW: Final = "max(otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"
LOST: Final = (
    "sum(increase({__name__=~"
    '"otelcol_exporter_(send|enqueue)_failed_(spans|log_records|metric_points)_total"}'
    "[$__range])) or vector(0)"
)
UNCHECKED: Final = "sum(increase(otelcol_processor_pii_unchecked_total[$__range])) or vector(0)"


def _each(template: str) -> dict[str, str]:
    kinds = {"spans": "spans", "logs": "log_records", "metrics": "metric_points"}
    return {legend: template.replace("KIND", kind) for legend, kind in kinds.items()}


ACCEPTED: Final = _each(f"sum(rate(otelcol_receiver_accepted_KIND_total{RATE}))")
SENT: Final = _each(f"sum(rate(otelcol_exporter_sent_KIND_total{RATE}))")
REFUSED: Final = _each(f"sum(rate(otelcol_receiver_refused_KIND_total{RATE}))")
FRESHNESS: Final = {
    "{{job}}": "time() - max by (job) (timestamp(up))",
    "services": 'time() - max(timestamp(target_info{service_name=~"backend-.+"}))',
}
REDACTED: Final = {"{{rule}}": f"sum by (rule) (rate(otelcol_processor_pii_redacted_total{RATE}))"}
REDACTED_WHERE: Final = (
    "sum by (rule, signal, surface) (increase(otelcol_processor_pii_redacted_total[$__range])) > 0"
)
EXPORTS: Final = {
    "{{server_address}}": "histogram_quantile(0.95, sum by (le, server_address) "
    f'(rate(http_client_request_duration_seconds_bucket{{job="collector"}}{RATE})))'
}
MEMORY: Final = {
    "Collector": "max(otelcol_process_memory_rss_bytes)",
    "{{job}}": "max by (job) (process_resident_memory_bytes)",
}
CPU: Final = {
    "Collector": f"sum(rate(otelcol_process_cpu_seconds_total{RATE}))",
    "{{job}}": f"sum by (job) (rate(process_cpu_seconds_total{RATE}))",
}
SERIES: Final = {"series": "prometheus_tsdb_head_series"}
STORED: Final = {
    "Loki": f"sum(rate(loki_distributor_bytes_received_total{RATE}))",
    "Tempo": f"sum(rate(tempo_distributor_bytes_received_total{RATE}))",
}
TARGETS: Final = "up"
