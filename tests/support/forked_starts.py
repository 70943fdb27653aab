"""Starts an instrumented program many times, in forks of one process that has imported it all.

Reads one JSON object of variables a line; each becomes the whole environment of a fork, which sets
telemetry up as `opentelemetry-instrument` does, records one span, one log and one measurement,
and ends. Prints one JSON object a line: index, exit code, standard error.
"""

import contextlib
import json
import logging
import os
import sys
import tempfile
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.instrumentation import auto_instrumentation

import glasshouse.configurator  # noqa: F401  # so that no fork has to import it
from glasshouse import start
from glasshouse.redaction import Redactor


def record() -> None:
    """Record one of each signal."""
    with trace.get_tracer("starts").start_as_current_span("step"):
        logging.getLogger("starts").error("A line")
    metrics.get_meter("starts").create_counter("steps").add(1)


def run(variables: dict[str, str], errors: int) -> None:
    """Be the program. Ends as a program does, with its exit handlers."""
    os.dup2(errors, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.environ.clear()
    # Upstream's folder is on the path of what it starts.
    os.environ.update({"PYTHONPATH": "auto_instrumentation", **variables})
    start.before_imports()
    auto_instrumentation.initialize()
    record()


def main() -> None:
    Redactor.default()
    for entry in entry_points(group="opentelemetry_instrumentor"):
        # Imported here once, not in each fork.
        with contextlib.suppress(ImportError):
            entry.load()
    for index, line in enumerate(sys.stdin):
        variables: dict[str, Any] = json.loads(line)
        with tempfile.TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                run(variables, errors.fileno())
                return
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            errors.seek(0)
            said = errors.read().decode("utf-8", "backslashreplace")
            sys.stdout.write(json.dumps({"index": index, "code": code, "stderr": said}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
