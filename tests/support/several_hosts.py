"""The series of one machine as several hosts have them, with the same events in all.

Two edges push what they count and what they report of themselves, two gateways are scraped, each
service runs on both hosts, Loki has three processes, Tempo eight, and Prometheus two, which hold
the same. So a query that adds up, takes a share or a percentile has to give what it gives of one
machine.

Labels are those of `deploy/`: what an edge pushes has no label of a scrape, each edge's records
have its tenant, and a bound of a histogram is written as OTLP's receiver writes it. A test with the
Collectors themselves holds them to that: `test_edges_in_prometheus.py`.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

Series = dict[str, Any]

EDGE_JOB: Final = "glasshouse-edge"
GATEWAY_JOB: Final = "glasshouse-gateway"
# By name, the tenant.
EDGES: Final = {"edge-1": "team-a", "edge-2": "team-b"}
GATEWAYS: Final = ("gateway-1:8888", "gateway-2:8888")
_HOSTS: Final = tuple(EDGES.values())
_PROCESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "loki": ("loki-1:3100", "loki-2:3100", "loki-3:3100"),
    "tempo": (
        "tempo-distributor:3200",
        "tempo-live-store-a:3200",
        "tempo-live-store-b:3200",
        "tempo-block-builder:3200",
        "tempo-query-frontend:3200",
        "tempo-querier:3200",
        "tempo-backend-scheduler:3200",
        "tempo-backend-worker:3200",
    ),
    "prometheus": ("prometheus-1:9090", "prometheus-2:9090"),
    "alertmanager": ("alertmanager:9093",),
}
# So high that no rate is bounded by where its counter was 0.
_FIRST: Final = 1e6
# Of a process: those of two of them make up what one has.
_ADDED_UP: Final = re.compile(
    r"http_server_active_requests|otel_sdk_exporter_\w+_inflight|process_(memory_usage_bytes"
    r"|thread_count|open_file_descriptor_count)"
)
_BOTH: Final = re.compile(
    r"otelcol_(process_|extension_(dead_letter|durable_storage)_)|target_info|process_"
)
# What a gateway does with what edges did something with before.
_EXPORTING: Final = re.compile(r"otelcol_exporter_|http_client_request_duration_seconds")
_QUEUES: Final = re.compile(r"otelcol_exporter_queue_")
_LOST: Final = re.compile(r"_failed_|_bisect_|_refused_")
_SECOND_HOP: Final = re.compile(r"otelcol_receiver_|http_server_")


def one_machine(found: Iterable[Series]) -> Iterator[Series]:
    """Yield what is measured on one machine, without what rules record of it."""
    yield from _prepared(itertools.chain(found, _answered()))


def _answered() -> Iterator[Series]:
    """Requests that the Collector answers: under the names of a service's."""
    name = "http_server_request_duration_seconds"
    for part, share in ((f"{name}_count", 1.0), (f"{name}_bucket", 0.8), (f"{name}_bucket", 1.0)):
        labels = {
            "__name__": part,
            "job": "collector",
            "instance": "collector:8888",
            "http_request_method": "POST",
            "http_response_status_code": "200",
            **({"le": "0.1" if share < 1 else "+Inf"} if part.endswith("_bucket") else {}),
        }
        yield {
            **{"labels": labels, "kind": "counter", "interval_ms": 15_000, "seed": 7},
            **{"chance": 0.5, "share": share},
        }


def _prepared(found: Iterable[Series]) -> Iterator[Series]:
    for one in found:
        labels = one["labels"]
        if ":" in labels["__name__"] or "resolution" in labels:
            continue
        made = {key: value for key, value in one.items() if key not in {"changing", "last_ms"}}
        if labels.get("job") == "collector":
            # A scrape gives it no name of a service; what an edge pushes has one.
            made["labels"] = {key: labels[key] for key in labels if key != "service_name"}
        if one["kind"] in {"counter", "sum"}:
            made["first"] = _FIRST
        yield made


def several(found: Iterable[Series], **edge_1: int) -> Iterator[Series]:
    """Yield the series of `one_machine` as several hosts have them.

    edge_1: what happens to that edge, as `series.py` has it: `reset_ms`, `stop_ms`.
    """
    for one in found:
        for made in _of(one):
            yield {**made, **edge_1} if made["labels"].get("instance") == "edge-1" else made
    yield from _of_gateways()


