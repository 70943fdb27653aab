"""Runs a program inside of a span, as a request or a job would: `python in_span.py program.py`."""

import runpy
import sys
from pathlib import Path

from opentelemetry import trace

CALLER = "caller"

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path(sys.argv[0]).absolute().parent))
    with trace.get_tracer(CALLER).start_as_current_span(CALLER):
        runpy.run_path(sys.argv[0], run_name="__main__")
