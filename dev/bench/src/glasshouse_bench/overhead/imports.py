"""How long importing the distro takes: fresh interpreters, in turn with empty ones.

What is measured is what a service pays at each start, so with compiled files that are there: the
programs get an environment of their own, in which nothing keeps Python from writing them. Without
them the same import takes twice as long, as everything is compiled anew.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glasshouse_cli.errors import StackError

# What is measured, and the program that does it.
PROGRAMS = {
    "nothing": "pass",
    "glasshouse": "import glasshouse",
    # What `opentelemetry-instrument` loads of it before the service.
    "glasshouse.distro and glasshouse.configurator": (
        "import glasshouse.distro, glasshouse.configurator"
    ),
    # The same of upstream's: the distro, and with it the SDK and its configurator.
    "opentelemetry.distro": "import opentelemetry.distro",
    "opentelemetry.sdk": "import opentelemetry.sdk.trace, opentelemetry.sdk.metrics",
    # What upstream's exporters over HTTP import, whoever sets them up.
    "opentelemetry.exporter.otlp.proto.http": (
        "import opentelemetry.exporter.otlp.proto.http.trace_exporter"
    ),
    "fastapi": "import fastapi",
}


def measure(python: Path, pairs: int) -> dict[str, Any]:
    """Return the CPU milliseconds of each import beyond those of an empty program."""
    for code in PROGRAMS.values():
        cpu_ms(python, code)  # writes the compiled files, once
    rounds = [{name: cpu_ms(python, code) for name, code in PROGRAMS.items()} for _ in range(pairs)]
    return {
        name: summary([one[name] - one["nothing"] for one in rounds])
        for name in PROGRAMS
        if name != "nothing"
    }


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return median, least and most."""
    return {
        "median_ms": round(statistics.median(values), 1),
        "least_ms": round(min(values), 1),
        "most_ms": round(max(values), 1),
        "pairs": len(values),
    }


def cpu_ms(python: Path, code: str) -> float:
    """Run a program; return the CPU time that it used, user's and system's.

    Raises:
        StackError: it fails.
    """
    child = os.posix_spawn(python, [str(python), "-c", code], _environment())
    _, status, used = os.wait4(child, 0)
    if status:
        raise StackError(
            f"{python} -c {code!r} fails: run make bench, which installs what it needs"
        )
    return (used.ru_utime + used.ru_stime) * 1000


def _environment() -> dict[str, str]:
    """Return what the programs get: no variable of Python's or OpenTelemetry's, as for a service.

    `PYTHONDONTWRITEBYTECODE`, which is common on machines that build, would leave nothing compiled.
    """
    kept = ("COVERAGE_", "HOME", "LANG", "LD_", "PATH", "TMPDIR")
    return {name: value for name, value in os.environ.items() if name.startswith(kept)}
