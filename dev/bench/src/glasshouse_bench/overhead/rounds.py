"""All processes of a run, in turn: each round has every variant under every server once.

Each is measured in turns with a process without telemetry that is as fresh: see `measure.run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glasshouse_bench.overhead import database, measure, process, sink
from glasshouse_bench.overhead.environments import Environment
from glasshouse_bench.overhead.results import Document
from glasshouse_bench.overhead.variants import BASE, Server, Variant
from glasshouse_cli.errors import StackError

# What a process takes beside its loads, for the estimate before one was measured.
START_S = 4.0
STOPS_S = measure.HOLDS * 4.0 + measure.LINES * len(measure.ALL_KINDS) * 1.1
# Requests a second, of all loads and variants on a quiet machine.
PER_S = 600


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure. ``kinds``: of long log lines, in the first round only."""

    variants: Sequence[Variant]
    servers: Mapping[str, Server]
    rounds: int
    size: measure.Size
    kinds: Sequence[str]

    def cells(self) -> Iterator[tuple[int, str, Variant]]:
        """Yield each round's processes, in another order each time.

        What runs after another could find the machine warm; so none always comes first.
        """
        for turn in range(self.rounds):
            shift = turn % len(self.variants)
            for server in self.servers:
                for variant in [*self.variants[shift:], *self.variants[:shift]]:
                    yield turn, server, variant

    def seconds(self, turn: int, variant: Variant) -> float:
        """Return about how long one process of a round takes, with the one beside it."""
        counts = [self.size.requests(one) for one in self.size.loads]
        sent = sum(counts) * (1 + 1 / measure.WARM_UP_SHARE)
        watched = STOPS_S if self.kinds and turn == 0 else 0
        processes = 1 if variant.name == BASE else 2
        settled = (len(counts) + 1) * self.size.settle_s
        return processes * (START_S + sent / PER_S) + settled + watched


def remaining_s(plan: Plan, document: Document) -> float:
    """Return about how long what is not measured yet takes."""
    known = _done(document)
    return sum(
        plan.seconds(turn, variant)
        for turn, server, variant in plan.cells()
        if (turn, server, variant.name) not in known
    )


def _done(document: Document) -> set[tuple[int, str, str]]:
    return {(one["round"], one["server"], one["variant"]) for one in document["runs"]}


async def run(
    plan: Plan,
    environments: Mapping[str, Environment],
    postgres: str | None,
    document: Document,
    *,
    note: Callable[[str], None],
    save: Callable[[], None],
    ends_at: float | None = None,
) -> bool:
    """Add what is not there yet to ``document``, and ``save`` it after each process.

    Returns whether all is there. No round begins that would not end by ``ends_at``, a time of
    `time.monotonic`, but for the first.
    """
    known = _done(document)
    took: list[float] = []
    estimated: list[float] = []
    current = -1
    for turn, server, variant in plan.cells():
        if (turn, server, variant.name) in known:
            continue
        if turn != current:
            current = turn
            per_round = len(plan.servers) * len(plan.variants)
            expected = per_round * (sum(took) / len(took) if took else 0)
            if ends_at is not None and took and time.monotonic() + expected > ends_at:
                return False
        pace = sum(took) / sum(estimated) if took else 1.0
        left = max(1, round(remaining_s(plan, document) * pace / 60))
        where = f"round {turn + 1} of {plan.rounds}, {plan.servers[server].title}: {variant.name}"
        note(f"{where}; about {left} min left")
        started = time.monotonic()
        try:
            found = await one(plan, variant, server, turn, environments, postgres)
        except StackError as error:
            # On a machine that is too busy a statement may run out of time. Once; else it is real.
            note(f"{where}; again, after: {error}")
            found = await one(plan, variant, server, turn, environments, postgres)
        took.append(time.monotonic() - started)
        estimated.append(plan.seconds(turn, variant))
        document["runs"].append(found)
        save()
    return True


async def one(
    plan: Plan,
    variant: Variant,
    server: str,
    turn: int,
    environments: Mapping[str, Environment],
    postgres: str | None,
) -> dict[str, Any]:
    """Measure one fresh process, in turns with a fresh one without telemetry."""
    async with contextlib.AsyncExitStack() as stack:
        taking, port = await stack.enter_async_context(sink.running())

        async def started(one: Variant) -> process.Api:
            return await _started(plan, one, server, environments, postgres, port, stack)

        without = [one for one in plan.variants if one.name == BASE and variant.name != BASE]
        beside = await started(without[0]) if without else None
        api = await started(variant)
        found = await measure.run(api, taking, plan.size, beside)
        if turn == 0 and plan.kinds:
            found["stops"] = await measure.stops(
                api, is_traced=variant.speaks_otlp, kinds=plan.kinds
            )
    return {"round": turn, "server": server, "variant": variant.name, **found}


async def stops(
    plan: Plan,
    environments: Mapping[str, Environment],
    postgres: str | None,
    document: Document,
    *,
    note: Callable[[str], None],
    save: Callable[[], None],
) -> None:
    """Measure anew what stops the event loop, in place of what ``document`` has of it."""
    for one_run in document["runs"]:
        server = one_run["server"]
        variant = next((one for one in plan.variants if one.name == one_run["variant"]), None)
        if one_run["round"] or variant is None or server not in plan.servers:
            continue
        note(f"{plan.servers[server].title}: {variant.name}")
        async with contextlib.AsyncExitStack() as stack:
            _, port = await stack.enter_async_context(sink.running())
            api = await _started(plan, variant, server, environments, postgres, port, stack)
            await measure.warm_up(api, plan.size)
            one_run["stops"] = await measure.stops(
                api, is_traced=variant.speaks_otlp, kinds=plan.kinds
            )
        save()


async def _started(
    plan: Plan,
    variant: Variant,
    server: str,
    environments: Mapping[str, Environment],
    postgres: str | None,
    port: int,
    stack: contextlib.AsyncExitStack,
) -> process.Api:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
    fresh = await asyncio.to_thread(database.fresh, postgres) if postgres else None
    running = process.running(
        variant,
        plan.servers[server],
        environments[variant.name],
        Path(folder),
        sink=port,
        database=fresh,
    )
    return await stack.enter_async_context(running)
