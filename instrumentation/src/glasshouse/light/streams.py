"""Adds a measurement to the SDK's own sums, by the shortest way.

The SDK keeps an aggregation for each set of attributes, and reads it at collection: temporality,
views and limits are its own. What is left out here is what happens before each addition.
"""

# The aggregations show their sums to nobody.
# pyright: reportPrivateUsage=false

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, cast

from opentelemetry.sdk.metrics._internal import _view_instrument_match as matching
from opentelemetry.sdk.metrics._internal.aggregation import (
    _DropAggregation,
    _ExplicitBucketHistogramAggregation,
    _LastValueAggregation,
    _SumAggregation,
)

from glasshouse.light import exemplars
from glasshouse.light.exemplars import LightReservoir, Seen, UniformChoice, in_place_of

Stream = Callable[[float, Seen | None], None]


def streams_of(instrument: Any, storages: Any, attributes: dict[str, Any]) -> list[Stream] | None:
    """Return what adds to each aggregation of these attributes.

    ``None`` where one of them is not of the plain kinds, or does not exist: the SDK adds itself.
    """
    found: list[Stream] = []
    for storage in storages.values():
        matches = storage._instrument_view_instrument_matches.get(instrument)
        if matches is None:
            return None
        for match in matches:
            # Of these the SDK throws the aggregations away at each collection.
            if getattr(match, "_reset_on_collect", False):
                return None
            aggregation = _aggregation_of(match, attributes)
            if type(aggregation) is _DropAggregation:
                continue
            stream = _stream(aggregation)
            if stream is None:
                return None
            found.append(stream)
    return found


def _aggregation_of(match: Any, attributes: dict[str, Any]) -> Any:
    kept = match._view._attribute_keys
    if kept is not None:
        attributes = {key: value for key, value in attributes.items() if key in kept}
    hashed = getattr(matching, "_hash_attributes", None)
    key = frozenset(attributes.items()) if hashed is None else hashed(attributes)
    return match._attributes_aggregation.get(key)


def _stream(aggregation: Any) -> Stream | None:
    making = _MAKING.get(type(cast("object", aggregation)))
    if making is None or not _lighten(aggregation):
        return None
    return making(aggregation)


def _lighten(aggregation: Any) -> bool:
    with aggregation._lock:
        if not isinstance(aggregation._reservoir, LightReservoir):
            made = in_place_of(aggregation._reservoir)
            if made is None:
                return False
            aggregation._reservoir = made
    return True


def _histogram(aggregation: Any) -> Stream:
    lock, boundaries = aggregation._lock, aggregation._boundaries
    extremes: bool = aggregation._record_min_max
    size = len(boundaries) + 1

    def add(amount: float, seen: Seen | None) -> None:
        with lock:
            counts = aggregation._value
            if counts is None:
                counts = aggregation._value = [0] * size
            aggregation._sum += amount
            if extremes:
                if amount < aggregation._min:
                    aggregation._min = amount
                if amount > aggregation._max:
                    aggregation._max = amount
            place = bisect_left(boundaries, amount)
            counts[place] += 1
            if seen is not None:
                aggregation._reservoir.slots[place] = seen

    return add


def _sum(aggregation: Any) -> Stream:
    lock = aggregation._lock

    def add(amount: float, seen: Seen | None) -> None:
        with lock:
            value = aggregation._value
            aggregation._value = amount if value is None else value + amount
            if seen is not None:
                reservoir = aggregation._reservoir
                if type(reservoir) is not UniformChoice:
                    reservoir.keep(seen)
                    return
                # As `UniformChoice.keep` does, whose call it spares.
                place = offered = reservoir.offered
                reservoir.offered = offered + 1
                if offered >= reservoir.size:
                    place = exemplars.below(offered + 1)
                if place < reservoir.size:
                    reservoir.slots[place] = seen

    return add


def _last(aggregation: Any) -> Stream:
    lock = aggregation._lock

    def add(amount: float, seen: Seen | None) -> None:
        with lock:
            aggregation._value = amount
            if seen is not None:
                aggregation._reservoir.keep(seen)

    return add


_MAKING: dict[type, Callable[[Any], Stream]] = {
    _ExplicitBucketHistogramAggregation: _histogram,
    _SumAggregation: _sum,
    _LastValueAggregation: _last,
}
