"""The service that is watched: each of its paths makes one thing happen, and says when.

`process.py` starts it with the distro, as docs/configuration has any service started. Times are of
the clock that never jumps, which all processes of a machine share.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import time

import uvicorn
from fastapi import FastAPI
from opentelemetry import metrics, trace

from glasshouse import configure_logging, emit_event

METRIC = "glasshouse.bench.marks"
RUN = "run"
WORD = "word"

_logger = logging.getLogger("bench")
Mark = dict[str, int | str]


def app(run: str) -> FastAPI:
    """Return the service. run: a word for all that this process marks."""
    made = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"operation_spans": False, "logs": False},
    )
    tracer, meter = trace.get_tracer("bench"), metrics.get_meter("bench")
    marks = meter.create_counter(METRIC, unit="{mark}")
    worked = meter.create_counter("glasshouse.bench.requests", unit="{request}")
    measured, counted = itertools.count(1), itertools.count(1)

    async def mark_log(word: str) -> Mark:
        at_ns = time.monotonic_ns()
        _logger.info(f"Mark {word}")  # noqa: G004 (the line itself is found)
        return {"at_ns": at_ns}

    async def mark_span(word: str) -> Mark:
        with tracer.start_as_current_span("mark", attributes={WORD: word}) as span:
            at_ns = time.monotonic_ns()
            trace_id = f"{span.get_span_context().trace_id:032x}"
        return {"at_ns": at_ns, "trace_id": trace_id}

    async def mark_metric(word: str) -> Mark:
        at_ns = time.monotonic_ns()
        marks.add(1, {RUN: run})
        return {"at_ns": at_ns, "number": next(measured)}

    async def mark_event(word: str) -> Mark:
        number = next(counted)
        at_ns = time.monotonic_ns()
        emit_event(
            "job.finished",
            "Job finished",
            id=number,
            name=run,
            outcome="succeeded",
            duration=0.5,
            attempt=1,
        )
        return {"at_ns": at_ns, "number": number}

    async def work(number: int) -> Mark:
        with tracer.start_as_current_span("work"):
            _logger.info("Worked", extra={"number": number})
            worked.add(1)
        return {"number": number}

    for name, mark in {
        "log": mark_log,
        "span": mark_span,
        "metric": mark_metric,
        "event": mark_event,
    }.items():
        made.add_api_route(f"/mark/{name}/{{word}}", mark)
    made.add_api_route("/work/{number}", work)
    return made


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--run", required=True)
    options = parser.parse_args()
    configure_logging()
    # Its own set-up of logging would take handlers away; its console lines are of no use here.
    uvicorn.run(
        app(options.run), host="127.0.0.1", port=options.port, log_config=None, access_log=False
    )


if __name__ == "__main__":
    main()
