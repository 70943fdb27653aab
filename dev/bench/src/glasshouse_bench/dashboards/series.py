"""The series that the stack writes, as far as dashboards or rules read them, with synthetic values.

Names and labels of what is counted of events come from `collector/event_families.yaml`, those of
recorded series and alerts from `prometheus/rules`; those of instrumentations and of the Collector,
which are theirs, stand here. What no query selects is left out: it costs a query nothing.

Each series goes to `blocks.go` as one line of JSON: `labels`; `kind`, how its value moves; a sample
each `interval_ms`, up to `jitter_ms` late; `chance`, of an event in an interval; `share`, of events
that count for this series (a bucket has those up to its bound); `value` of a gauge, or of one event
in a sum; `seed`, the same for all series of one histogram; `changing`, the label that has another
value after each start; `last_ms`, how long before the end it begins, if not with the data.

Where the same events are spread over several processes: `parts`, how many there are, and `part`,
which of them this is, from 0; `scale`, of the values of a gauge; `first`, what a counter begins
with; `reset_ms`, how long before the end it begins anew at 0; `stop_ms`, how long before the end it
is last seen.

Samples of counters that are recorded for dashboards begin two days before the end: over more than
half a day no panel reads them, which `test_history.py` holds them to. They are nine of ten samples.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from glasshouse_dashboards.queries import history

Labels = dict[str, str]
Series = dict[str, Any]

PUSHED_MS: Final = 2_000  # OTEL_METRIC_EXPORT_INTERVAL in docker-compose.yml
SCRAPED_MS: Final = 15_000
EVENTS_MS: Final = 2_000  # the job `derived` in prometheus.yaml
EVALUATED_MS: Final = 15_000
_SAMPLES_MS: Final = 2 * 24 * 3_600_000
# Of what is pushed: Prometheus evens out the times of scrapes alone.
_JITTER_MS: Final = 20
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_DATABASE_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
_ROWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_GRAPH_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
# What the demo's routes answer, by how often they are asked in a second.
_ROUTES: Final = {
    ("POST", "/payments"): ({"202": 2.0, "409": 0.02, "422": 0.1, "503": 0.01}),
    ("GET", "/payments/{transactionId}"): ({"200": 4.0, "404": 0.1, "503": 0.01}),
    ("POST", "/notifications"): ({"202": 1.0, "422": 0.05}),
    ("GET", "/notifications/{notificationId}"): ({"200": 1.0, "404": 0.02}),
    ("PUT", "/contacts"): ({"204": 0.5, "422": 0.02}),
    ("POST", "/automation/runs"): ({"202": 0.5, "422": 0.02}),
    ("GET", "/automation/runs/{runId}"): ({"200": 1.0, "404": 0.02}),
    ("GET", "/livez"): ({"200": 0.2}),
    ("GET", "/readyz"): ({"200": 0.1, "503": 0.001}),
    ("GET", "/healthz"): ({"200": 0.3, "503": 0.001}),
    ("GET", "/jobs/status"): ({"200": 0.01, "401": 0.001}),
    ("GET", ""): ({"404": 0.01}),
}
_JOBS: Final = (
    "confirm_payment",
    "deliver_notification",
    "run_automation",
    "run_scheduled_automation",
    "sweep_payments",
)
# Of series that rules record and of alerts, and a value a second of what they count.
_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "http_response_status_code": ("200", "202", "204", "404", "409", "422", "503"),
    "exporter": ("otlphttp/loki", "otlphttp/tempo", "otlphttp/prometheus"),
    "service": ("backend-api", "backend-worker", "collector"),
    "signal": ("logs", "spans", "metrics"),
    "reason": ("late", "name", "series"),
    "outcome": ("waited", "shed"),
    "job": ("loki", "tempo", "prometheus"),
    "rule": ("iban", "email", "card"),
    "job_name": _JOBS,
    "check": ("postgres", "redis", "worker", "chain"),
    "server_address": ("loki", "tempo", "prometheus"),
    "receiver": ("otlp",),
    "instance": ("collector:8888",),
    "strategy": ("dca", "rebalance", "stop_loss", "nightly_report"),
    "currency": ("EUR", "GBP", "JPY", "USD"),
    "channel": ("email", "sms", "push"),
}
_BY: Final = re.compile(r"\b(?:sum|max|min|count|avg|group)\s+by\s+\(([^)]*)\)")


def written(root: Path, seed: int) -> Iterator[Series]:
    """Yield the series of the stack in the checkout ``root``."""
    read = itertools.chain(
        _derived(root),
        _requests(),
        _database(),
        _calls(),
        _processes(),
        _own(),
        _graph(),
        _collector(),
        _components(),
    )
    samples = [_begun(one) for one in read]
    for one in itertools.chain(samples, _history(samples), _recorded(root)):
        group = json.dumps([seed, one.pop("group")], sort_keys=True)
        digest = hashlib.sha256(group.encode()).digest()
        yield {**one, "seed": int.from_bytes(digest[:7], "big")}


def _begun(one: Series) -> Series:
    is_recorded = one["labels"]["__name__"] in history.RECORDED
    return {**one, "last_ms": _SAMPLES_MS} if is_recorded else one


def _one(kind: str, name: str, labels: Labels, interval: int, **more: Any) -> Series:
    made = {"kind": kind, "interval_ms": interval, "chance": 0.0, "share": 1.0, "value": 0.0}
    full = {"__name__": name, **{key: value for key, value in labels.items() if value}}
    return {**made, "labels": full, "group": full, **more}


def _counter(name: str, labels: Labels, interval: int, rate: float, **more: Any) -> Series:
    """``rate``: events a second. At most one counts in an interval."""
    chance = min(rate * interval / 1000, 0.5)
    return _one("counter", name, labels, interval, chance=chance, **more)


def _gauge(name: str, labels: Labels, interval: int, value: float, **more: Any) -> Series:
    return _one("gauge", name, labels, interval, value=value, **more)


def _histogram(
    name: str, labels: Labels, interval: int, rate: float, bounds: Sequence[float], **more: Any
) -> Iterator[Series]:
    group = {"__name__": name, **labels}
    chance = min(rate * interval / 1000, 0.5)
    for number, bound in enumerate((*map(_bound, bounds), "+Inf")):
        share = min(1.0, (number + 1) / len(bounds))
        yield _counter(
            f"{name}_bucket",
            {**labels, "le": bound},
            interval,
            rate,
            share=share,
            **{**more, "group": group},
        )
    yield _counter(f"{name}_count", labels, interval, rate, **{**more, "group": group})
    yield _one(
        "sum",
        f"{name}_sum",
        labels,
        interval,
        chance=chance,
        value=bounds[len(bounds) // 2],
        **{**more, "group": group},
    )


def _bound(bound: float) -> str:
    # As OTLP's receiver writes it; what is scraped has "1.0".
    return f"{bound:g}" if bound < 1e6 else f"{bound:.0f}"


def _pushed(service: str, scope: str, **labels: str) -> tuple[Labels, dict[str, Any]]:
    full = {
        "job": f"glasshouse/{service}",
        "instance": hashlib.sha256(service.encode()).hexdigest()[:32],
        "service_name": service,
        "service_namespace": "glasshouse",
        "deployment_environment_name": "local",
        "otel_scope_name": scope,
        "otel_scope_version": "0.66b1",
        **labels,
    }
    return full, {"changing": "instance", "jitter_ms": _JITTER_MS}


def _derived(root: Path) -> Iterator[Series]:
    text = (root / "collector" / "event_families.yaml").read_text(encoding="utf-8")
    for family in yaml.safe_load(text):
        choices = {one["name"]: one["known"] for one in family["labels"]}
        if "event_label" in family:
            choices[family["event_label"]] = list(family["events"].values())
        unit = {"s": "_seconds"}.get(family.get("unit", ""), "")
        name = family["name"].replace(".", "_") + unit
        for values in itertools.product(*choices.values()):
            labels = {
                **dict(zip(choices, values, strict=True)),
                "job": "derived",
                "instance": "collector:8889",
            }
            rate = 2.0 / len(choices)
            if "buckets" in family:
                for one in _histogram(name, labels, EVENTS_MS, rate, family["buckets"]):
                    if "le" in one["labels"] and one["labels"]["le"] != "+Inf":
                        one["labels"]["le"] = str(float(one["labels"]["le"]))
                    yield one
            else:
                yield _counter(f"{name}_total", labels, EVENTS_MS, rate)


def _requests() -> Iterator[Series]:
    for (method, route), statuses in _ROUTES.items():
        for status, rate in statuses.items():
            labels, more = _pushed(
                "backend-api",
                "opentelemetry.instrumentation.fastapi",
                http_request_method=method,
                http_route=route,
                url_scheme="http",
                http_response_status_code=status,
                network_protocol_version="1.1",
                error_type=status if status == "503" else "",
            )
            name = "http_server_request_duration_seconds"
            yield from _histogram(name, labels, PUSHED_MS, rate, _SECONDS, **more)
    for method in ("GET", "POST", "PUT"):
        labels, more = _pushed(
            "backend-api",
            "opentelemetry.instrumentation.fastapi",
            http_request_method=method,
            url_scheme="http",
        )
        yield _gauge("http_server_active_requests", labels, PUSHED_MS, 3, **more)


def _database() -> Iterator[Series]:
    for service in ("backend-api", "backend-worker"):
        for operation in (
            "SELECT",
            "INSERT",
            "UPDATE",
            "DELETE",
            "WITH",
            "BEGIN",
            "COMMIT",
            "LISTEN",
        ):
            for error in ("", "OperationalError"):
                labels, more = _pushed(
                    service,
                    "opentelemetry.instrumentation.psycopg",
                    db_system_name="postgresql",
                    db_operation_name=operation,
                    db_namespace="backend",
                    server_address="postgres",
                    server_port="5432",
                    error_type=error,
                )
                rate = 0.002 if error else 3.0
                name = "db_client_operation_duration_seconds"
                yield from _histogram(name, labels, PUSHED_MS, rate, _DATABASE_SECONDS, **more)
                if not error:
                    name = "db_client_response_returned_rows"
                    yield from _histogram(name, labels, PUSHED_MS, rate, _ROWS, **more)


def _calls() -> Iterator[Series]:
    for address in ("sandbox", "api", "collector"):
        for status in ("200", "202", "500"):
            labels, more = _pushed(
                "backend-worker",
                "opentelemetry.instrumentation.httpx",
                http_request_method="POST",
                server_address=address,
                server_port="8025",
                http_response_status_code=status,
                error_type=status if status == "500" else "",
                network_protocol_version="1.1",
            )
            name = "http_client_request_duration_seconds"
            yield from _histogram(name, labels, PUSHED_MS, 0.5, _SECONDS, **more)


def _processes() -> Iterator[Series]:
    for service in ("backend-api", "backend-worker"):

        def pushed(**labels: str) -> tuple[Labels, dict[str, Any]]:
            return _pushed(service, "opentelemetry.instrumentation.system_metrics", **labels)  # noqa: B023

        for mode in ("user", "system"):
            labels, more = pushed(process_cpu_state=mode)
            yield _counter("process_cpu_time_seconds_total", labels, PUSHED_MS, 0.2, **more)
        labels, more = pushed()
        yield _gauge("process_memory_usage_bytes", labels, PUSHED_MS, 120_000_000, **more)
        yield _gauge("process_thread_count", labels, PUSHED_MS, 12, **more)
        yield _gauge("process_open_file_descriptor_count", labels, PUSHED_MS, 40, **more)
        for generation in ("0", "1", "2"):
            labels, more = pushed(cpython_gc_generation=generation)
            yield _counter("cpython_gc_collections_total", labels, PUSHED_MS, 0.3, **more)
        for kind in ("span", "log", "metric_data_point"):
            labels, more = _pushed(
                service, "opentelemetry.sdk", otel_component_type=f"otlp_http_{kind}_exporter"
            )
            yield _gauge(f"otel_sdk_exporter_{kind}_inflight", labels, PUSHED_MS, 1, **more)
            for error in ("", "TimeoutError"):
                with_error = {**labels, "error_type": error}
                rate = 0.0001 if error else 3.0
                yield _counter(
                    f"otel_sdk_exporter_{kind}_exported_total", with_error, PUSHED_MS, rate, **more
                )
                if kind != "metric_data_point":
                    with_error["otel_component_type"] = f"batching_{kind}_processor"
                    name = f"otel_sdk_processor_{kind}_processed_total"
                    yield _counter(name, with_error, PUSHED_MS, rate, **more)
        info = {
            "service_version": "0.3.0",
            "telemetry_sdk_language": "python",
            "telemetry_sdk_name": "opentelemetry",
            "telemetry_sdk_version": "1.45.1",
        }
        labels, more = _pushed(service, "", **info)
        yield _one("constant", "target_info", labels, PUSHED_MS, value=1, **more)


def _own() -> Iterator[Series]:
    """The service's own gauges, which API and worker both report."""
    for service in ("backend-api", "backend-worker"):
        for name, value in (
            ("jobs_backlog", 20),
            ("jobs_oldest_pending_age_seconds", 3.5),
            ("job_last_success_timestamp_seconds", 1_790_000_000),
        ):
            for job in _JOBS:
                labels, more = _pushed(service, "backend", job_name=job)
                yield _gauge(name, labels, PUSHED_MS, value, **more)
        labels, more = _pushed(service, "backend", job_name="sweep_payments")
        yield _one("constant", "job_schedule_interval_seconds", labels, PUSHED_MS, value=60, **more)
        labels, more = _pushed(service, "backend")
        for name in (
            "worker_heartbeat_age_seconds",
            "outbox_events",
            "outbox_oldest_age_seconds",
            "outbox_set_aside",
        ):
            yield _gauge(name, labels, PUSHED_MS, 2.5, **more)
        for check in _VALUES["check"]:
            labels, more = _pushed(service, "backend", check=check)
            yield _one("constant", "health_check_status", labels, PUSHED_MS, value=1, **more)
    labels, more = _pushed("backend-worker", "backend", target="api")
    yield _one("constant", "probe_success", labels, PUSHED_MS, value=1, **more)


