"""`glasshouse size`: the options, and the plan as a table or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from glasshouse_cli.console import Terminal, plain_table
from glasshouse_cli.size import factors, remarks, shapes
from glasshouse_cli.size import load as asked
from glasshouse_cli.size.factors import Factors
from glasshouse_cli.size.load import Bounds, Load
from glasshouse_cli.size.needs import Need
from glasshouse_cli.size.quantities import up
from glasshouse_cli.size.shapes import Plan

SCHEMA = 1
_GIB = 2**30


def size(
    logs: Annotated[str, typer.Option(help="log records a second, such as 20000 or 20k")] = "0",
    spans: Annotated[str, typer.Option(help="spans a second")] = "0",
    metrics: Annotated[
        str, typer.Option(help="samples a second; a histogram is one for each bucket, and two")
    ] = "0",
    retention: Annotated[str, typer.Option(help="how long it is kept: 36h, 14d, 2w, 1y")] = "14d",
    services: Annotated[str, typer.Option(help="how many processes send")] = "10",
    hosts: Annotated[str, typer.Option(help="on how many machines they run")] = "1",
    series: Annotated[
        str | None, typer.Option(help="of the samples; else as many as --metric-interval makes")
    ] = None,
    metric_interval: Annotated[
        str, typer.Option(help="how often a service sends its metrics")
    ] = "60s",
    replicas: Annotated[
        str | None,
        typer.Option(help="copies of a record: kafka=3,loki=3,tempo=2,prometheus=2 unless given"),
    ] = None,
    kafka_retention: Annotated[str, typer.Option(help="how long brokers keep a record")] = "24h",
    cpu_use: Annotated[str, typer.Option(help="share of the cores that may be busy")] = "50%",
    memory_use: Annotated[str, typer.Option(help="share of the memory that may be in use")] = "70%",
    disk_use: Annotated[str, typer.Option(help="share of the disk that may be in use")] = "80%",
    process_cores: Annotated[
        str | None,
        typer.Option(help="that one process takes; else as many as it was measured with"),
    ] = None,
    machine_cores: Annotated[str, typer.Option(help="what one machine has")] = "8",
    machine_memory: Annotated[str, typer.Option(help="the same")] = "32GiB",
    machine_disk: Annotated[str, typer.Option(help="the same")] = "16TB",
    factors_file: Annotated[
        Path | None, typer.Option("--factors", help="a result of make bench-scale; else the newest")
    ] = None,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Say what a load needs: the smallest shape of deploy/, and each part's cores, memory, disk."""
    found = factors.read(factors_file or factors.FILE)
    load = asked.load(
        logs=logs,
        spans=spans,
        metrics=metrics,
        retention=retention,
        services=services,
        hosts=hosts,
        series=series,
        metric_interval=metric_interval,
    )
    bounds = asked.bounds(
        found,
        cpu_use=cpu_use,
        memory_use=memory_use,
        disk_use=disk_use,
        process_cores=process_cores,
        machine_cores=machine_cores,
        machine_memory=machine_memory,
        machine_disk=machine_disk,
        kafka_retention=kafka_retention,
        replicas=replicas,
    )
    made = shapes.plan(load, bounds, found)
    terminal = Terminal(quiet=as_script)
    if as_script:
        terminal.json(as_json(made, load, bounds, found))
    else:
        show(made, load, bounds, found, terminal)


def as_json(made: Plan, load: Load, bounds: Bounds, found: Factors) -> dict[str, Any]:
    """Return all of it for scripts: bytes, bits a second, cores."""
    return {
        "schema": SCHEMA,
        "load": load.as_dict(),
        "bounds": bounds.as_dict(),
        "shape": {
            "key": made.shape.key,
            "title": made.shape.title,
            "too_small": list(made.reasons),
        },
        "parts": [one.as_dict() for one in made.needs],
        "total": made.total,
        "remarks": list(remarks.remarks(made, load, found)),
        "factors": {
            "measured": found.measured,
            "commit": found.commit,
            "processor": found.processor,
            "cores": found.cores,
            "busy": found.busy,
        },
    }


def show(made: Plan, load: Load, bounds: Bounds, found: Factors, terminal: Terminal) -> None:
    """Print the shape, its parts, and what each rests on."""
    terminal.line(f"shape: {made.shape.title} (deploy/README.md)")
    terminal.lines(f"  not enough: {one}" for one in made.reasons)
    table = plain_table(*HEAD)
    for one in made.needs:
        table.add_row(*row(one))
    total = made.total
    table.add_row(
        "in all",
        f"{total['processes']}",
        f"{total['cores']:,.1f}",
        gib(total["memory_bytes"]),
        gb(total["disk_bytes"]),
        "",
        "",
    )
    terminal.table(table)
    terminal.line("rests on:")
    terminal.lines(f"  {one.part}: {one.basis.text}" for one in made.needs)
    terminal.lines(f"  {one}" for one in remarks.remarks(made, load, found))
    terminal.line(
        f"headroom: {bounds.cpu_use:.0%} of the cores busy, {bounds.memory_use:.0%} of memory and "
        f"{bounds.disk_use:.0%} of disk in use, at most {bounds.process_cores:g} cores a process"
    )
    terminal.line(f"factors: {found.origin}")


HEAD = ("part", "processes", "cores", "memory GiB", "disk GB", "in Mbit/s", "out Mbit/s")


def row(one: Need) -> tuple[str, ...]:
    """Return the cells of a part."""
    return (
        one.part,
        f"{one.processes}",
        f"{one.cores:,.1f}",
        gib(one.memory),
        gb(one.disk),
        f"{one.received / 1e6:,.1f}",
        f"{one.sent / 1e6:,.1f}",
    )


def gib(value: float) -> str:
    """Return bytes in GiB, rounded up to a tenth."""
    return f"{up(value / _GIB, 1):,.1f}"


def gb(value: float) -> str:
    """Return bytes in GB, rounded up."""
    return f"{up(value / 1e9):,.0f}"
