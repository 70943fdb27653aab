"""Gives durations, sizes, counts and shares buckets that fit, where nobody else does.

A histogram whose creator names no buckets gets the SDK's, which are for milliseconds: everything
below five seconds falls into one, and each percentile of it is a fraction of five seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    DefaultAggregation,
    ExplicitBucketHistogramAggregation,
)
from wrapt import wrap_function_wrapper

Boundaries = tuple[float, ...]

_CALL: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_CONNECTION: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_MODEL: Final = tuple(0.01 * 2**step for step in range(14))
_MODEL_PIECE: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_MODEL_BEGINS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
# One bucket of everything: of these the conventions want the count and the sum.
_ONLY_THE_SUM: Final = ()
# By the metric, as version 1.44 of the conventions asks, whatever the instrumentation says:
# https://opentelemetry.io/docs/specs/semconv/general/metrics/ lists their pages.
OF_METRICS: Final[Mapping[str, Boundaries]] = MappingProxyType(
    {
        "http.server.request.duration": _CALL,
        "http.client.request.duration": _CALL,
        "http.client.request.time_in_queue": _CALL,
        "http.client.connection.duration": _CONNECTION,
        "db.client.operation.duration": (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
        "db.client.response.returned_rows": (
            *(1, 2, 5, 10, 20, 50, 100, 200, 500),
            *(1000, 2000, 5000, 10000),
        ),
        "azure.cosmosdb.client.operation.request_charge": (
            *(1, 5, 10, 25, 50, 100, 250, 500, 1000),
        ),
        "dns.lookup.duration": _CALL,
        "faas.invoke_duration": _CALL,
        "faas.init_duration": _CALL,
        "faas.cpu_usage": _CALL,
        "messaging.client.operation.duration": _CALL,
        "messaging.process.duration": _CALL,
        "rpc.client.call.duration": _CALL,
        "rpc.server.call.duration": _CALL,
        "gen_ai.client.operation.duration": _MODEL,
        "gen_ai.client.operation.time_to_first_chunk": _MODEL,
        "gen_ai.client.operation.time_per_output_chunk": _MODEL,
        "gen_ai.server.request.duration": _MODEL,
        "gen_ai.server.time_per_output_token": _MODEL_PIECE,
        "gen_ai.server.time_to_first_token": _MODEL_BEGINS,
        "gen_ai.client.token.usage": tuple(4.0**step for step in range(14)),
        "mcp.client.operation.duration": _CONNECTION,
        "mcp.client.session.duration": _CONNECTION,
        "mcp.server.operation.duration": _CONNECTION,
        "mcp.server.session.duration": _CONNECTION,
        "otel.sdk.exporter.operation.duration": _ONLY_THE_SUM,
        "otel.sdk.metric_reader.collection.duration": _ONLY_THE_SUM,
    }
)
# From a header to 4 GiB, and from a page to 64 GiB.
_BYTES: Final = tuple(4.0**step for step in range(3, 17))
_KILOBYTES: Final = tuple(4.0**step for step in range(-2, 10))
_MEGABYTES: Final = tuple(4.0**step for step in range(-4, 9))
_GIGABYTES: Final = tuple(4.0**step for step in range(-6, 6))
# By the unit, in the notation of UCUM, for all that say nothing. Seconds are those of a wait, a
# call and, for what is a job rather than a call, up to an hour. Milliseconds keep the SDK's.
OF_UNITS: Final[Mapping[str, Boundaries]] = MappingProxyType(
    {
        "ns": tuple(limit * 10**9 for limit in (0.000001, 0.00001, 0.0001, 0.001, *_CALL)),
        "us": tuple(limit * 10**6 for limit in (0.00001, 0.0001, 0.001, *_CALL)),
        "s": (0.001, *_CALL, 30, 60, 300, 900, 3600),
        "min": (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440),
        "h": (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 24, 48, 72, 168),
        "d": (0.1, 0.25, 0.5, 1, 2, 3, 7, 14, 30, 60, 90, 180, 365),
        "By": _BYTES,
        "kBy": _KILOBYTES,
        "KiBy": _KILOBYTES,
        "MBy": _MEGABYTES,
        "MiBy": _MEGABYTES,
        "GBy": _GIGABYTES,
        "GiBy": _GIGABYTES,
        # A share of 1, or a number of things from senders that write no braces.
        "1": (
            *(0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1),
            *(2, 5, 10, 20, 50, 100, 1000, 10000),
        ),
        "%": (0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100),
    }
)
# Whatever is counted: {request}, {row}.
OF_COUNTS: Final[Boundaries] = (
    *(0, 1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(1000, 2000, 5000, 10000, 100000),
)
# What instrumentations write that is no unit of UCUM, or at the end of a name without a unit.
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "nanoseconds": "ns",
        "microseconds": "us",
        "milliseconds": "ms",
        "seconds": "s",
        "minutes": "min",
        "hours": "h",
        "days": "d",
        "bytes": "By",
        "percent": "%",
        "ratio": "1",
    }
)
_OTHER_UNITS: Final = frozenset({"ms", *OF_UNITS}) - {"s", "1"}
_CHOSEN: Final = "_instrument_class_aggregation"


def fitting(name: str, unit: str, advice: Boundaries | None = None) -> Boundaries | None:
    """Return the boundaries of a histogram; None for those that the SDK gives.

    Those of its metric count before ``advice``, which its creator gives, and that before those of
    its unit. A rate, such as ``By/s``, has those of what is counted.
    """
    last_word = name.replace("_", ".").rpartition(".")[2]
    counted = unit.partition("/")[0] or _WORDS.get(last_word, "")
    counted = _WORDS.get(counted, counted)
    # The conventions count things and seconds. The same name in milliseconds is another metric.
    named = None if counted in _OTHER_UNITS else OF_METRICS.get(name)
    if named is not None or advice is not None:
        return named if named is not None else advice
    return OF_COUNTS if counted.startswith("{") else OF_UNITS.get(counted)


class FittingBuckets(Aggregation):
    """A histogram's buckets: those of its metric, else those that it names, else its unit's."""

    def _create_aggregation(self, instrument: Any, *rest: Any, **more: Any) -> Any:
        found = fitting(instrument.name, instrument.unit or "", _advice(instrument))
        create = getattr(ExplicitBucketHistogramAggregation(found), "_create_aggregation")  # noqa: B009 (upstream has no other way to delegate)
        return create(instrument, *rest, **more)


def _advice(instrument: Any) -> Any:
    advisory = getattr(instrument, "_advisory", None)
    return getattr(advisory, "explicit_bucket_boundaries", None)


def install() -> None:
    """Give every reader of this process fitting buckets, also those that are made later.

    One for which somebody chose another aggregation of histograms keeps that. Safe to call twice.
    """
    if not _installed:
        _installed.append(True)
        wrap_function_wrapper(MetricReader, "_set_collect_callback", _fit)


_installed: Final[list[bool]] = []


def _fit(put: Callable[..., None], reader: Any, args: Any, kwargs: Any) -> None:
    # The SDK has made no histogram of a reader that it has not taken in.
    chosen: dict[type, Aggregation] = getattr(reader, _CHOSEN, {})
    for kind, aggregation in chosen.items():
        if issubclass(kind, Histogram) and _says_nothing(aggregation):
            chosen[kind] = FittingBuckets()
    put(*args, **kwargs)


def _says_nothing(aggregation: Aggregation) -> bool:
    if isinstance(aggregation, DefaultAggregation):
        return True
    kind: type = type(aggregation)
    return (
        kind is ExplicitBucketHistogramAggregation
        and vars(aggregation).get("_boundaries", ()) is None
        and vars(aggregation).get("_record_min_max") is True
    )
