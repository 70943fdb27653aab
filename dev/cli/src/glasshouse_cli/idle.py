"""Measures what the running stack costs: processor time, memory, wake-ups, images."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from glasshouse_cli import compose
from glasshouse_cli.console import Terminal, plain_table
from glasshouse_cli.engine import endpoint, facts, usage
from glasshouse_cli.engine.usage import Container, Engine, Usage
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

# What the telemetry stack may cost while nothing is sent: of one core, and of memory.
CPU_PERCENT = 5.0
MEMORY_BYTES = 700 * 1024**2
# What receives and shows telemetry. The others are the reference backend and what it needs.
TELEMETRY = ("alertmanager", "collector", "grafana", "loki", "prometheus", "proxy", "tempo")
_LOOK_EVERY_S = 10.0
_MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one container took over the whole time.

    cpu_percent: of one core. memory_bytes: at most, of all looks, less inactive pages of files;
    anonymous_bytes: at most, of these what no file backs. wake_ups: of its threads a second, None
    where nobody can count them.
    """

    service: str
    telemetry: bool
    cpu_percent: float
    memory_bytes: int
    anonymous_bytes: int
    wake_ups: float | None
    image_bytes: int


@dataclass(frozen=True, kw_only=True)
class Costs:
    """A measurement: of each container, how long it took, and the machine's load at its end."""

    seconds: float
    load: float
    rows: tuple[Cost, ...]

    @property
    def telemetry(self) -> Cost:
        """What the telemetry stack took altogether; the peaks of memory are added up."""
        return total("telemetry", [row for row in self.rows if row.telemetry])

    @property
    def within(self) -> bool:
        """Whether the telemetry stack took no more than is promised."""
        cost = self.telemetry
        return cost.cpu_percent <= CPU_PERCENT and cost.memory_bytes <= MEMORY_BYTES

    def as_dict(self) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds, 1),
            "load": self.load,
            "containers": [_rounded(row) for row in self.rows],
            "telemetry": _rounded(self.telemetry),
            "promised": {"cpu_percent": CPU_PERCENT, "memory_bytes": MEMORY_BYTES},
            "within": self.within,
        }


def measure(checkout: Project, terminal: Terminal, *, seconds: float) -> Costs:
    """Watch the running stack that long. Raises StackError when it is not running or changes."""
    with (
        usage.connected(endpoint.find()) as engine,
        terminal.step(f"measuring for {seconds:.0f} s") as step,
    ):
        containers = engine.containers(compose.project_name(checkout))
        if not any(container.service in TELEMETRY for container in containers):
            raise StackError("the stack is not running: `make up` starts it")
        return watch(
            engine,
            containers,
            seconds=seconds,
            counts_sleeps=facts.read().is_here,
            on_look=lambda done: step.note(f"{done:.0f} of {seconds:.0f} s"),
        )


def watch(
    engine: Engine,
    containers: Sequence[Container],
    *,
    seconds: float,
    counts_sleeps: bool,
    on_look: Callable[[float], None] = lambda _: None,
) -> Costs:
    """Look at these containers now, now and then, and after `seconds`.

    Raises StackError when one of them ends or starts again meanwhile: its counters begin anew.
    """
    sleeping = dict.fromkeys(containers, 0)
    if counts_sleeps:
        sleeping = {one: usage.sleeps(engine.processes(one)) for one in containers}
    looks = {one: [engine.usage(one)] for one in containers}
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_EVERY_S))
        for one in containers:
            looks[one].append(_next(engine, one, looks[one][-1]))
        on_look(time.monotonic() - began)
    woken: Mapping[Container, int | None] = dict.fromkeys(containers)
    if counts_sleeps:
        woken = {one: usage.sleeps(engine.processes(one)) - sleeping[one] for one in containers}
    return Costs(
        seconds=time.monotonic() - began,
        load=os.getloadavg()[0],
        rows=tuple(
            _cost(one, looks[one], woken[one], engine.image_bytes(one.image)) for one in containers
        ),
    )


def total(name: str, rows: Iterable[Cost]) -> Cost:
    """Return the sum of some costs, under a name of its own."""
    rows = list(rows)
    counted = [row.wake_ups for row in rows if row.wake_ups is not None]
    return Cost(
        service=name,
        telemetry=True,
        cpu_percent=sum(row.cpu_percent for row in rows),
        memory_bytes=sum(row.memory_bytes for row in rows),
        anonymous_bytes=sum(row.anonymous_bytes for row in rows),
        wake_ups=sum(counted) if counted else None,
        image_bytes=sum(row.image_bytes for row in rows),
    )


def show(costs: Costs, terminal: Terminal) -> None:
    """Print a row for each container, the sum of the telemetry stack, and what is promised."""
    table = plain_table(
        "container", "% of a core", "MiB", "anonymous MiB", "wake-ups/s", "image MB", "part of"
    )
    ordered = sorted(costs.rows, key=lambda row: (not row.telemetry, row.service))
    for row in ordered:
        _add(table.add_row, row, "telemetry" if row.telemetry else "demo")
    _add(table.add_row, costs.telemetry, "promised: 5 % and 700 MiB")
    terminal.table(table)
    terminal.say(
        f"over {costs.seconds:.0f} s, at a load of {costs.load:.1f}: "
        + ("within what is promised" if costs.within else "MORE than is promised for an idle stack")
    )


def _add(add_row: Callable[..., None], row: Cost, part: str) -> None:
    add_row(
        row.service,
        f"{row.cpu_percent:.2f}",
        f"{row.memory_bytes / _MIB:.0f}",
        f"{row.anonymous_bytes / _MIB:.0f}",
        "-" if row.wake_ups is None else f"{row.wake_ups:.0f}",
        f"{row.image_bytes / 1e6:.0f}",
        part,
    )


def _next(engine: Engine, container: Container, before: Usage) -> Usage:
    now = engine.usage(container)
    if now.cpu_s < before.cpu_s:
        raise StackError(f"{container.service} started anew meanwhile: measure again")
    return now


def _cost(container: Container, looks: Sequence[Usage], woken: int | None, image: int) -> Cost:
    first, last = looks[0], looks[-1]
    took = last.at_s - first.at_s
    return Cost(
        service=container.service,
        telemetry=container.service in TELEMETRY,
        cpu_percent=100 * (last.cpu_s - first.cpu_s) / took,
        memory_bytes=max(look.memory_bytes for look in looks),
        anonymous_bytes=max(look.anonymous_bytes for look in looks),
        wake_ups=None if woken is None else woken / took,
        image_bytes=image,
    )


def _rounded(row: Cost) -> dict[str, Any]:
    return {
        key: round(value, 2) if isinstance(value, float) else value
        for key, value in asdict(row).items()
    }
