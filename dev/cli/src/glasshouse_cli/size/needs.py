"""What one part needs for a flow of records: arithmetic on what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from glasshouse_cli.errors import StackError
from glasshouse_cli.size.factors import Factors, Part
from glasshouse_cli.size.load import Bounds
from glasshouse_cli.size.quantities import up

MEASURED, EXTRAPOLATED, NOT_MEASURED = "measured", "extrapolated", "not measured"
_BITS = 8


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What comes to a part. rates: records a second by signal.

    times: how often the work on each record is done, of the work that was measured.
    """

    rates: Mapping[str, float]
    services: int
    series: int
    times: float = 1


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What a figure rests on.

    kind: `MEASURED`, `EXTRAPOLATED` or `NOT_MEASURED`. reasons: why it is not the first.
    measured_to: records a second of each signal, in all processes that were measured.
    """

    kind: str
    reasons: tuple[str, ...]
    measured_to: Mapping[str, float]
    measured_processes: int

    @property
    def text(self) -> str:
        """In one line."""
        if self.kind == MEASURED:
            rates = ", ".join(f"{one} to {to:,.0f}/s" for one, to in self.measured_to.items())
            return f"measured: {rates}" if rates else "measured, without a load"
        return f"{self.kind}: {'; '.join(self.reasons)}"


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a part needs. cores, memory, disk: to be provided, with headroom; the latter in bytes.

    used_cores: what of them is in use. received, sent: bits a second.
    """

    part: str
    processes: int
    used_cores: float
    cores: float
    memory: float
    disk: float
    received: float
    sent: float
    basis: Basis

    def as_dict(self) -> dict[str, Any]:
        return {
            "part": self.part,
            "processes": self.processes,
            "used_cores": round(self.used_cores, 4),
            "cores": self.cores,
            "memory_bytes": round(self.memory),
            "disk_bytes": round(self.disk),
            "received_bits_per_second": round(self.received),
            "sent_bits_per_second": round(self.sent),
            "basis": {
                "kind": self.basis.kind,
                "reasons": list(self.basis.reasons),
                "measured_to": dict(self.basis.measured_to),
                "measured_processes": self.basis.measured_processes,
            },
        }


def need(
    name: str,
    part: Part,
    flow: Flow,
    bounds: Bounds,
    found: Factors,
    *,
    least: int = 1,
    every_service: bool = False,
    stored_s: float = 0.0,
    stored_times: float = 1.0,
    disk: float = 0.0,
    held: float = 0.0,
    not_measured: str | None = None,
) -> Need:
    """Return what a part needs.

    least: of its processes. every_service: each process has records of all services, not of a
    share of them. stored_s: how long it keeps what it stores, and stored_times: how often, of what
    was measured. disk: bytes in a process beside that. held: bytes in memory in all, which a
    measurement is too short to see. not_measured: why the figures stand in for others.

    Raises:
        StackError: a process has too little to do anything.
    """
    work = _work(part, flow)
    own = _own(part, flow)
    share = bounds.process_cores * bounds.cpu_use - own
    if share <= 0:
        raise StackError(
            f"--process-cores {bounds.process_cores:g} with --cpu-use {bounds.cpu_use:g} is too "
            f"little: {name} takes {own:.3f} of a core whatever the rate"
        )
    processes = max(least, int(up(work / share)))
    used = work + processes * own
    memory = _memory(part, flow, processes, every_service=every_service)
    rates = {one: rate for one, rate in flow.rates.items() if one in part.signals}
    stored = sum(rate * part.signals[one].stored for one, rate in rates.items()) * stored_s
    return Need(
        part=name,
        processes=processes,
        used_cores=used,
        cores=up(used / bounds.cpu_use, 1),
        memory=(memory + held) / bounds.memory_use,
        disk=(stored * stored_times + disk * processes) / bounds.disk_use,
        received=_traffic(part, rates, "received", flow.times),
        sent=_traffic(part, rates, "sent", flow.times),
        basis=_basis(part, flow, processes, used, found, not_measured),
    )


def _work(part: Part, flow: Flow) -> float:
    """Return cores that are busy with records, in all processes together."""
    cores = sum(rate * part.signals[one].cpu.slope for one, rate in _of(part, flow))
    for count, growth in ((flow.services, part.services), (flow.series, part.series)):
        cores += count * growth.cpu.slope if growth else 0
    return cores * flow.times


def _own(part: Part, flow: Flow) -> float:
    """Return cores that each process takes, whatever the rate."""
    fixed = sum(part.signals[one].fixed for one, rate in _of(part, flow) if rate > 0)
    return part.idle_cores + fixed / part.processes


def _memory(part: Part, flow: Flow, processes: int, *, every_service: bool) -> float:
    """Return bytes in all processes together."""
    held = sum(rate * part.signals[one].memory.slope for one, rate in _of(part, flow))
    services = flow.services * (processes if every_service else 1)
    for count, growth in ((services, part.services), (flow.series, part.series)):
        held += count * growth.memory.slope if growth else 0
    # What is in memory of one signal has a place that the next one uses again.
    fixed = max(
        (part.signals[one].fixed_memory for one, rate in _of(part, flow) if rate > 0), default=0.0
    )
    return held * flow.times + processes * (part.idle_memory + fixed / part.processes)


def _of(part: Part, flow: Flow) -> Iterator[tuple[str, float]]:
    return ((one, rate) for one, rate in flow.rates.items() if one in part.signals)


def _traffic(part: Part, rates: Mapping[str, float], way: str, times: float) -> float:
    each = (rate * getattr(part.signals[one], way) for one, rate in rates.items())
    return sum(each) * _BITS * times


def _basis(
    part: Part, flow: Flow, processes: int, used: float, found: Factors, not_measured: str | None
) -> Basis:
    reasons = list(_beyond(part, flow, processes, used, found))
    kind = EXTRAPOLATED if reasons else MEASURED
    if flow.times != 1:
        kind = EXTRAPOLATED
        reasons.insert(0, f"{flow.times:g} times the work of what was measured")
    if part.origin != "measured":
        kind, reasons = NOT_MEASURED, [f"from {part.origin}", *reasons]
    if not_measured:
        kind, reasons = NOT_MEASURED, [not_measured, *reasons]
    measured = {one: part.signals[one].cpu.measured_to for one, rate in _of(part, flow) if rate > 0}
    return Basis(
        kind=kind,
        reasons=tuple(reasons),
        measured_to=measured,
        measured_processes=part.processes,
    )


def _beyond(part: Part, flow: Flow, processes: int, used: float, found: Factors) -> Iterator[str]:
    """Yield in what the load lies beyond what was measured."""
    each = flow.times * part.processes / processes
    for one, rate in _of(part, flow):
        if rate * each > (to := part.signals[one].cpu.measured_to):
            where = _processes(part.processes)
            yield f"{rate * each:,.0f} {one}/s in {where}, measured to {to:,.0f}"
    if processes > part.processes:
        yield f"{processes} processes, measured with {part.processes}"
    if used / processes > found.process_cores:
        yield f"{used / processes:.1f} cores busy in one, measured with {found.process_cores:g}"
    counted = (("services", flow.services, part.services), ("series", flow.series, part.series))
    for what, count, growth in counted:
        if growth and count * each > (to := growth.cpu.measured_to):
            yield f"{count * each:,.0f} {what}, measured to {to:,.0f}"


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
