"""Reservoirs of exemplars that take a measurement in one step. They keep what the SDK's keep.

Specification: https://opentelemetry.io/docs/specs/otel/metrics/sdk/#exemplarreservoir.
"""

from bisect import bisect_left
from collections.abc import Sequence
from random import random
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import (
    AlignedHistogramBucketExemplarReservoir,
    Exemplar,
    ExemplarReservoir,
    SimpleFixedSizeExemplarReservoir,
)
from opentelemetry.trace import INVALID_SPAN, SpanContext
from opentelemetry.util.types import Attributes

# A measurement that may become an exemplar: its value, its time in nanoseconds since 1970, its
# attributes, and the span that it was made in. A plain tuple is made in a fifth of the time of a
# named one.
Seen = tuple[float, int, Attributes, SpanContext | None]


def _exemplar(seen: Seen, point_attributes: Attributes) -> Exemplar:
    """Return what is exported of a measurement: no attribute that its point has already."""
    value, time_unix_nano, attributes, span = seen
    point = point_attributes or {}
    own = {key: one for key, one in attributes.items() if key not in point} if attributes else None
    span_id = None if span is None else span.span_id
    return Exemplar(own, value, time_unix_nano, span_id, None if span is None else span.trace_id)


def below(limit: int) -> int:
    """Return a random whole number from 0 to ``limit``, which is left out."""
    return int(random() * limit)  # noqa: S311 (no secret depends on it)


class LightReservoir(ExemplarReservoir):
    """Holds a fixed number of measurements until they are collected."""

    def __init__(self, size: int) -> None:
        self.size: Final = size
        self.slots = self._empty()

    def _empty(self) -> list[Seen | None]:
        return [None] * self.size

    def keep(self, seen: Seen) -> None:
        """Take a measurement, or leave it."""
        raise NotImplementedError

    def offer(
        self, value: float, time_unix_nano: int, attributes: Attributes, context: Context
    ) -> None:
        span = trace.get_current_span(context)
        known = None if span is INVALID_SPAN else span.get_span_context()
        self.keep((value, time_unix_nano, attributes, known))

    def collect(self, point_attributes: Attributes) -> list[Exemplar]:
        slots = self.slots
        self.slots = self._empty()
        return [_exemplar(seen, point_attributes) for seen in slots if seen is not None]


class LastOfEachBucket(LightReservoir):
    """Keeps the last measurement of each bucket of a histogram."""

    def __init__(self, boundaries: Sequence[float]) -> None:
        super().__init__(len(boundaries) + 1)
        self._boundaries = boundaries

    def keep(self, seen: Seen) -> None:
        self.slots[bisect_left(self._boundaries, seen[0])] = seen


class UniformChoice(LightReservoir):
    """Keeps each of the measurements since the last collection with the same probability."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.offered = 0

    def keep(self, seen: Seen) -> None:
        place = offered = self.offered
        self.offered = offered + 1
        if offered >= self.size:
            place = below(offered + 1)
        if place < self.size:
            self.slots[place] = seen

    def collect(self, point_attributes: Attributes) -> list[Exemplar]:
        self.offered = 0
        return super().collect(point_attributes)


def in_place_of(reservoir: ExemplarReservoir) -> LightReservoir | None:
    """Return what does as one of the SDK's own reservoirs; ``None`` for any other.

    What was offered to that one goes over.
    """
    known: dict[str, Any] = vars(reservoir)
    made: LightReservoir
    if type(reservoir) is AlignedHistogramBucketExemplarReservoir:
        made = LastOfEachBucket(tuple(known["_boundaries"]))
    elif type(reservoir) is SimpleFixedSizeExemplarReservoir:
        made = UniformChoice(known["_size"])
    else:
        return None
    for exemplar in reservoir.collect({}):
        span = None
        if exemplar.trace_id is not None and exemplar.span_id is not None:
            span = SpanContext(exemplar.trace_id, exemplar.span_id, is_remote=False)
        made.keep((exemplar.value, exemplar.time_unix_nano, exemplar.filtered_attributes, span))
    return made
