"""`glasshouse-bench overhead`: the command behind `make bench`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from glasshouse_bench import machine
from glasshouse_bench.dashboards import page as dashboards_page
from glasshouse_bench.overhead import (
    cpu,
    database,
    environments,
    imports,
    measure,
    page,
    report,
    results,
    rounds,
)
from glasshouse_bench.overhead.environments import Environment
from glasshouse_bench.overhead.load import BY_NAME, LOADS, Load
from glasshouse_bench.overhead.variants import (
    SERVERS,
    VARIANTS,
    Server,
    parse_all,
    parse_servers,
)
from glasshouse_cli import project
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError

ROUNDS = 5
IMPORT_PAIRS = 15
# Of `--quick`: enough to see that all works, and that nothing costs ten times what it did.
QUICK_VARIANTS = "off,glasshouse"
QUICK_LOADS = "trivial,log"
QUICK_KINDS = ("words", "addresses")
QUICK_ROUNDS = 2
QUICK_SHARE = 0.2


def overhead(
    variants: Annotated[
        str | None,
        typer.Option(
            help=f"names with commas, of {', '.join(VARIANTS)}; one more "
            "beside: glasshouse+NAME=VALUE"
        ),
    ] = None,
    servers: Annotated[
        str | None, typer.Option(help=f"names with commas, of {', '.join(SERVERS)}")
    ] = None,
    loads: Annotated[
        str | None, typer.Option(help=f"names with commas, of {', '.join(BY_NAME)}")
    ] = None,
    turns: Annotated[
        int | None, typer.Option("--rounds", min=1, max=100, help=f"by default {ROUNDS}")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="begin no round that would end later")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="the result file to write")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with what --output has")] = False,
    only_stops: Annotated[
        bool,
        typer.Option("--only-stops", help="anew what stops the loop, in the result of --output"),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="a minute, in this environment: for tests")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="with the last committed result, or --against")
    ] = False,
    against: Annotated[Path | None, typer.Option(help="the result to compare with")] = None,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Measure what telemetry costs a service: CPU time a request, beside none and beside others."""
    terminal = Terminal(quiet=as_script)
    cpu.require()
    root = project.load().root
    chosen = parse_all(variants or (QUICK_VARIANTS if quick else ",".join(VARIANTS)))
    loaded = _loads(loads or (QUICK_LOADS if quick else ",".join(BY_NAME)))
    named = parse_servers(servers) if servers else None
    before = results.read(against or results.latest(root)) if compare or against else None
    if quick:
        found = dict.fromkeys((one.name for one in chosen), environments.current())
    else:
        wanted = (named or SERVERS).values()
        found = environments.gather(root, chosen, wanted, terminal.say, is_strict=bool(variants))
    ran = named or (_served(found) if quick else SERVERS)
    kept = [one for one in chosen if one.name in found]
    for one in kept:
        environments.check(found[one.name], one, ran.values())
    plan = rounds.Plan(
        variants=kept,
        servers=ran,
        rounds=turns or (QUICK_ROUNDS if quick else ROUNDS),
        size=measure.Size(loads=loaded, share=QUICK_SHARE if quick else 1.0),
        kinds=QUICK_KINDS if quick else measure.ALL_KINDS,
    )
    path = output or root / ".glasshouse" / "bench" / "overhead.json"
    if only_stops:
        document = results.read(path)
        _measure_stops(terminal, root, plan, found, document, path)
    else:
        document = _document(root, plan, found, path if resume else None)
        _measure(terminal, plan, found, document, path, minutes)
    if as_script:
        terminal.json(document)
        return
    report.show(terminal, document, before)
    terminal.say(f"written: {path}")


def _loads(text: str) -> Sequence[Load]:
    names = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [one for one in names if one not in BY_NAME]
    if unknown or not names:
        what = f"no load {unknown[0]!r}" if unknown else "no load is named"
        raise StackError(f"--loads: {what}: choose of {', '.join(BY_NAME)}")
    return [one for one in LOADS if one.name in names]


def _served(found: Mapping[str, Environment]) -> dict[str, Server]:
    """Return the servers for which all is installed in every environment."""
    return {
        name: server
        for name, server in SERVERS.items()
        if not any(one.lacks(server.needs) for one in found.values())
    }


def _document(
    root: Path, plan: rounds.Plan, found: Mapping[str, Environment], resumed: Path | None
) -> results.Document:
    settings = {
        "variants": {one.name: one.title for one in plan.variants},
        "servers": {name: server.title for name, server in plan.servers.items()},
        "loads": {one.name: one.title for one in plan.size.loads},
        "rounds": plan.rounds,
        "requests": {one.name: plan.size.requests(one) for one in plan.size.loads},
        "settle_s": plan.size.settle_s,
    }
    source, described = machine.commit(root), machine.describe()
    if resumed and resumed.is_file():
        return results.resumed(resumed, settings, source, described)
    return {
        "schema": results.SCHEMA,
        "measured": machine.now(),
        "source": source,
        "machine": described,
        "load_average": {"before": machine.load_average(), "after": None},
        "versions": {one.name: found[one.name].shown() for one in plan.variants},
        "settings": settings,
        "imports": None,
        "runs": [],
    }


def _measure(
    terminal: Terminal,
    plan: rounds.Plan,
    found: Mapping[str, Environment],
    document: results.Document,
    path: Path,
    minutes: float | None,
) -> None:
    seconds = rounds.remaining_s(plan, document)
    terminal.say(f"about {max(1, round(seconds / 60))} minutes; what is done is kept in {path}")
    ends_at = time.monotonic() + minutes * 60 if minutes else None

    def save() -> None:
        document["load_average"]["after"] = machine.load_average()
        results.write(path, document)

    save()
    with terminal.step("measuring") as step:
        if document["imports"] is None:
            step.note("imports")
            python = found[plan.variants[0].name].programs / "python"
            document["imports"] = imports.measure(python, IMPORT_PAIRS if plan.rounds > 2 else 3)
        needed = plan.size.needs_payments and rounds.remaining_s(plan, document) > 0
        with _postgres(needed=needed) as postgres:
            is_whole = asyncio.run(
                rounds.run(
                    plan, found, postgres, document, note=step.note, save=save, ends_at=ends_at
                )
            )
    if not is_whole:
        terminal.say("--minutes are over: --resume goes on")


def _measure_stops(
    terminal: Terminal,
    root: Path,
    plan: rounds.Plan,
    found: Mapping[str, Environment],
    document: results.Document,
    path: Path,
) -> None:
    document["stops"] = {
        "measured": machine.now(),
        "source": machine.commit(root),
        "machine": machine.describe(),
        "load_average": machine.load_average(),
        "variants": [one.name for one in plan.variants],
    }
    with (
        terminal.step("measuring what stops the event loop") as step,
        _postgres(needed=plan.size.needs_payments) as postgres,
    ):
        asyncio.run(
            rounds.stops(
                plan,
                found,
                postgres,
                document,
                note=step.note,
                save=lambda: results.write(path, document),
            )
        )


@contextlib.contextmanager
def _postgres(*, needed: bool) -> Iterator[str | None]:
    if not needed:
        yield None
        return
    with database.running(database.programs()) as server:
        database.prepare(server)
        yield server


def overhead_page(
    result: Annotated[
        Path | None, typer.Argument(help="by default the last one in dev/bench/results")
    ] = None,
) -> None:
    """Write docs/performance.md and its pictures from a result."""
    terminal = Terminal()
    root = project.load().root
    for path in page.write(root, results.read(result or results.latest(root))):
        terminal.say(f"written: {path.relative_to(root)}")
    dashboards_page.write(root)
