"""Gives durations and sizes buckets of their unit, where nobody else does.

A histogram whose creator names no buckets gets the SDK's, which are for milliseconds: everything
below five seconds falls into one, and each percentile of it is a fraction of five seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    DefaultAggregation,
    ExplicitBucketHistogramAggregation,
)
from wrapt import wrap_function_wrapper

_CALL: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_MODEL: Final = tuple(0.01 * 2**step for step in range(14))
_MODEL_PIECE: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_MODEL_BEGINS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
_TOOL: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
# By the metric, as the conventions ask, whatever the instrumentation says:
# https://opentelemetry.io/docs/specs/semconv/db/database-metrics/ and, of messaging, RPC,
# generative AI and MCP, the pages beside it.
OF_METRICS: Final[Mapping[str, tuple[float, ...]]] = {
    "db.client.operation.duration": (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
    "messaging.client.operation.duration": _CALL,
    "messaging.process.duration": _CALL,
    "rpc.client.call.duration": _CALL,
    "rpc.server.call.duration": _CALL,
    "gen_ai.client.operation.duration": _MODEL,
    "gen_ai.server.request.duration": _MODEL,
    "gen_ai.server.time_per_output_token": _MODEL_PIECE,
    "gen_ai.server.time_to_first_token": _MODEL_BEGINS,
    "gen_ai.client.token.usage": tuple(4.0**step for step in range(14)),
    "mcp.client.operation.duration": _TOOL,
    "mcp.client.session.duration": _TOOL,
    "mcp.server.operation.duration": _TOOL,
    "mcp.server.session.duration": _TOOL,
}
# By the unit, in the notation of UCUM, for all that say nothing. Seconds are those of a call and,
# for what is a job rather than a call, up to an hour. Bytes reach from a header to 256 MiB.
OF_UNITS: Final[Mapping[str, tuple[float, ...]]] = {
    "s": (*_CALL, 30, 60, 300, 900, 3600),
    "us": tuple(limit * 10**6 for limit in (0.00001, 0.0001, 0.001, *_CALL)),
    "ns": tuple(limit * 10**9 for limit in (0.000001, 0.00001, 0.0001, 0.001, *_CALL)),
    "By": tuple(4.0**step for step in range(3, 15)),
}
_CHOSEN: Final = "_instrument_class_aggregation"


class FittingBuckets(Aggregation):
    """A histogram's buckets: those of its metric, else those that it names, else its unit's."""

    def _create_aggregation(self, instrument: Any, *rest: Any, **more: Any) -> Any:
        named = OF_METRICS.get(instrument.name)
        if named is None and not _advice(instrument):
            named = OF_UNITS.get(instrument.unit)
        create = getattr(ExplicitBucketHistogramAggregation(named), "_create_aggregation")  # noqa: B009 (upstream has no other way to delegate)
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
