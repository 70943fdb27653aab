"""One run: the watched service under one load, and its samples."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

from glasshouse_bench.freshness import figures, load, process, sampling
from glasshouse_bench.freshness.target import Target
from glasshouse_bench.measured import Document

# Until a load is on its way through all queues.
SETTLE_S = 5.0


async def run(
    target: Target,
    *,
    per_minute: int,
    samples: int,
    seed: int,
    note: Callable[[str], None] = lambda _: None,
    settle_s: float = SETTLE_S,
    changes: Mapping[str, str] | None = None,
) -> Document:
    """Start the service, send the load and take the samples; return the run for the result.

    changes: variables of the service, over what the stack's own have.

    Raises:
        StackError: the service does not start, or a backend does not answer.
    """
    rng = random.Random(seed)  # noqa: S311 (not for secrets)
    name = sampling.word()
    async with (
        process.running(target, name, changes) as service,
        load.at(service, per_minute, rng) as sent,
    ):
        await asyncio.sleep(settle_s if per_minute else 0)
        series = await sampling.run(target, service, name, samples=samples, rng=rng, note=note)
    return figures.of_run(per_minute, sent, seed, series)
