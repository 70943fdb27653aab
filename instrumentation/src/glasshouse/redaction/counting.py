"""Counts what could not be checked, among the metrics of the process itself."""

import functools

from opentelemetry.metrics import Counter, get_meter


@functools.cache
def _counter() -> Counter:
    return get_meter("glasshouse.redaction").create_counter(
        "glasshouse.redaction.unchecked",
        unit="{replacement}",
        description="Records and single values that could not be checked and became a marker",
    )


def count_record(signal: str) -> None:
    """Count a whole record of ``signal``: "traces", "logs" or "metrics"."""
    _counter().add(1, {"replaced": "record", "signal": signal})


def count_value() -> None:
    """Count one text or value; nobody knows on the way to where."""
    _counter().add(1, {"replaced": "value"})
