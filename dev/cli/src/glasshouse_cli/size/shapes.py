"""The shapes of deploy/README.md, from the smallest on, and which of them is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from glasshouse_cli.size.factors import SIGNALS, Factors, Part
from glasshouse_cli.size.load import Bounds, Load
from glasshouse_cli.size.needs import Flow, Need, need

_GIB: Final = 2**30
# Tempo in several processes beside its live-stores: distributor, block-builder, query-frontend,
# querier, backend-scheduler, backend-worker.
_TEMPO_OTHERS: Final = 6
# Of these the distributor and the block-builder have every span in their hands, as each live-store.
_TEMPO_TAKE_SPANS: Final = 2
_BROKERS: Final = 3
_BACKENDS: Final = ("loki", "tempo", "prometheus")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A way to stand. key: as deploy/README.md names it. one_machine: what shares a machine."""

    key: str
    title: str
    needs: Callable[[Load, Bounds, Factors], list[Need]]
    one_machine: frozenset[str]
    single_host: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The smallest shape that carries a load. reasons: why none before it does."""

    shape: Shape
    needs: tuple[Need, ...]
    reasons: tuple[str, ...]

    @property
    def total(self) -> dict[str, Any]:
        return {
            "processes": sum(one.processes for one in self.needs),
            "cores": round(sum(one.cores for one in self.needs), 1),
            "memory_bytes": round(sum(one.memory for one in self.needs)),
            "disk_bytes": round(sum(one.disk for one in self.needs)),
        }


def plan(load: Load, bounds: Bounds, found: Factors) -> Plan:
    """Return the smallest shape that carries a load; the last one carries any.

    Raises:
        StackError: a process has too little to do anything.
    """
    reasons: list[str] = []
    for shape in SHAPES[:-1]:
        needs = shape.needs(load, bounds, found)
        too_small = list(_too_small(shape, needs, load, bounds))
        if not too_small:
            return Plan(shape=shape, needs=tuple(needs), reasons=tuple(reasons))
        reasons += [f"{shape.title}: {one}" for one in too_small]
    last = SHAPES[-1]
    return Plan(shape=last, needs=tuple(last.needs(load, bounds, found)), reasons=tuple(reasons))


def _too_small(shape: Shape, needs: list[Need], load: Load, bounds: Bounds) -> Iterator[str]:
    if shape.single_host and load.hosts > 1:
        yield f"services run on {load.hosts} hosts"
    together = [one for one in needs if one.part in shape.one_machine]
    for one in together:
        if one.processes > 1:
            yield f"{one.part} takes {one.processes} processes of {bounds.process_cores:g} cores"
    for what, there_is, unit, divisor in (
        ("cores", bounds.machine_cores, "cores", 1),
        ("memory", bounds.machine_memory, "GiB of memory", _GIB),
        ("disk", bounds.machine_disk, "GB of disk", 10**9),
    ):
        wanted = sum(getattr(one, what) for one in together)
        if wanted > there_is:
            yield (
                f"{wanted / divisor:,.0f} {unit} are wanted on one machine, which has "
                f"{there_is / divisor:,.0f}"
            )


def _flow(load: Load, *signals: str, times: float = 1) -> Flow:
    return Flow(
        rates={one: load.rates[one] for one in signals or SIGNALS},
        services=load.services,
        series=load.series,
        times=times,
    )


def _queues(found: Factors) -> float:
    """Return what a Collector's queues and dead letters may take on disk, in bytes."""
    limits = found.limits
    return limits["queue_bytes"] * limits["queues"] + limits["dead_letter_bytes"]


def _backends(load: Load, bounds: Bounds, found: Factors) -> list[Need]:
    """As docker-compose.yml has them: one process each."""
    flows = {"loki": "logs", "tempo": "spans", "prometheus": "metrics"}
    return [
        need(
            name,
            found.parts[name],
            _flow(load, signal),
            bounds,
            found,
            stored_s=load.retention_s,
            held=_streams(load, found) if name == "loki" else 0,
        )
        for name, signal in flows.items()
    ]


def _streams(load: Load, found: Factors) -> float:
    """Return bytes of streams in Loki's memory: each a chunk, or what comes until it is written."""
    logs = found.parts["loki"].signals["logs"]
    full = load.services * found.limits["loki_stream_bytes"]
    return min(full, load.logs * logs.stored * found.limits["loki_stream_s"])


def _edges(load: Load, bounds: Bounds, found: Factors) -> Need:
    return need(
        "edge",
        found.parts["edge"],
        _flow(load),
        bounds,
        found,
        least=load.hosts,
        disk=_queues(found),
    )


def _on_one_machine(load: Load, bounds: Bounds, found: Factors) -> list[Need]:
    return [_edges(load, bounds, found), *_backends(load, bounds, found)]


