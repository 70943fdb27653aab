"""`glasshouse-bench scale` and `scale-page`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from glasshouse_bench import machine, measured, speed
from glasshouse_bench.overhead import cpu
from glasshouse_bench.scale import (
    backends,
    collectors,
    kafka,
    limits,
    measure,
    page,
    programs,
    result,
    storage,
)
from glasshouse_bench.scale import plan as planned
from glasshouse_bench.scale.measure import Key
from glasshouse_bench.scale.plan import Plan
from glasshouse_bench.scale.point import Point
from glasshouse_cli import project
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError

COLLECTORS, KAFKA = "collectors", "kafka"
PARTS = (COLLECTORS, KAFKA, *planned.OF_A_BACKEND)
_DEFAULT = Path(".glasshouse") / "bench" / "scale.json"
_THREE = 3
Rounds = list[dict[Key, Point]]


def scale(
    parts: Annotated[str, typer.Option(help=f"with commas, of {', '.join(PARTS)}")] = ",".join(
        PARTS
    ),
    rates: Annotated[str, typer.Option(help="records a second, with commas")] = "1000,3000,9000",
    services: Annotated[str, typer.Option(help="with commas")] = "1,10,100",
    labels: Annotated[
        str, typer.Option(help="series, or values of an attribute, with commas")
    ] = "1000,5000,20000",
    seconds: Annotated[float, typer.Option(min=1, help="at each point")] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="of which the median counts")] = 3,
    stored: Annotated[int, typer.Option(min=5000, help="records to store")] = 100_000,
    keep: Annotated[bool, typer.Option(help="keep the other parts of the result file")] = False,
    output: Annotated[Path, typer.Option(help="the result")] = _DEFAULT,
) -> None:
    """Measure what a record costs each part past one machine, by rate, services and labels."""
    cpu.require()
    terminal = Terminal()
    checkout = project.load()
    chosen = _parts(parts)
    plan = Plan(
        rates=_numbers("--rates", rates),
        services=_numbers("--services", services),
        labels=_numbers("--labels", labels),
        seconds=seconds,
        rounds=rounds,
        stored=stored,
    )
    settings = {
        "rates": plan.rates,
        "services": plan.services,
        "labels": plan.labels,
        "at": plan.at,
        "seconds": seconds,
        "rounds": rounds,
        "stored": stored,
    }
    document = result.begun(checkout, settings, output if keep else None)
    document["limits"] |= limits.configured(checkout.root)
    with speed.work_folder() as folder:
        for name in chosen:
            others = machine.others_cores()
            for found, part in _measured(checkout.root, name, folder, plan, document, terminal):
                result.put(document, found, part, others=others, rounds=rounds)
                measured.write(output, document)
    terminal.lines(page.growth(document).splitlines())
    terminal.say(f"written: {output}")


def _measured(
    root: Path,
    name: str,
    folder: Path,
    plan: Plan,
    document: dict[str, Any],
    terminal: Terminal,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part that is measured with one set of processes."""
    if name == COLLECTORS:
        with terminal.step("compiling the Collector"):
            program = programs.collector(root, folder)
        found = _rounds(
            plan,
            lambda: collectors.chain(root, program),
            planned.of_collectors,
            terminal.say,
        )
        yield "edge", measure.part("edge", found)
        yield "gateway", measure.part("gateway", found, before="edge")
        return
    if name == KAFKA:
        yield from _by_kafka(root, folder, plan, terminal)
        return
    with terminal.step(f"compiling {name}") as step:
        program = programs.backend(root, name, folder, step.note)
    terminal.say(f"{name}: storing {plan.stored:,} records")
    signal = planned.SIGNALS[planned.OF_A_BACKEND[name]]
    kept = {signal: storage.stored(root, name, program, plan.stored)}

    @contextlib.contextmanager
    def backend() -> Iterator[Any]:
        with backends.running(root, name, program) as one:
            if name == "loki":
                document["limits"] |= limits.of_loki(one.url)
            yield one.target

    found = _rounds(plan, backend, lambda one: planned.of_backend(one, name), terminal.say)
    of = "series" if name == "prometheus" else "values"
    yield name, measure.part(name, found, stored=kept, labels=of)


def _by_kafka(
    root: Path, folder: Path, plan: Plan, terminal: Terminal
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the brokers, and what stands before and behind them."""
    with terminal.step("compiling the Collector, fetching Kafka"):
        program, jars = programs.collector(root, folder), kafka.fetch(root, folder)
    found = _rounds(
        plan,
        lambda: collectors.chain_by_kafka(root, program, jars),
        planned.of_collectors,
        terminal.say,
    )
    brokers = len(kafka.BROKERS)
    edge = measure.part("edge_kafka", found)
    of_brokers = measure.part(
        "kafka", found, processes=brokers, copies=brokers, before="kafka", shared_by=brokers
    )
    for signal, held in of_brokers["signals"].items():
        # Each record once to each of the other brokers, and once to a gateway.
        stored = held["sent_bytes"]
        held |= {"stored_bytes": stored, "sent_bytes": stored}
        edge["signals"][signal]["sent_bytes"] = held["received_bytes"]
    yield "edge_kafka", edge
    yield "kafka", of_brokers
    yield (
        "gateway_kafka",
        measure.part("gateway_kafka", found, before="kafka", shared_by=brokers),
    )


def _rounds(
    plan: Plan,
    running: Callable[[], contextlib.AbstractContextManager[Any]],
    steps: Callable[[Plan], list[planned.Step]],
    say: Callable[[str], None],
) -> Rounds:
    found: Rounds = []
    for turn in range(plan.rounds):
        say(f"round {turn + 1} of {plan.rounds}")
        with running() as target:
            found.append(measure.points(target, steps(plan), plan, say))
    return found


def _parts(text: str) -> list[str]:
    chosen = [one.strip() for one in text.split(",")]
    if unknown := [one for one in chosen if one not in PARTS]:
        raise StackError(f"--parts {unknown[0]}: choose of {', '.join(PARTS)}")
    return chosen


def _numbers(option: str, text: str) -> tuple[int, ...]:
    words = [one.strip() for one in text.split(",")]
    if not all(one.isdecimal() and int(one) for one in words) or len(words) < _THREE:
        raise StackError(f"{option} {text}: write at least three whole numbers, with commas")
    numbers = tuple(int(one) for one in words)
    if list(numbers) != sorted(set(numbers)):
        raise StackError(f"{option} {text}: write them from the smallest on, each once")
    return numbers


def scale_page() -> None:
    """Give `glasshouse size` the newest result, and write its tables into deploy/README.md."""
    root = project.load().root
    used = result.ship(root)
    path = root / page.PAGE
    try:
        path.write_text(page.rendered(root, path.read_text(encoding="utf-8")), encoding="utf-8")
    except OSError as error:
        raise StackError(f"{error.filename} cannot be written: {error.strerror}") from None
    Terminal().say(f"written: {page.PAGE}, from {used.relative_to(root)}")
