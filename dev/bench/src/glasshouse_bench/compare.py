"""What redaction costs now, beside what it costs in another checkout, measured in turn.

A figure of another day or machine says little about a change; two that were taken in turn do.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from glasshouse_bench import speed

CANDIDATES = ("none", "base", "pii")
# The program in a checkout, as `make bench-collector` builds it.
PROGRAM = Path("dev") / "bench" / "collector" / ".otelcol"
TARGET = 1.1  # times the base's


def configuration_beside(base: Path) -> speed.Configure:
    """Return what configures the candidate ``base`` by the checkout there."""

    def configure(root: Path, candidate: str, pipeline: str) -> dict[str, Any]:
        if candidate == "base":
            return speed.configuration(base, "pii", pipeline)
        return speed.configuration(root, candidate, pipeline)

    return configure


def ratios(figures: Iterable[speed.Figure]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return, by pipeline and signal, what redaction adds in both, and ours by the base's.

    The ratio is None where the base's is lost in the noise.
    """
    by = {(one.pipeline, one.signal, one.candidate): one.us_per_record for one in figures}
    compared: dict[str, dict[str, dict[str, float | None]]] = {}
    for pipeline, signal in dict.fromkeys(key[:2] for key in by):
        none, base, ours = (by[pipeline, signal, name] for name in CANDIDATES)
        added, before = ours - none, base - none
        compared.setdefault(pipeline, {})[signal] = {
            "base_us_per_record": before,
            "added_us_per_record": added,
            "against_base": added / before if before > speed.NOISE_US else None,
        }
    return compared
