"""What it costs that no record costs another: each part beside none of them, on one core.

The parts are those of the deployed configuration: the bounds before the decoder, admission, the
exporter that halves a refused batch; and all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from glasshouse_bench import speed
from glasshouse_bench.speed import Figure

CANDIDATES = ("none", "limits", "admission", "bisect", "all")
TARGET_US = 1.0  # for admission, in the usual case


def configuration(root: Path, candidate: str, pipeline: str) -> dict[str, Any]:
    """Return the Collector's configuration with one part of the deployed one, or with all."""
    document = speed.configuration(root, "none", pipeline)
    text = (root / "collector" / "config.yaml").read_text(encoding="utf-8")
    deployed = yaml.safe_load(text)
    if candidate in {"limits", "all"}:
        limits = dict(deployed["extensions"]["otlp_limits"])
        del limits["access"]  # of nobody: what knows the tokens is not in this Collector
        document["extensions"]["otlp_limits"] = limits
        document["service"]["extensions"].append("otlp_limits")
        document["receivers"]["otlp"]["protocols"]["http"]["middlewares"] = [{"id": "otlp_limits"}]
    if candidate in {"admission", "all"}:
        # One sender stands for many here: without bounds on a single one, and nothing set aside.
        unbounded = {"records_per_second": 0, "bytes_per_second": 0}
        own = dict(deployed["processors"]["admission"])
        del own["dead_letter"]
        own["services"] = own["services"] | unbounded
        document["processors"]["admission"] = own
        for part in document["service"]["pipelines"].values():
            part["processors"].append("admission")
    if candidate in {"bisect", "all"}:
        document["exporters"] = {
            name.replace("otlp_http", "otlp_bisect"): one
            for name, one in document["exporters"].items()
        }
        for part in document["service"]["pipelines"].values():
            part["exporters"] = [
                name.replace("otlp_http", "otlp_bisect") for name in part["exporters"]
            ]
    return document


def added(figures: Iterable[Figure]) -> dict[str, dict[str, dict[str, float]]]:
    """Return, by pipeline, signal and part, the CPU time that the part adds, in µs a record."""
    by = {(one.pipeline, one.signal, one.candidate): one.us_per_record for one in figures}
    costs: dict[str, dict[str, dict[str, float]]] = {}
    for (pipeline, signal, candidate), us in by.items():
        if candidate != "none":
            costs.setdefault(pipeline, {}).setdefault(signal, {})[candidate] = (
                us - by[pipeline, signal, "none"]
            )
    return costs
