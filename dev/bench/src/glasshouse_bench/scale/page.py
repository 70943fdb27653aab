"""What deploy/README.md says of sizes, between markers, by the code of `glasshouse size`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from glasshouse_bench import measured
from glasshouse_bench.measured import Document
from glasshouse_bench.overhead.page import filled
from glasshouse_bench.scale import result
from glasshouse_cli.size import command, factors, needs, shapes
from glasshouse_cli.size.factors import Factors
from glasshouse_cli.size.load import COPIES, Bounds, Load

PAGE = Path("deploy") / "README.md"
# Of all records a second, and as many services and hosts for each of the sizes.
SIZES = {1_000: (10, 1), 10_000: (30, 3), 100_000: (100, 20), 1_000_000: (500, 100)}
MIX = {"logs": 0.4, "spans": 0.5, "metrics": 0.1}
_RETENTION_S = 14 * 86400.0
_INTERVAL_S = 60
_DAY_S = 86400.0


def rendered(root: Path, page: str) -> str:
    """Return the page with what the newest result says. Raises StackError without a marker."""
    path = result.latest(root)
    return filled(page, parts(measured.read(path, result.KIND), factors.read(path)))


def parts(document: Document, found: Factors) -> dict[str, str]:
    """Return the contents of the page's markers."""
    return {
        "sizes": _doubt(document) + sizes(found),
        "growth": growth(document),
        "scale-measured": _where(document),
    }


def bounds(found: Factors) -> Bounds:
    """Return those that `glasshouse size` has without options."""
    return Bounds(
        cpu_use=0.5,
        memory_use=0.7,
        disk_use=0.8,
        process_cores=found.process_cores,
        machine_cores=8,
        machine_memory=32 * 2**30,
        machine_disk=16e12,
        kafka_retention_s=_DAY_S,
        copies=COPIES,
    )


def load(records: int) -> Load:
    """Return the load of one row of the table."""
    services, hosts = SIZES[records]
    rates = {signal: records * share for signal, share in MIX.items()}
    return Load(
        **rates,
        services=services,
        hosts=hosts,
        series=round(rates["metrics"] * _INTERVAL_S),
        retention_s=_RETENTION_S,
    )


def sizes(found: Factors) -> str:
    """Return the table: what each size needs, by part."""
    rows: list[list[str]] = []
    for records in SIZES:
        asked = load(records)
        made = shapes.plan(asked, bounds(found), found)
        rows += _rows(records, asked, made)
    head = ["records/s", "shape", *command.HEAD, "rests on"]
    return _table(head, rows)


def _rows(records: int, asked: Load, made: shapes.Plan) -> Iterator[list[str]]:
    title = f"{made.shape.title}; {asked.services} services, {asked.hosts} hosts"
    for number, one in enumerate(made.needs):
        first = [f"**{records:,}**", title] if not number else ["", ""]
        yield [*first, *command.row(one), _basis(one.basis)]
    total = made.total
    yield [
        "",
        "",
        "**in all**",
        f"{total['processes']}",
        f"{total['cores']:,.1f}",
        command.gib(total["memory_bytes"]),
        command.gb(total["disk_bytes"]),
        "",
        "",
        "",
    ]


def _basis(one: needs.Basis) -> str:
    if one.kind == needs.MEASURED:
        return "measured"
    return f"**{one.kind}**: {'; '.join(one.reasons)}"


def growth(document: Document) -> str:
    """Return how the cost of each part grows, and where it stops being linear."""
    rows: list[list[str]] = []
    for name, part in document["parts"].items():
        if part["origin"] != "measured":
            continue
        for signal, held in part["signals"].items():
            rows.append(_line(name, f"{signal} a second", held["cpu_us"], "µs a record"))
        for what in ("services", "series", "values"):
            if held := part.get(what):
                varied = f"{what}, at {held['rate']:,} {held['signal']}/s"
                rows.append(_line(name, varied, held["cpu_us"], f"µs a second for one of {what}"))
                rows.append(
                    _line(name, varied, held["memory_mib"], f"KiB for one of {what}", 1024, "MiB")
                )
    return _table(
        ["part", "by", "at", "measured", "one more costs", "farthest from the line", "linear to"],
        rows,
    )


def _line(
    name: str, by: str, held: dict[str, Any], unit: str, per: float = 1, shown: str = "core-ms/s"
) -> list[str]:
    divisor = 1000 if shown == "core-ms/s" else 1
    points = held["points"]
    end = f"{held['linear_to']:,}"
    return [
        name,
        by,
        ", ".join(f"{one['at']:,.0f}" for one in points),
        ", ".join(f"{one['value'] / divisor:,.1f}" for one in points) + f" {shown}",
        f"{held['slope'] * per:,.2f} {unit}",
        f"{held['residual']:.0%}",
        f"{end}, all that was measured" if held["is_linear"] else f"**{end}**",
    ]


def _doubt(document: Document) -> str:
    others = factors.others_cores(document)
    if others <= factors.MOST_OTHERS:
        return ""
    return (
        f"**Measured on a busy machine: others' work had {others:.1f} of "
        f"{document['machine']['cores']} cores in use. CPU time is larger than on a quiet one, by "
        "how much is unknown: measure again there.**\n\n"
    )


def _where(document: Document) -> str:
    settings = document["settings"]
    more = [
        f"{settings['seconds']:g} s at each point, and of several rounds the median.",
        "Parts: "
        + ", ".join(
            f"{name} {part.get('measured', 'unknown')} in "
            f"{part.get('rounds', settings['rounds'])} rounds"
            + ("" if part["origin"] == "measured" else f" (from {part['origin']})")
            for name, part in document["parts"].items()
        )
        + ".",
        *(
            f"{name}: {note}"
            for name, part in document["parts"].items()
            for note in part.get("notes", ())
        ),
    ]
    return measured.where(document, more)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(one)} |\n" for one in lines)
