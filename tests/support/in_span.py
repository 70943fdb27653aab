"""Runs a program inside of a span, as a request or a job would: `python in_span.py program.py`."""

import runpy
import sys
from pathlib import Path

from opentelemetry import context, trace

from glasshouse.context import Ids, with_ids

CALLER = "caller"
IDS = Ids("request-of-the-caller", "correlation-of-the-caller")

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path(sys.argv[0]).absolute().parent))
    token = context.attach(with_ids(IDS))
    with trace.get_tracer(CALLER).start_as_current_span(CALLER):
        runpy.run_path(sys.argv[0], run_name="__main__")
    context.detach(token)
