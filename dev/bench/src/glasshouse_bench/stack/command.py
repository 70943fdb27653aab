"""`glasshouse-bench stack`: the command behind `make bench-stack`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from glasshouse_bench import measured, own_stack
from glasshouse_bench.stack import disk, page, starting
from glasshouse_cli import project
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError

KIND = "stack"
IDLE_S = 120


class Part(StrEnum):
    """What to measure."""

    START = "start"
    IDLE = "idle"
    DISK = "disk"


def stack(
    parts: Annotated[str, typer.Option(help="with commas")] = ",".join(Part),
    rounds: Annotated[int, typer.Option(min=1, help="starts of a stopped stack")] = 3,
    idle: Annotated[int, typer.Option(min=1, help="seconds to watch the idle stack")] = IDLE_S,
    logs: Annotated[int, typer.Option(min=1, help="log records to store")] = 1_000_000,
    spans: Annotated[int, typer.Option(min=1, help="spans to store")] = 300_000,
    name: Annotated[str, typer.Option(help="of the bench's own stack")] = own_stack.NAME,
    output: Annotated[Path | None, typer.Option(help="the result file to write")] = None,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Measure a stack of the bench's own: its start, what it takes while idle, its disk."""
    terminal = Terminal(quiet=as_script)
    checkout = project.load()
    chosen = parse_parts(parts)
    path = output or checkout.root / ".glasshouse" / "bench" / "stack.json"
    settings = {"rounds": rounds, "idle_s": idle}
    document = measured.begun(checkout, KIND, settings) | dict.fromkeys(Part)

    def keep(part: Part, found: object) -> None:
        document[part] = found
        measured.ended(document)
        measured.write(path, document)

    with own_stack.prepared(checkout, terminal, name) as own:
        with terminal.step("starting a stack of the bench's own") as step:
            starts = starting.measure(own, rounds if Part.START in chosen else 0, step.note)
        if Part.START in chosen:
            keep(Part.START, starts)
        if Part.IDLE in chosen:
            with terminal.step(f"watching it for {idle} s"):
                keep(Part.IDLE, own.answer("idle", "--seconds", str(idle)))
        if Part.DISK in chosen:
            with terminal.step("filling its disk") as step:
                amount = disk.Amount(logs=logs, spans=spans)
                keep(Part.DISK, disk.measure(own, amount, step.note))
    if as_script:
        terminal.json(document)
        return
    terminal.lines(page.parts(document)["stack"].splitlines())
    terminal.say(f"written: {path}")


def parse_parts(text: str) -> list[Part]:
    """Return the parts that are named. Raises StackError for another one."""
    try:
        return [Part(one.strip()) for one in text.split(",")]
    except ValueError:
        raise StackError(f"--parts {text}: choose of {', '.join(Part)}") from None
