"""`glasshouse-bench freshness`: the command behind `make bench-freshness`."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Annotated

import typer

from glasshouse_bench import measured, own_stack
from glasshouse_bench.freshness import figures, measure, sampling
from glasshouse_bench.freshness import target as targets
from glasshouse_bench.freshness.kinds import KINDS
from glasshouse_bench.measured import Document
from glasshouse_cli import project
from glasshouse_cli.console import Terminal, plain_table
from glasshouse_cli.errors import StackError

KIND = "freshness"
SAMPLES = 200
LOADS = "0,2000"
_START_S = 120


def freshness(
    samples: Annotated[int, typer.Option(min=1, help="of each kind, under each load")] = SAMPLES,
    loads: Annotated[str, typer.Option("--load", help="requests a minute, with commas")] = LOADS,
    seed: Annotated[int | None, typer.Option(help="of the moments")] = None,
    running: Annotated[
        bool, typer.Option("--running", help="the stack of this checkout, not one of its own")
    ] = False,
    name: Annotated[str, typer.Option(help="of the bench's own stack")] = own_stack.NAME,
    variable: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the service that is watched")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="the result file to write")] = None,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Measure how soon logs, traces, metrics and counted events of a service can be queried."""
    terminal = Terminal(quiet=as_script)
    checkout = project.load()
    rates, changes = parse_loads(loads), parse_variables(variable or ())
    seed = secrets.randbelow(2**31) if seed is None else seed
    path = output or checkout.root / ".glasshouse" / "bench" / "freshness.json"
    settings = {
        "samples": samples,
        "spacing_s": sampling.SPACING_S,
        "poll_s": {kind.name: kind.poll_s for kind in KINDS},
        "variables": changes,
    }
    document = measured.begun(checkout, KIND, settings) | {"runs": []}
    minutes = (len(rates) * (samples * sampling.SPACING_S + 30) + (not running) * _START_S) / 60
    terminal.say(f"about {max(1, round(minutes))} minutes, seed {seed}; written: {path}")
    if running:
        _measure(terminal, targets.of(checkout), document, rates, seed, path)
    else:
        with own_stack.prepared(checkout, terminal, name) as own:
            with terminal.step("starting a stack of the bench's own"):
                own.start()
            _measure(terminal, targets.of(own.checkout), document, rates, seed, path)
    if as_script:
        terminal.json(document)
    else:
        show(terminal, document)


def parse_loads(text: str) -> list[int]:
    """Return rates in requests a minute. Raises StackError for what is none."""
    found = [one.strip() for one in text.split(",")]
    for one in found:
        if not one.isdecimal():
            raise StackError(f"--load {text}: {one!r} is no number of requests a minute")
    return [int(one) for one in dict.fromkeys(found)]


def parse_variables(given: list[str] | tuple[()]) -> dict[str, str]:
    """Return variables by name. Raises StackError for what is no NAME=VALUE."""
    pairs = [one.partition("=") for one in given]
    for one, (name, equals, _) in zip(given, pairs, strict=True):
        if not (name and equals):
            raise StackError(f"--variable {one}: write NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _measure(
    terminal: Terminal,
    target: targets.Target,
    document: Document,
    rates: list[int],
    seed: int,
    path: Path,
) -> None:
    settings = document["settings"]
    for number, rate in enumerate(rates):
        with terminal.step(f"{rate:,} requests a minute") as step:
            run = measure.run(
                target,
                per_minute=rate,
                samples=settings["samples"],
                seed=seed + number,
                note=step.note,
                changes=settings["variables"],
            )
            document["runs"].append(asyncio.run(run))
        measured.ended(document)
        measured.write(path, document)


def show(terminal: Terminal, document: Document) -> None:
    """Print a row for each kind and load, and each goal."""
    shares = [f"p{share}" for share in figures.PERCENTILES]
    table = plain_table("kind", "requests/min", *shares, "most", "lost", "asked every", "goal")
    judged = figures.judged(document)
    for kind in KINDS:
        for run in document["runs"]:
            found, rate = run["kinds"][kind.name], run["requests_per_minute"]
            goals = [one for one in judged if (one.kind, one.per_minute) == (kind.name, rate)]
            table.add_row(
                kind.title,
                f"{rate:,}",
                *(f"{found.get(f'{share}_s', float('nan')):.2f}" for share in shares),
                f"{found.get('most_s', float('nan')):.2f}",
                str(found["lost"]),
                f"{found.get('grain_p50_s', float('nan')):.2f}",
                ", ".join(
                    f"p{one.percentile} {one.wanted_s:g} {'met' if one.is_met else 'MISSED'}"
                    for one in goals
                ),
            )
    terminal.table(table)
    terminal.say("seconds, from the event in the service until the answer that has it")
