"""Each Collector by itself, by the variable `instance`: that of one machine, edges and gateways."""

from typing import Final

from glasshouse_dashboards.queries.shared import RATE

_CHOSEN: Final = 'instance=~"$instance"'
# All have it: those that are scraped, and edges, which push it.
_UPTIME: Final = f"otelcol_process_uptime_seconds_total{{{_CHOSEN}}}"
INSTANCES: Final = "label_values(otelcol_process_uptime_seconds_total, instance)"

SILENT: Final = f"count(edge:silent:group{{{_CHOSEN}}}) or vector(0)"
GATEWAYS_DOWN: Final = f'count(up{{job="glasshouse-gateway",{_CHOSEN}}} == 0) or vector(0)'
WAITING: Final = "sum(kafka:lag:records) or vector(0)"
CLIENTS_REFUSED: Final = (
    f"sum(increase(otelcol_extension_tenants_refused_total{{{_CHOSEN}}}[$__range])) or vector(0)"
)

_ROW: Final = "job, instance, glasshouse_tenant"
_KINDS: Final = {"spans": "spans", "logs": "log_records", "points": "metric_points"}


def _items(what: str, window: str) -> str:
    """Return all items a second. Each signal has a metric of its own, which some may not have."""
    rates = {
        kind: f"rate(otelcol_{what}_{kind}_total{{{_CHOSEN}}}{window})" for kind in _KINDS.values()
    }
    each = (f'label_replace({one}, "item", "{kind}", "", "")' for kind, one in rates.items())
    return f"sum by ({_ROW}) ({' or '.join(each)})"


RECEIVED_NOW: Final = _items("receiver_accepted", "[$__range]")
SENT_NOW: Final = _items("exporter_sent", "[$__range]")
QUEUE_NOW: Final = (
    f"max by ({_ROW}) (otelcol_exporter_queue_size{{{_CHOSEN}}}"
    f" / otelcol_exporter_queue_capacity{{{_CHOSEN}}})"
)
MEMORY_NOW: Final = f"max by ({_ROW}) (otelcol_process_memory_rss_bytes{{{_CHOSEN}}})"
AGE_NOW: Final = f"time() - max by ({_ROW}) (timestamp({_UPTIME}))"
FRESHNESS: Final = {"{{instance}}": f"time() - max by (instance) (timestamp({_UPTIME}))"}
QUEUES: Final = {
    "{{instance}} {{exporter}}": (
        f"max by (instance, exporter) (otelcol_exporter_queue_size{{{_CHOSEN}}}"
        f" / otelcol_exporter_queue_capacity{{{_CHOSEN}}})"
    )
}


def _by_signal(what: str) -> dict[str, str]:
    return {
        f"{{{{instance}}}} {legend}": (
            f"sum by (instance) (rate(otelcol_{what}_{kind}_total{{{_CHOSEN}}}{RATE}))"
        )
        for legend, kind in _KINDS.items()
    }


RECEIVED: Final = _by_signal("receiver_accepted")
SENT: Final = _by_signal("exporter_sent")
REFUSED: Final = {
    "{{instance}} {{receiver}}": (
        f"sum by (instance, receiver) (receiver:refused:increase5m{{{_CHOSEN}}})"
    )
}
FAILING: Final = {
    "{{instance}} → {{server_address}}": (
        f"max by (instance, server_address) (exporter:failed_requests:ratio_rate5m{{{_CHOSEN}}})"
    )
}
LOST: Final = {
    "{{instance}} {{exporter}}": (
        f"sum by (instance, exporter) (exporter:lost:increase10m{{{_CHOSEN}}}) > 0"
    )
}
LAG: Final = {"{{topic}}": "kafka:lag:records"}
LETTERS: Final = {
    "{{instance}}": (
        f"max by (instance) (otelcol_extension_dead_letter_used_bytes{{{_CHOSEN}}}"
        f" / otelcol_extension_dead_letter_capacity_bytes{{{_CHOSEN}}})"
    )
}
BEHIND: Final = {
    "{{instance}}": (
        f"max by (instance) (otelcol_connector_event_metrics_behind_seconds{{{_CHOSEN}}})"
    )
}
SERIES: Final = {
    "{{instance}}": f"sum by (instance) (otelcol_processor_admission_series{{{_CHOSEN}}})"
}
MEMORY: Final = {
    "{{instance}}": f"max by (instance) (otelcol_process_memory_rss_bytes{{{_CHOSEN}}})"
}
CPU: Final = {
    "{{instance}}": (
        f"sum by (instance) (rate(otelcol_process_cpu_seconds_total{{{_CHOSEN}}}{RATE}))"
    )
}
