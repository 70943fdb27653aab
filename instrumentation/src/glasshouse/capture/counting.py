"""Counts log records that could not be handed on, among the metrics of the process itself."""

import contextlib
import functools

from opentelemetry.metrics import Counter, get_meter


@functools.cache
def _counter() -> Counter:
    return get_meter("glasshouse.capture").create_counter(
        "glasshouse.capture.lost",
        unit="{record}",
        description="Log records that could not be handed on to OpenTelemetry",
    )


def count_lost() -> None:
    """Count one. Never raises."""
    with contextlib.suppress(Exception):
        _counter().add(1)