def _one_gateway(load: Load, bounds: Bounds, found: Factors) -> list[Need]:
    gateway = need(
        "gateway",
        found.parts["gateway"],
        _flow(load),
        bounds,
        found,
        every_service=True,
        disk=_queues(found),
    )
    return [_edges(load, bounds, found), gateway, *_backends(load, bounds, found)]


def _kafka(load: Load, bounds: Bounds, found: Factors, *, spans_again: bool) -> Need:
    part = found.parts["kafka"]
    copies = bounds.copies["kafka"]
    rates = load.rates
    if spans_again:
        # Tempo in several processes hands spans from one to the next by Kafka.
        rates["spans"] *= 2
    flow = Flow(rates=rates, services=load.services, series=load.series, times=copies / part.copies)
    return need(
        "kafka",
        part,
        flow,
        bounds,
        found,
        least=max(_BROKERS, copies),
        stored_s=bounds.kafka_retention_s,
        stored_times=copies / part.copies,
    )


def _before_backends(
    load: Load, bounds: Bounds, found: Factors, *, distributed: bool
) -> list[Need]:
    gateway = found.parts.get("gateway_kafka", found.parts["gateway"])
    edge = found.parts.get("edge_kafka", found.parts["edge"])
    behind = _flow(load)
    if distributed:
        # Each replica of Prometheus has a reader of its own: deploy/gateway/replicas.yaml.
        samples = load.metrics * bounds.copies["prometheus"]
        behind = replace(behind, rates={**behind.rates, "metrics": samples})
    return [
        need("edge", edge, _flow(load), bounds, found, least=load.hosts, disk=_queues(found)),
        _kafka(load, bounds, found, spans_again=distributed),
        # Two, so that one can be replaced while the other works.
        need("gateway", gateway, behind, bounds, found, least=2, every_service=True),
    ]


def _by_kafka(load: Load, bounds: Bounds, found: Factors) -> list[Need]:
    before = _before_backends(load, bounds, found, distributed=False)
    return [*before, *_backends(load, bounds, found)]


def _distributed(load: Load, bounds: Bounds, found: Factors) -> list[Need]:
    return [
        *_before_backends(load, bounds, found, distributed=True),
        _lokis(load, bounds, found),
        _tempos(load, bounds, found),
        *_metrics(load, bounds, found),
    ]


def _lokis(load: Load, bounds: Bounds, found: Factors) -> Need:
    copies = bounds.copies["loki"]
    part = found.parts.get("loki_cluster", found.parts["loki"])
    times = copies / part.copies
    return need(
        "loki",
        part,
        _flow(load, "logs", times=times),
        bounds,
        found,
        least=copies,
        stored_s=load.retention_s,
        stored_times=times,
        held=_streams(load, found) * copies,
    )


def _tempos(load: Load, bounds: Bounds, found: Factors) -> Need:
    copies = bounds.copies["tempo"]
    part: Part | None = found.parts.get("tempo_cluster")
    stands_in = None
    if part is None:
        part = found.parts["tempo"]
        times = float(copies + _TEMPO_TAKE_SPANS)
        stands_in = (
            "as one process for each that takes spans, which is too much rather than too little"
        )
    else:
        times = copies / part.copies
    return need(
        "tempo",
        part,
        _flow(load, "spans", times=times),
        bounds,
        found,
        least=copies + _TEMPO_OTHERS,
        stored_s=load.retention_s,
        not_measured=stands_in,
    )


def _metrics(load: Load, bounds: Bounds, found: Factors) -> Iterator[Need]:
    copies = bounds.copies["prometheus"]
    part = found.parts["prometheus"]
    times = copies / part.copies
    yield need(
        "prometheus",
        part,
        _flow(load, "metrics", times=times),
        bounds,
        found,
        least=copies,
        stored_s=load.retention_s,
        stored_times=times,
    )
    if thanos := found.parts.get("thanos"):
        flow = _flow(load, "metrics")
        yield need("thanos", thanos, flow, bounds, found, least=thanos.processes)


SHAPES: Final = (
    Shape(
        key="one",
        title="one machine",
        needs=_on_one_machine,
        one_machine=frozenset({"edge", *_BACKENDS}),
        single_host=True,
    ),
    Shape(
        key="a",
        title="several hosts, one gateway",
        needs=_one_gateway,
        one_machine=frozenset({"gateway", *_BACKENDS}),
    ),
    Shape(
        key="b",
        title="Kafka between",
        needs=_by_kafka,
        one_machine=frozenset(_BACKENDS),
    ),
    Shape(key="c", title="distributed backends", needs=_distributed, one_machine=frozenset()),
)
