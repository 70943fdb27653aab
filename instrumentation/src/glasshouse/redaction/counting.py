"""Counts what could not be checked, among the metrics of the process itself."""

import contextlib
import functools

from opentelemetry.metrics import Counter, get_meter


@functools.cache
def _counter() -> Counter:
    return get_meter("glasshouse.redaction").create_counter(
        "glasshouse.redaction.unchecked",
        unit="{replacement}",
        description="Records and single values that could not be checked and became a marker",
    )


@functools.cache
def _cut_counter() -> Counter:
    return get_meter("glasshouse.redaction").create_counter(
        "glasshouse.redaction.cut",
        unit="{record}",
        description="Records cut because they were too long to redact on the thread that made them",
    )


def count_cut() -> None:
    """Count a record of which a part was cut off. Never raises."""
    with contextlib.suppress(Exception):
        _cut_counter().add(1)


def count_record(signal: str) -> None:
    """Count a whole record of ``signal``: "traces", "logs" or "metrics"."""
    _counter().add(1, {"replaced": "record", "signal": signal})


def count_value() -> None:
    """Count one text or value; nobody knows on the way to where."""
    _counter().add(1, {"replaced": "value"})