def _graph() -> Iterator[Series]:
    """What Tempo makes of spans: who calls whom."""
    for client, server, kind in (
        ("user", "backend-api", ""),
        ("backend-worker", "sandbox", ""),
        ("backend-worker", "backend-api", ""),
        ("backend-api", "backend-worker", "messaging_system"),
        ("backend-api", "postgres", "database"),
        ("backend-worker", "postgres", "database"),
        ("backend-api", "valkey", "database"),
    ):
        labels = {"client": client, "server": server, "connection_type": kind, "source": "tempo"}
        yield _counter("traces_service_graph_request_total", labels, SCRAPED_MS, 0.03)
        yield _counter("traces_service_graph_request_failed_total", labels, SCRAPED_MS, 0.001)
        for end in ("client", "server"):
            name = f"traces_service_graph_request_{end}_seconds"
            yield from _histogram(name, labels, SCRAPED_MS, 0.03, _GRAPH_SECONDS)


def _collector() -> Iterator[Series]:
    job = {"job": "collector", "instance": "collector:8888", "service_name": "otelcol-glasshouse"}
    signals = {"spans": "traces", "log_records": "logs", "metric_points": "metrics"}

    def counters(name: str, rate: float, *each: Labels) -> Iterator[Series]:
        for labels in each:
            yield _counter(f"otelcol_{name}_total", {**job, **labels}, SCRAPED_MS, rate)

    for items in signals:
        item = {"item": f"accepted_{items}", "receiver": "otlp", "transport": "http"}
        yield from counters(f"receiver_accepted_{items}", 0.03, item)
        for what in ("refused", "failed"):
            one = {**item, "item": f"{what}_{items}"}
            yield from counters(f"receiver_{what}_{items}", 0.0001, one)
        for exporter in _VALUES["exporter"]:
            for what, rate in (("sent", 0.03), ("send_failed", 0.0001), ("enqueue_failed", 0.0001)):
                one = {"exporter": exporter, "item": f"{what}_{items}"}
                yield from counters(f"exporter_{what}_{items}", rate, one)
    for exporter in _VALUES["exporter"]:
        for what in ("otlp_bisect_refused", "otlp_bisect_splits"):
            yield from counters(f"exporter_{what}", 0.0001, {"exporter": exporter, "item": what})
        labels = {**job, "exporter": exporter, "data_type": "logs"}
        yield _gauge("otelcol_exporter_queue_size", labels, SCRAPED_MS, 1000)
        yield _one("constant", "otelcol_exporter_queue_capacity", labels, SCRAPED_MS, value=1e8)
        for status in ("200", "503"):
            labels = {
                **job,
                "server_address": exporter.partition("/")[2],
                "http_request_method": "POST",
                "http_response_status_code": status,
            }
            yield from _histogram(
                "http_client_request_duration_seconds", labels, SCRAPED_MS, 0.03, _SECONDS
            )
    services = _VALUES["service"]
    for service, signal, reason in itertools.product(services, signals.values(), ("late", "name")):
        labels = {"service": service, "signal": signal, "reason": reason}
        yield from counters("processor_admission_refused", 0.0002, labels)
        yield from counters("processor_admission_repaired", 0.0002, labels)
    for service, outcome in itertools.product(services, ("waited", "shed")):
        yield from counters(
            "processor_admission_throttled", 0.0001, {"service": service, "outcome": outcome}
        )
    for service in services:
        yield _gauge(
            "otelcol_processor_admission_series", {**job, "service": service}, SCRAPED_MS, 900
        )
    for number, signal, surface in itertools.product(
        range(73), signals.values(), ("attribute", "body")
    ):
        labels = {"rule": f"rule_{number}", "signal": signal, "surface": surface}
        yield from counters("processor_pii_redacted", 0.01, labels)
    for signal in signals.values():
        yield from counters("processor_pii_unscanned", 0.0001, {"signal": signal})
        for reason in ("late", "name"):
            each = {"signal": signal, "reason": reason}
            yield from counters("extension_dead_letter_written", 0.0001, each)
            yield from counters("extension_dead_letter_lost", 0.0001, each)
    for reason in ("in_flight", "concurrency", "depth"):
        yield from counters("extension_otlp_limits_refused", 0.0001, {"reason": reason})
        yield from counters("extension_otlp_limits_repaired", 0.0001, {"reason": reason})
    for error in ("", "delta.ErrOutOfOrder", "limit"):
        yield from counters("deltatocumulative_datapoints", 0.03, {"error": error})
    for name in ("failed", "invalid_values", "not_believed", "out_of_range"):
        yield from counters(f"connector_event_metrics_{name}", 0.0001, {})
    yield from counters("process_cpu_seconds", 0.03, {})
    yield from counters("process_uptime_seconds", 0.5, {})
    for name, value in (
        ("connector_event_metrics_behind_seconds", 0.5),
        ("extension_dead_letter_used_bytes", 1e6),
        ("extension_dead_letter_capacity_bytes", 1e8),
        ("extension_durable_storage_set_aside", 1),
        ("process_memory_rss_bytes", 2e8),
    ):
        yield _gauge(f"otelcol_{name}", job, SCRAPED_MS, value)
    labels = {**job, "service_version": "0.161.0"}
    yield _one("constant", "target_info", labels, SCRAPED_MS, value=1)