def _of(one: Series) -> Iterator[Series]:
    labels = one["labels"]
    job, name = labels.get("job", ""), labels["__name__"]
    if job == "derived":
        if not name.startswith(("up", "process_")):  # nobody scrapes an edge
            yield from _edges(one, "glasshouse/event_metrics", split=True)
    elif job == "collector":
        yield from _of_collector(one, name)
    elif job.startswith("glasshouse/"):
        is_split = one["kind"] in {"counter", "sum"} or _ADDED_UP.fullmatch(name) is not None
        for part, tenant in enumerate(_HOSTS):
            instance = hashlib.sha256(f"{job}{part}".encode()).hexdigest()[:32]
            more = {"instance": instance, "glasshouse_tenant": tenant}
            yield _part(one, more, part, len(_HOSTS) if is_split else 0)
    elif job in _PROCESSES:
        instances = _PROCESSES[job]
        # Both of Prometheus are sent all of it.
        is_copy = job == "prometheus" and name.startswith("prometheus_")
        for part, instance in enumerate(instances):
            is_split = one["kind"] == "counter" and not is_copy
            yield _part(one, {"instance": instance}, part, len(instances) if is_split else 0)
    else:
        yield one


def _of_collector(one: Series, name: str) -> Iterator[Series]:
    if name == "up":
        yield from _gateways(one, 0)
    elif _BOTH.match(name):
        # Each has been up for as long.
        is_split = one["kind"] == "counter" and "uptime" not in name
        every = len(EDGES) + len(GATEWAYS) if is_split else 0
        yield from _edges(one, "glasshouse/self", of=every)
        yield from _gateways(one, every, before=len(EDGES))
    elif _EXPORTING.match(name):
        yield from _gateways(one, len(GATEWAYS) if one["kind"] in {"counter", "sum"} else 0)
        # The same records, one hop before. What is lost is lost once.
        once = _quiet(one) if _LOST.search(name) else one
        if "server_address" in one["labels"]:
            once = {**once, "labels": {**one["labels"], "server_address": "gateway"}}
            # All backends are one address there: three of them would be one series.
            if one["labels"]["server_address"] != "loki":
                return
        yield from _edges(once, "glasshouse/self", split=not _QUEUES.match(name))
    else:
        yield from _edges(one, "glasshouse/self", split=one["kind"] in {"counter", "sum"})
        if _SECOND_HOP.match(name):
            once = _quiet(one) if _LOST.search(name) else one
            yield from _gateways(once, len(GATEWAYS))


def _quiet(one: Series) -> Series:
    return {**one, "chance": 0.0}


def _edges(one: Series, scope: str, *, split: bool = False, of: int = 0) -> Iterator[Series]:
    parts = len(EDGES) if split else of
    for part, (edge, tenant) in enumerate(EDGES.items()):
        made = _part(
            one,
            {
                "job": EDGE_JOB,
                "instance": edge,
                "service_name": EDGE_JOB,
                "glasshouse_tenant": tenant,
                "otel_scope_name": scope,
            },
            part,
            parts,
        )
        made["labels"].pop("item", None)  # a scrape adds it
        if (bound := made["labels"].get("le", "+Inf")) != "+Inf":
            made["labels"]["le"] = f"{float(bound):g}"
        yield made


def _gateways(one: Series, parts: int, before: int = 0) -> Iterator[Series]:
    for part, gateway in enumerate(GATEWAYS, before):
        made = _part(one, {"job": GATEWAY_JOB, "instance": gateway}, part, parts)
        made["labels"].pop("item", None)  # not everybody's scrapes add it
        yield made


def _part(one: Series, labels: Mapping[str, str], part: int, parts: int) -> Series:
    made = {**one, "labels": {**one["labels"], **labels}}
    if not parts:
        return made
    if one["kind"] in {"counter", "sum"}:
        return {**made, "part": part, "parts": parts}
    return {**made, "scale": 1 / parts}


def _of_gateways() -> Iterator[Series]:
    """What only they report: of Kafka, where both have had each partition, and of their clients."""
    for number, gateway in enumerate(GATEWAYS):
        labels = {"job": GATEWAY_JOB, "instance": gateway}
        constant = {"kind": "constant", "interval_ms": 15_000, "seed": 1}
        counter = {
            "kind": "counter",
            "interval_ms": 15_000,
            "share": 1.0,
            "first": _FIRST,
            "seed": 1,
        }
        for topic in ("otlp_logs.team-a", "otlp_spans.team-a"):
            of = {**labels, "topic": topic, "partition": "0"}
            for name, value in (
                # What it had, and what the other has now.
                ("otelcol_kafka_receiver_current_offset_ratio", 5e5 * (1 + number)),
                ("otelcol_kafka_receiver_offset_lag_ratio", 4e5 * (1 - number) + 3),
            ):
                yield {**constant, "labels": {"__name__": name, **of}, "value": value}
            name = "otelcol_kafka_receiver_records_total"
            records = {"__name__": name, **of, "outcome": "success"}
            yield {**counter, "labels": records, "chance": 0.5}
        refused = {
            "__name__": "otelcol_extension_tenants_refused_total",
            "reason": "unknown_client",
        }
        yield {**counter, "labels": {**labels, **refused}, "chance": 0.0}
