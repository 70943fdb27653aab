"""`glasshouse-bench dashboards`: the command behind `make bench-dashboards`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from glasshouse_bench import machine
from glasshouse_bench.dashboards import asking, backlog, grafana, prometheus, results
from glasshouse_bench.overhead import database
from glasshouse_bench.overhead.results import write as write_result
from glasshouse_cli import project
from glasshouse_cli.console import Terminal, plain_table
from glasshouse_cli.errors import StackError
from glasshouse_dashboards import expand

RULES = "rules"


def dashboards(
    days: Annotated[int, typer.Option(min=1, max=34, help="of data")] = 30,
    seed: Annotated[int, typer.Option(help="of the data")] = 19,
    rows: Annotated[
        int, typer.Option(min=100, help="waiting jobs, payments and so on")
    ] = backlog.ROWS,
    boards: Annotated[str | None, typer.Option(help="uids with commas; by default all")] = None,
    ranges: Annotated[
        str | None, typer.Option(help=f"with commas, of {', '.join(grafana.RANGES_S)}")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="the result file to write")] = None,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Ask all that dashboards and rules ask, over a month of data, and each SQL statement."""
    terminal = Terminal(quiet=as_script)
    root = project.load().root
    path = output or root / ".glasshouse" / "bench" / "dashboards.json"
    document = measure(terminal, root, days, seed, rows, boards, ranges)
    write_result(path, document)
    if as_script:
        terminal.json(document)
        return
    _show(terminal, document)
    terminal.say(f"written: {path}")


def measure(
    terminal: Terminal,
    root: Path,
    days: int,
    seed: int,
    rows: int,
    boards: str | None,
    ranges: str | None,
) -> results.Document:
    """Return the result.

    Raises:
        StackError: something that is needed is missing, or a name is unknown.
    """
    asked = _asked(root, days, boards, ranges)
    before = machine.load_average()
    with terminal.step("statements with a backlog"):
        statements = _statements(rows)
    with tempfile.TemporaryDirectory(prefix="bench-dashboards-") as name:
        folder = Path(name)
        with terminal.step("building Prometheus"):
            program, writer = prometheus.build(root, root / ".glasshouse" / "bench" / "programs")
        with terminal.step(f"{days} days of data"):
            data = prometheus.make_data(root, writer, folder / "data", days, seed)
        with (
            terminal.step(f"{len(asked)} queries") as step,
            prometheus.running(root, program, folder / "data") as running,
        ):

            def note(text: str) -> None:
                running.watch()
                step.note(text)

            answers = asking.ask_all(running.url, asked, note)
            peak = running.peak_mib
    return {
        "schema": results.SCHEMA,
        "measured": machine.now(),
        "source": machine.commit(root),
        "machine": machine.describe(),
        "load_average": {"before": before, "after": machine.load_average()},
        "data": {
            **data,
            "days": days,
            "seed": seed,
            "rows": rows,
            "peak_mib": peak,
            "bounds": prometheus.bounds(root),
        },
        "panels": results.panels(answers),
        "statements": results.statements(statements),
    }


def _asked(
    root: Path, days: int, boards: str | None, ranges: str | None
) -> list[tuple[str, grafana.Request]]:
    found = expand.dashboards(root / "grafana" / "dashboards")
    known = {board["uid"] for board in found} | {RULES}
    chosen = _names(boards, known, "--boards")
    over = _names(ranges, grafana.RANGES_S, "--ranges")
    asked = [
        (name, request)
        for name, range_s in grafana.RANGES_S.items()
        if name in over and range_s <= days * prometheus.DAY_S
        for board in found
        if board["uid"] in chosen
        for request in grafana.requests(board, range_s, prometheus.END)
        if request.source == "prometheus"
    ]
    if RULES in chosen:
        asked += [("now", request) for request in asking.rules(root, prometheus.END)]
    return asked


def _names(text: str | None, known: Iterable[str], option: str) -> set[str]:
    names = set(known)
    if text is None:
        return names
    chosen = {one.strip() for one in text.split(",") if one.strip()}
    if unknown := sorted(chosen - names):
        raise StackError(f"{option}: no {unknown[0]!r}: choose of {', '.join(sorted(names))}")
    return chosen


def _statements(rows: int) -> list[backlog.Statement]:
    with database.running(database.programs()) as server:
        database.prepare(server)
        conninfo = database.fresh(server)
        backlog.fill(conninfo, rows)
        return backlog.measure(conninfo, rows)


def _show(terminal: Terminal, document: results.Document) -> None:
    table = plain_table("board", "panel", "over", "cold ms", "warm ms", "samples", "error")
    slow = [one for one in document["panels"] if results.is_slow(one)]
    for one in sorted(slow, key=lambda one: -one["samples"]):
        table.add_row(
            one["board"],
            one["panel"],
            one["range"],
            f"{one['cold_ms']:.0f}",
            f"{one['warm_ms']:.0f}",
            f"{one['samples']:,}",
            ", ".join(one["errors"]),
        )
    terminal.table(table)
    terminal.say(f"{len(slow)} of {len(document['panels'])} panels and rules take over a second")
    for one in document["statements"]:
        if one["worst_ms"] > asking.LIMIT_MS:
            terminal.say(f"statement {one['name']}: {one['worst_ms']:.0f} ms")
