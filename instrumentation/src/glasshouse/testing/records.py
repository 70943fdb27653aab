"""What a test reads: plain values, made of the SDK's records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, format_span_id, format_trace_id

Attributes = Mapping[str, Any]


def _nothing() -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class SpanEvent:
    """Something that happened within a span. time: nanoseconds since 1970."""

    name: str
    time: int
    attributes: Attributes = field(default_factory=_nothing)


@dataclass(frozen=True, kw_only=True)
class SpanLink:
    """Another span that a span points to."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=_nothing)


@dataclass(frozen=True, kw_only=True)
class Span:
    """One ended span.

    trace_id, span_id, parent_id: hex digits; parent_id is empty for a root. start, end:
    nanoseconds since 1970. kind: internal, server, client, producer or consumer. status: unset, ok
    or error. scope: who made it. resource: attributes of the process.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    status: str
    description: str
    scope: str
    attributes: Attributes
    events: tuple[SpanEvent, ...]
    links: tuple[SpanLink, ...]
    resource: Attributes

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return (self.end - self.start) / 1e9


@dataclass(frozen=True, kw_only=True)
class Log:
    """One log record.

    event: the name of a business event, else empty. severity: DEBUG, INFO, WARN, ERROR or FATAL.
    time: nanoseconds since 1970. trace_id, span_id: of the span it was written in, else empty.
    scope: the logger's name.
    """

    body: Any
    severity: str
    event: str
    trace_id: str
    span_id: str
    time: int
    scope: str
    attributes: Attributes
    resource: Attributes


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One series: a metric with one set of attributes.

    kind: sum, gauge, histogram or exponential_histogram. value: its number; of a histogram the sum
    of what was recorded. count: how many were recorded, for histograms.
    """

    name: str
    kind: str
    unit: str
    value: float
    count: int | None
    scope: str
    attributes: Attributes
    resource: Attributes


def span(item: ReadableSpan) -> Span:
    """Return one span of the SDK as plain values."""
    context = item.context
    return Span(
        name=item.name,
        kind=item.kind.name.lower(),
        trace_id=_trace_id(context),
        span_id=_span_id(context),
        parent_id=_span_id(item.parent),
        start=item.start_time or 0,
        end=item.end_time or 0,
        status=item.status.status_code.name.lower(),
        description=item.status.description or "",
        scope=_scope(item.instrumentation_scope),
        attributes=_plain(item.attributes),
        events=tuple(
            SpanEvent(name=one.name, time=one.timestamp, attributes=_plain(one.attributes))
            for one in item.events
        ),
        links=tuple(
            SpanLink(
                trace_id=_trace_id(one.context),
                span_id=_span_id(one.context),
                attributes=_plain(one.attributes),
            )
            for one in item.links
        ),
        resource=_of(item.resource),
    )


def log(item: ReadableLogRecord) -> Log:
    """Return one log record of the SDK as plain values."""
    record = item.log_record
    return Log(
        body=record.body,
        severity=record.severity_text or "",
        event=record.event_name or "",
        trace_id=format_trace_id(record.trace_id) if record.trace_id else "",
        span_id=format_span_id(record.span_id) if record.span_id else "",
        time=record.timestamp or record.observed_timestamp or 0,
        scope=_scope(item.instrumentation_scope),
        attributes=_plain(record.attributes),
        resource=_of(item.resource),
    )


_KINDS = {
    "Sum": "sum",
    "Gauge": "gauge",
    "Histogram": "histogram",
    "ExponentialHistogram": "exponential_histogram",
}


def metrics(data: MetricsData | None) -> list[Metric]:
    """Return each series of the SDK's metrics as plain values."""
    found: list[Metric] = []
    for of_resource in data.resource_metrics if data else ():
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                points: Any = metric.data.data_points
                found += [
                    Metric(
                        name=metric.name,
                        kind=_KINDS[type(metric.data).__name__],
                        unit=metric.unit or "",
                        value=point.sum if hasattr(point, "sum") else point.value,
                        count=getattr(point, "count", None),
                        scope=_scope(of_scope.scope),
                        attributes=_plain(point.attributes),
                        resource=_of(of_resource.resource),
                    )
                    for point in points
                ]
    return found


def _trace_id(context: SpanContext | None) -> str:
    return format_trace_id(context.trace_id) if context else ""


def _span_id(context: SpanContext | None) -> str:
    return format_span_id(context.span_id) if context else ""


def _scope(scope: InstrumentationScope | None) -> str:
    return scope.name if scope else ""


def _of(resource: Resource | None) -> dict[str, Any]:
    return _plain(resource.attributes) if resource else {}


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: _list(value) for key, value in (attributes or {}).items()}


def _list(value: Any) -> Any:
    # The SDK makes tuples of lists; a snapshot in JSON has lists.
    if isinstance(value, tuple):
        return [_list(one) for one in cast(tuple[Any, ...], value)]
    return value
