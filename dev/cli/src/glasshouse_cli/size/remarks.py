"""What else there is to know of a plan: limits of configurations that it goes over, and more."""

from __future__ import annotations

from collections.abc import Iterator

from glasshouse_cli.size.factors import Factors, Growth, Part, Signal
from glasshouse_cli.size.load import Load
from glasshouse_cli.size.shapes import Plan

_MIB = 2**20


def remarks(made: Plan, load: Load, found: Factors) -> Iterator[str]:
    """Yield a line for each."""
    yield from _over_limits(made, load, found)
    yield from _queue(made, load, found)
    by = {one.part: one for one in made.needs}
    if made.shape.key == "c":
        yield (
            "disk of loki and tempo is object storage; it may be less, as copies of the same "
            "records are partly the same objects"
        )
        if "thanos" not in by:
            yield "the processes of Thanos are not in it: they are not measured"
    if "kafka" in by and "gateway_kafka" not in found.parts:
        yield "edge and gateway are as without Kafka between them: they were not measured with it"
    prometheus = by["prometheus"]
    if made.shape.key == "c" and prometheus.processes > prometheus.basis.measured_processes * 2:
        yield (
            f"prometheus: {prometheus.processes} processes, of which each takes a share of the "
            "series: that needs shards, or a store of many writers such as Cortex"
        )
    yield from _flat(made, load, found)
    yield "queries, alerts and dashboards are not in it: only what it takes to store what is sent"
    yield "grafana, alertmanager and proxy are not in it: they do not grow with what is sent"


def _over_limits(made: Plan, load: Load, found: Factors) -> Iterator[str]:
    limits, parts = found.limits, found.parts
    edges = next(one.processes for one in made.needs if one.part == "edge")
    each = load.records / load.services
    if each > limits["service_records_per_second"]:
        yield (
            f"a service sends {each:,.0f} records a second, and waits from "
            f"{limits['service_records_per_second']:,.0f} on: services.records_per_second of "
            "admission in collector/config.yaml"
        )
    if load.services > limits["services"]:
        yield (
            f"{load.services:,} services are more than the {limits['services']:,.0f} that get a "
            "place of their own: services.most of admission in collector/config.yaml"
        )
    if load.series / edges > limits["series"]:
        yield (
            f"{load.series / edges:,.0f} series come to an edge, which lets "
            f"{limits['series']:,.0f} through: series.total of admission in collector/config.yaml"
        )
    rates = (("loki", "logs", "ingestion_rate_mb"), ("tempo", "spans", "rate_limit_bytes"))
    for backend, signal, setting in rates:
        sent = load.rates[signal] * parts[backend].signals[signal].received
        if sent > (most := limits[f"{backend}_bytes_per_second"]):
            yield (
                f"{backend} would get {sent / _MIB:,.0f} MiB a second of a tenant, and takes "
                f"{most / _MIB:,.0f}: {setting} in its configuration"
            )
    stored = sum(one.disk for one in made.needs if one.part == "prometheus")
    if made.shape.key != "c" and stored > limits["prometheus_bytes"]:
        yield (
            f"prometheus would drop the oldest at {limits['prometheus_bytes'] / 1e9:,.0f} GB: "
            "--storage.tsdb.retention.size in docker-compose.yml"
        )


def _queue(made: Plan, load: Load, found: Factors) -> Iterator[str]:
    """Yield how long an edge bridges an outage of what it sends to."""
    edge = next(one for one in made.needs if one.part == "edge")
    signals = found.parts["edge"].signals
    busiest = max(load.rates, key=lambda one: load.rates[one] * signals[one].received)
    sent = load.rates[busiest] * signals[busiest].received / edge.processes
    if sent:
        held = found.limits["queue_bytes"]
        yield (
            f"an edge's queue of {held / _MIB:,.0f} MiB holds {busiest} of {_long(held / sent)}; "
            "then services wait: sending_queue in collector/config.yaml"
        )


def _flat(made: Plan, load: Load, found: Factors) -> Iterator[str]:
    """Yield what counts as nothing because no rise was measured: it may be hidden by noise."""
    for what, name in (("cpu", "CPU time"), ("memory", "memory")):
        flat: dict[str, list[str]] = {}
        for need in made.needs:
            for varied, costs in _varied(found.parts[need.part], load):
                if getattr(costs, what).is_flat:
                    flat.setdefault(varied, []).append(need.part)
        for varied, parts in flat.items():
            yield (
                f"more {varied} count as no {name} at {', '.join(parts)}: "
                "no rise was measured that stands out of the noise"
            )


def _varied(part: Part, load: Load) -> Iterator[tuple[str, Signal | Growth]]:
    """Yield what a load has of what was varied, and what one more of it costs a part."""
    for one, rate in load.rates.items():
        if rate > 0 and one in part.signals:
            yield one, part.signals[one]
    for name, growth in (("services", part.services), ("series", part.series)):
        if growth:
            yield name, growth


def _long(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"
