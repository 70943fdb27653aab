"""The `glasshouse-bench` command."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from glasshouse_bench import (
    admission,
    catch,
    compare,
    corpus,
    deployed,
    report,
    sized,
    speed,
    surfaces,
    unseen,
)
from glasshouse_bench import picture as drawing
from glasshouse_bench.dashboards.command import dashboards
from glasshouse_bench.freshness.command import freshness
from glasshouse_bench.overhead.command import overhead, overhead_page
from glasshouse_bench.pipeline.command import pipeline_page, pipeline_report
from glasshouse_bench.scale.command import scale, scale_page
from glasshouse_bench.stack.command import stack
from glasshouse_bench.stack_page import stack_page
from glasshouse_bench.unseen import report as unseen_report
from glasshouse_bench.unseen.probes import judge
from glasshouse_cli import engine, images, project
from glasshouse_cli.console import Terminal, plain_table
from glasshouse_cli.errors import StackError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Measures redaction and telemetry."
)
app.command("overhead")(overhead)
app.command("dashboards")(dashboards)
app.command("overhead-page")(overhead_page)
app.command("pipeline-report")(pipeline_report)
app.command("pipeline-page")(pipeline_page)
app.command("freshness")(freshness)
app.command("stack")(stack)
app.command("stack-page")(stack_page)
app.command("scale")(scale)
app.command("scale-page")(scale_page)

AsScript = Annotated[bool, typer.Option("--json", help="for scripts")]


@app.command("redaction-report")
def redaction_report(
    as_script: AsScript = False,
    picture: Annotated[Path | None, typer.Option(help="where to draw it, as SVG")] = None,
    seed: Annotated[int | None, typer.Option(help="of the generated people")] = None,
    examples: Annotated[bool, typer.Option(help="print texts that failed, too")] = False,
) -> None:
    """Send the corpus on every surface, and data the rules were not made with; report both."""
    terminal = Terminal(quiet=as_script)
    checkout = project.load()
    engine.ensure(checkout)
    image = images.resolve(["otelcol"], checkout=checkout)["COLLECTOR_IMAGE"]
    rows = corpus.load(checkout.root / "tests" / "data" / "redaction-corpus.jsonl")
    count = len(surfaces.SURFACES)
    seed = secrets.randbelow(2**31) if seed is None else seed
    probes = unseen.probes(checkout.root, seed, terminal.say)
    with catch.deployed(checkout, image) as collector:
        terminal.say(f"sending {len(rows)} rows of the corpus on {count} surfaces")
        failed = corpus.failures(rows, collector.rows(rows))
        terminal.say(f"sending {len(probes)} texts of other data, seed {seed}")
        outcomes = judge(probes, collector.probes)
    scored = corpus.scores(rows, failed)
    if picture:
        drawing.draw(scored, outcomes, picture)
    if as_script:
        document = report.as_json(scored, failed, count)
        terminal.json(document | {"seed": seed, "unseen": unseen_report.as_json(outcomes)})
    else:
        sys.stdout.write(report.table(scored) + "\n\n")
        sys.stdout.write(unseen_report.text(outcomes, examples=examples) + "\n")


class Pipeline(StrEnum):
    """Which pipelines to measure in."""

    DEPLOYED = "deployed"
    LEAN = "lean"
    BARE = "bare"
    ALL = "all"


Program = Annotated[Path, typer.Argument(help="the program built from bench/collector")]
Base = Annotated[Path, typer.Argument(help="another checkout, with the program built there, too")]
Chosen = Annotated[Pipeline, typer.Option("--pipeline", help="see dev/bench/README.md")]
Seconds = Annotated[float, typer.Option(help="for each candidate and signal")]
Rounds = Annotated[int, typer.Option(min=1, help="of which the best counts")]


@app.command("redaction-speed")
def redaction_speed(
    collector: Program,
    pipeline: Chosen = Pipeline.ALL,
    seconds: Seconds = 3.0,
    rounds: Rounds = 3,
    as_script: AsScript = False,
) -> None:
    """Compare our redaction with none and with the stock processors, on one core."""
    terminal = Terminal(quiet=as_script)
    figures = _measured(terminal, collector, pipeline, seconds, rounds)
    compared = speed.ratios(figures)
    if as_script:
        terminal.json({"figures": [one.as_dict() for one in figures], "ratios": compared})
        return
    _show(terminal, figures, "redaction")
    for name, signals in compared.items():
        for signal, ratio in signals.items():
            alone = ratio["against_stock_alone"]
            terminal.say(
                f"{name}, {signal}: {ratio['against_none']:.2f} times no redaction (at least "
                f"{speed.TARGET_NONE} wanted), {ratio['against_stock']:.0f} times the stock "
                f"processors (at least {speed.TARGET_STOCK:.0f} wanted; a redaction that costs "
                f"nothing would reach {ratio['most_against_stock']:.0f}); redaction alone costs "
                f"{ratio['added_us_per_record']:.1f} µs a record, "
                + (f"{alone:.0f} times less than theirs" if alone else "which is lost in the noise")
            )


@app.command("redaction-compare")
def redaction_compare(
    collector: Program,
    base: Base,
    pipeline: Chosen = Pipeline.BARE,
    seconds: Seconds = 3.0,
    rounds: Rounds = 5,
    as_script: AsScript = False,
) -> None:
    """Compare our redaction with that of another checkout, in turn, on one core."""
    terminal = Terminal(quiet=as_script)
    program = (base / compare.PROGRAM).resolve()
    if not program.is_file():
        raise StackError(f"{base} has no {compare.PROGRAM}: run make bench-collector there")
    configure = compare.configuration_beside(base.resolve())
    figures = _measured(
        terminal,
        collector,
        pipeline,
        seconds,
        rounds,
        compare.CANDIDATES,
        configure,
        {"base": program},
    )
    compared = compare.ratios(figures)
    if as_script:
        terminal.json({"figures": [one.as_dict() for one in figures], "ratios": compared})
        return
    _show(terminal, figures, "redaction")
    for name, signals in compared.items():
        for signal, cost in signals.items():
            against = cost["against_base"]
            terminal.say(
                f"{name}, {signal}: redaction alone costs {cost['added_us_per_record']:.2f} µs a "
                f"record, the base's {cost['base_us_per_record']:.2f}: "
                + (
                    f"{against:.2f} times (at most {compare.TARGET} wanted)"
                    if against
                    else "lost in the noise"
                )
            )


def _measured(
    terminal: Terminal,
    collector: Path,
    pipeline: Pipeline,
    seconds: float,
    rounds: int,
    candidates: Sequence[str] = speed.CANDIDATES,
    configure: speed.Configure = speed.configuration,
    binaries: Mapping[str, Path] | None = None,
) -> list[speed.Figure]:
    chosen = speed.PIPELINES if pipeline is Pipeline.ALL else (pipeline.value,)
    root, program = project.load().root, collector.resolve()
    say = terminal.say
    return speed.run(root, program, chosen, seconds, rounds, say, candidates, configure, binaries)


def _show(terminal: Terminal, figures: list[speed.Figure], what: str) -> None:
    table = plain_table(
        "pipeline", "signal", what, "records", "CPU µs a record", "records a core-second"
    )
    for one in sorted(figures, key=lambda one: (one.pipeline, one.signal)):
        table.add_row(
            one.pipeline,
            one.signal,
            one.candidate,
            f"{one.records:,}",
            f"{one.us_per_record:.2f}",
            f"{one.per_core_second:,.0f}",
        )
    terminal.table(table)


@app.command("admission-speed")
def admission_speed(
    collector: Program,
    pipeline: Chosen = Pipeline.DEPLOYED,
    seconds: Seconds = 3.0,
    rounds: Rounds = 3,
    as_script: AsScript = False,
) -> None:
    """Measure what each part costs that keeps records from costing each other their place."""
    terminal = Terminal(quiet=as_script)
    candidates, configure = admission.CANDIDATES, admission.configuration
    figures = _measured(terminal, collector, pipeline, seconds, rounds, candidates, configure)
    costs = admission.added(figures)
    if as_script:
        terminal.json({"figures": [one.as_dict() for one in figures], "added": costs})
        return
    _show(terminal, figures, "parts")
    for name, signals in costs.items():
        for signal, parts in signals.items():
            measured = ", ".join(f"{part} {us:.2f}" for part, us in parts.items())
            wanted = f"admission: at most {admission.TARGET_US:.0f} wanted"
            terminal.say(f"{name}, {signal}, added µs a record: {measured} ({wanted})")


@app.command("pipeline-speed")
def pipeline_speed(
    collector: Annotated[Path, typer.Argument(help="the program built from collector/")],
    base: Annotated[Path | None, typer.Option(help="another checkout, measured in turn")] = None,
    base_collector: Annotated[Path | None, typer.Option(help="the program built from it")] = None,
    candidate: Annotated[list[str] | None, typer.Option(help="none, stock or ours")] = None,
    size: Annotated[list[str] | None, typer.Option(help="small, usual, large or spans")] = None,
    batch: Annotated[int, typer.Option(min=1, help="records in one request")] = 500,
    records: Annotated[int, typer.Option(min=1, help="for each figure")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="of which the median counts")] = 3,
    core: Annotated[int | None, typer.Option(help="pin the Collector to it")] = None,
    as_script: AsScript = False,
) -> None:
    """Measure the Collector as it is deployed, from end to end, beside the stock one and none."""
    terminal = Terminal(quiet=as_script)
    root, program = project.load().root, collector.resolve()
    chosen = candidate or list(deployed.CANDIDATES)
    for name in chosen:
        if name not in deployed.CANDIDATES:
            raise StackError(f"--candidate {name}: must be one of {', '.join(deployed.CANDIDATES)}")
    checkouts = {name: (root, program, name) for name in chosen}
    if base or base_collector:
        base_root = (base or root).resolve()
        checkouts[deployed.BASE] = (base_root, (base_collector or program).resolve(), "ours")
    costs = deployed.run(
        checkouts, size or list(sized.SIZES), batch, records, rounds, core, terminal.say
    )
    summaries = deployed.summaries(costs)
    if as_script:
        terminal.json({"costs": [one.as_dict() for one in summaries]})
        return
    table = plain_table(
        "records", "in a request", "candidate", "CPU µs a record", "least", "most", "resident MiB"
    )
    for one in sorted(summaries, key=lambda one: one.size):
        table.add_row(
            one.size,
            f"{one.batch}",
            one.candidate,
            f"{one.median_us:.2f}",
            f"{one.least_us:.2f}",
            f"{one.most_us:.2f}",
            f"{one.rss_mib:.0f}",
        )
    terminal.table(table)


def main() -> None:
    """Run the command; a fault is one line and exit code 1, never a traceback."""
    try:
        app()
    except StackError as error:
        Terminal().error(str(error), error.log)
        sys.exit(1)


if __name__ == "__main__":
    main()
