"""`glasshouse-bench pipeline-report` and `pipeline-page`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from glasshouse_bench import machine
from glasshouse_bench.overhead import cpu, results
from glasshouse_bench.overhead.page import PAGE, filled
from glasshouse_bench.pipeline import cells, linear, memory, page, result
from glasshouse_cli import project
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError

_DEFAULT = Path(".glasshouse") / "bench" / "pipeline.json"


def pipeline_report(
    collector: Annotated[Path, typer.Argument(help="the program built from collector/")],
    output: Annotated[Path, typer.Option(help="the result")] = _DEFAULT,
    records: Annotated[int, typer.Option(min=1, help="for each figure")] = 40_000,
    rounds: Annotated[int, typer.Option(min=1, help="of which the median counts")] = 3,
    batch: Annotated[int, typer.Option(min=1, help="records in one request")] = 500,
    rate_seconds: Annotated[float, typer.Option(min=1, help="at each rate")] = 20,
    memory_seconds: Annotated[float, typer.Option(min=10, help="of memory")] = 600,
    core: Annotated[int | None, typer.Option(help="pin the Collector to it")] = None,
) -> None:
    """Measure the deployed Collector by sender and size, by rate, and its memory over time."""
    cpu.require()
    terminal = Terminal()
    root, program = project.load().root, collector.resolve()
    document: dict[str, Any] = {
        "kind": result.KIND,
        "schema": result.SCHEMA,
        "measured": machine.now(),
        "source": machine.commit(root),
        "machine": machine.describe(),
        "collector": _version(program),
        "load_average": {"before": machine.load_average(), "after": None},
        "settings": {
            "records": records,
            "rounds": rounds,
            "batch": batch,
            "rate_seconds": rate_seconds,
            "memory_seconds": memory_seconds,
        },
    }
    common = {"batch": batch, "core": core, "say": terminal.say}
    of_records = {**common, "records": records, "rounds": rounds}
    document["cells"] = cells.measure(root, program, **of_records)
    document["linear"] = {
        "rate": linear.by_rate(root, program, seconds=rate_seconds, **common),
        **linear.by_size(root, program, **of_records),
    }
    document["memory"] = memory.measure(root, program, seconds=memory_seconds, **common)
    document["load_average"]["after"] = machine.load_average()
    results.write(output, document)
    for name, text in page.parts(document).items():
        terminal.say(f"\n{name}\n{text}")
    terminal.say(f"written: {output}")


def _version(program: Path) -> str:
    try:
        said = subprocess.run(  # noqa: S603  # our own program
            [program, "--version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"{program} cannot be run: {error}") from None
    return said.strip().rpartition(" ")[2]


def pipeline_page(
    measured: Annotated[
        Path | None, typer.Argument(help="by default the last one in dev/bench/results")
    ] = None,
) -> None:
    """Write what docs/performance.md says of the Collector from a result."""
    terminal = Terminal()
    root = project.load().root
    document = result.read(measured or result.latest(root))
    path = root / PAGE
    try:
        text = filled(path.read_text(encoding="utf-8"), page.parts(document))
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StackError(f"{error.filename} cannot be written: {error.strerror}") from None
    terminal.say(f"written: {PAGE}")
