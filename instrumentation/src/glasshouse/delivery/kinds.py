"""What the buffer has to know of spans, log records and metrics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricsData

from glasshouse.encoding.batches import Batch

# Rough sizes in bytes: what an item takes beside its texts, and a value that is no text.
_ITEM: Final = 200
_POINT: Final = 150
_VALUE: Final = 16
_DEPTH: Final = 6


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One signal: how to count, measure, join and replace what is exported of it.

    item: what one of its items is called in the names of metrics.
    join: makes one export of several; None where each has to stay apart.
    replaces: whether a newer export makes an older one superfluous.
    """

    signal: str
    item: str
    count: Callable[[Any], int]
    size: Callable[[Any], int]
    join: Callable[[Sequence[Any]], Any] | None
    replaces: Callable[[Any, Any], bool]


def _size(value: Any, depth: int = _DEPTH) -> int:
    if isinstance(value, str | bytes):
        return len(value) + _VALUE
    if depth == 0 or value is None or isinstance(value, int | float):
        return _VALUE
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value)
        return _VALUE + sum(_size(k, 0) + _size(v, depth - 1) for k, v in pairs.items())
    if isinstance(value, Sequence):
        items = cast("Sequence[Any]", value)
        return _VALUE + sum(_size(item, depth - 1) for item in items)
    return _VALUE


def _span_size(span: Any) -> int:
    return (
        _ITEM
        + len(span.name)
        + _size(span.attributes)
        + sum(_ITEM + _size(event.attributes) for event in span.events)
        + sum(_ITEM + _size(link.attributes) for link in span.links)
    )


def _log_size(record: Any) -> int:
    return _ITEM + _size(record.log_record.body) + _size(record.log_record.attributes)


def _metrics(data: MetricsData) -> Sequence[Any]:
    scopes = (scope for resource in data.resource_metrics for scope in resource.scope_metrics)
    return [metric for scope in scopes for metric in scope.metrics]


def _points(data: MetricsData) -> int:
    return sum(len(metric.data.data_points) for metric in _metrics(data))


def _metrics_size(data: MetricsData) -> int:
    return sum(
        _ITEM
        + sum(
            _POINT + _size(point.attributes) + 8 * len(getattr(point, "bucket_counts", ()))
            for point in metric.data.data_points
        )
        for metric in _metrics(data)
    )


def _is_cumulative(data: MetricsData) -> bool:
    delta = AggregationTemporality.DELTA
    return all(
        getattr(metric.data, "aggregation_temporality", None) is not delta
        for metric in _metrics(data)
    )


def _replaces(newer: MetricsData, older: MetricsData) -> bool:
    return _is_cumulative(newer) and _is_cumulative(older)


def _never(newer: Any, older: Any) -> bool:
    return False


def _encoded_size(batch: Batch) -> int:
    return batch.size


def _joined(batches: Sequence[Sequence[Any]]) -> list[Any]:
    return [item for batch in batches for item in batch]


TRACES: Final = Kind(
    signal="traces",
    item="span",
    count=len,
    size=lambda spans: sum(map(_span_size, spans)),
    join=_joined,
    replaces=_never,
)
LOGS: Final = Kind(
    signal="logs",
    item="log",
    count=len,
    size=lambda records: sum(map(_log_size, records)),
    join=_joined,
    replaces=_never,
)
# The same, encoded already.
ENCODED_TRACES: Final = replace(TRACES, size=_encoded_size, join=Batch.joined)
ENCODED_LOGS: Final = replace(LOGS, size=_encoded_size, join=Batch.joined)
METRICS: Final = Kind(
    signal="metrics",
    item="metric_data_point",
    count=_points,
    size=_metrics_size,
    join=None,
    replaces=_replaces,
)