def _components() -> Iterator[Series]:
    ports = {
        "derived": "collector:8889",
        "collector": "collector:8888",
        "prometheus": "localhost:9090",
        "loki": "loki:3100",
        "tempo": "tempo:3200",
        "alertmanager": "alertmanager:9093",
    }
    for job, instance in ports.items():
        labels = {"job": job, "instance": instance}
        interval = EVENTS_MS if job == "derived" else SCRAPED_MS
        yield _one("constant", "up", labels, interval, value=1)
        yield _counter("process_cpu_seconds_total", labels, SCRAPED_MS, 0.03)
        yield _gauge("process_resident_memory_bytes", labels, SCRAPED_MS, 2e8)
    for name, value in (
        ("prometheus_tsdb_head_series", 15_000),
        ("prometheus_tsdb_head_chunks", 60_000),
        ("prometheus_rule_group_last_duration_seconds", 0.1),
    ):
        yield _gauge(name, {"job": "prometheus", "instance": "localhost:9090"}, SCRAPED_MS, value)
    for name in (
        "target_scrapes_sample_duplicate_timestamp",
        "target_scrapes_sample_out_of_bounds",
        "tsdb_out_of_bound_samples",
        "tsdb_too_old_samples",
    ):
        yield _counter(
            f"prometheus_{name}_total",
            {"job": "prometheus", "instance": "localhost:9090"},
            SCRAPED_MS,
            0.0001,
        )
    for job, name in (
        ("loki", "loki_discarded_samples_total"),
        ("tempo", "tempo_discarded_spans_total"),
    ):
        for reason in ("line_too_long", "rate_limited"):
            labels = {"job": job, "instance": ports[job], "reason": reason, "tenant": "fake"}
            yield _counter(name, labels, SCRAPED_MS, 0.0001)
        labels = {"job": job, "instance": ports[job], "tenant": "fake"}
        yield _counter(f"{job}_distributor_bytes_received_total", labels, SCRAPED_MS, 0.03)


