"""Reports on data that the rules were not made with: logs, conventions, people, wrappings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from glasshouse_bench.unseen import conventions, logs, people, wrappings
from glasshouse_bench.unseen.probes import Probe


def probes(
    root: Path, seed: int, say: Callable[[str], None], *, download: bool = True
) -> list[Probe]:
    """Return all probes. ``seed`` makes the people; ``say`` gets what could not be had."""
    formats = dict(logs.samples(root))
    if download:
        try:
            formats.update(logs.module_samples())
        except OSError as error:
            say(f"without the larger log samples: {error}")
    return [
        *people.probes(seed),
        *wrappings.probes(),
        *logs.probes(formats),
        *conventions.probes(root),
    ]
