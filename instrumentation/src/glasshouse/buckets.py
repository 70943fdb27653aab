"""Gives durations the buckets that the semantic conventions ask for, where nobody else does.

An instrumentation that names no buckets gets the SDK's, which are for milliseconds: everything
below five seconds falls into one, and each percentile of it is a fraction of five seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

_AGGREGATION: Final = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
_EXPONENTIAL: Final = "base2_exponential_bucket_histogram"
_CALL: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
# In seconds, by the metric: https://opentelemetry.io/docs/specs/semconv/db/database-metrics/
# and, of messaging and RPC, the pages beside it.
BOUNDARIES: Final[Mapping[str, tuple[float, ...]]] = {
    "db.client.operation.duration": (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
    "messaging.client.operation.duration": _CALL,
    "messaging.process.duration": _CALL,
    "rpc.client.call.duration": _CALL,
    "rpc.server.call.duration": _CALL,
}


def install(provider: MeterProvider, environment: Mapping[str, str]) -> None:
    """Add a view for each metric of BOUNDARIES, unless exponential histograms were chosen.

    Before the metrics are made: the SDK looks for views once for each.
    """
    if environment.get(_AGGREGATION, "").strip().lower() == _EXPONENTIAL:
        return
    # The SDK takes views with a provider alone, which its own configurator makes without any.
    config = vars(provider).get("_sdk_config")
    if config is None:
        return  # a version that keeps it elsewhere: coarse buckets, and nothing else
    config.views = (
        *config.views,
        *(
            View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation(limits))
            for name, limits in BOUNDARIES.items()
        ),
    )