def _history(samples: Iterable[Series]) -> Iterator[Series]:
    """What is recorded for dashboards: of each metric one series a set of the labels that stay."""
    fixed = {history.VARIABLE: history.EVERY}
    every = history.EVERY_S * 1000
    yield _one("constant", history.COVERED, fixed, every, value=history.EVERY_S)
    seen: set[str] = set()
    for one in samples:
        kept = history.RECORDED.get(one["labels"]["__name__"])
        if kept is None:
            continue
        labels = {label: one["labels"][label] for label in kept if label in one["labels"]}
        record = history.recorded(one["labels"]["__name__"])
        key = json.dumps([record, labels], sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield _gauge(record, {**labels, **fixed}, every, 300)


def _recorded(root: Path) -> Iterator[Series]:
    seen: set[str] = set()
    for path in sorted((root / "prometheus" / "rules").glob("*.yaml")):
        if path.name == "history.yaml":
            continue
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            interval = _milliseconds(group.get("interval", "15s"))
            for rule in group["rules"]:
                for one in _of_rule(rule, interval):
                    key = json.dumps(one["labels"], sort_keys=True)
                    if key not in seen:
                        seen.add(key)
                        yield one


def _of_rule(rule: Mapping[str, Any], interval: int) -> Iterator[Series]:
    fixed = {key: str(value) for key, value in rule.get("labels", {}).items()}
    if "alert" in rule:
        labels = {**fixed, "alertname": rule["alert"], "alertstate": "firing"}
        labels = {key: value for key, value in labels.items() if "{{" not in value}
        yield _one("rare", "ALERTS", labels, interval)
        return
    found = _BY.search(rule["expr"])
    by = [one.strip() for one in found[1].split(",")] if found else []
    if rule["record"] == "api:request_duration_bucket:rate5m":
        choices: list[Iterable[str]] = [
            _VALUES["http_response_status_code"],
            [*map(_bound, _SECONDS), "+Inf"],
        ]
    else:
        choices = [_VALUES.get(label, ("other",)) for label in by]
    for values in itertools.product(*choices):
        labels = {**dict(zip(by, values, strict=True)), **fixed}
        for name in _slos(rule, labels):
            yield _gauge(rule["record"], name, interval, 0.01)


def _slos(rule: Mapping[str, Any], labels: Labels) -> Iterator[Labels]:
    """The rules of all objectives name none: they record one series of each."""
    if rule["record"].startswith("slo:") and "slo" not in labels:
        for slo, area in (
            ("api-availability", "api"),
            ("api-latency", "api"),
            ("payment-confirmation", "payments"),
            ("notification-delivery", "notifications"),
            ("automation-sla", "automation"),
        ):
            yield {**labels, "slo": slo, "area": area}
    else:
        yield labels


def _milliseconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1000, "m": 60_000}[text[-1]]
