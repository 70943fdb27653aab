"""Records of many services, each request with times and ids of its own: none is a repetition."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    NumberDataPoint,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from glasshouse_bench import sized
from glasshouse_bench.traffic import Traffic

# As many spans, or log records, have one trace id.
OF_A_TRACE = 5
# Of one metric: less than admission lets through of one.
SERIES_OF_A_METRIC = 200
# Where their number is not what is varied: none comes twice in a moment, which Prometheus refuses.
_SERIES = 5_000
VALUE = "app.value"
_RISE = 20
_MS_NS = 10**6
_DAY_NS = 86_400 * 10**9
_DIFFERENT = 4  # requests that differ in all, of each service
_SEED = 20261128


class Requests(Protocol):
    """What is sent: ``batch`` records a request. signal: as in OTLP's paths."""

    signal: str
    batch: int

    def request(self) -> bytes: ...


def of(
    signal: str, batch: int, services: int = 1, *, in_request: int = 1, labels: int = 0
) -> Requests:
    """Return requests of a signal.

    services: of how many resources records are, of which ``in_request`` are in one request.
    labels: how many series samples belong to, or how many values an attribute has.
    """
    in_request = max(1, min(in_request, services, batch))
    match signal:
        case "logs":
            return _Logs(batch, services, in_request, labels)
        case "traces":
            return _Spans(batch, services, in_request, labels)
        case _:
            return Samples(batch, services, labels or _SERIES, in_request)


def _resource(number: int) -> Resource:
    held = {
        "service.name": f"service-{number}",
        "service.namespace": "glasshouse",
        "service.version": "1.14.2",
        "service.instance.id": f"627cc493-f310-47de-96bd-{number:012x}",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.1",
        "deployment.environment.name": "production",
    }
    return Resource(attributes=[_text(key, value) for key, value in held.items()])


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _groups(services: int, in_request: int) -> Iterator[list[int]]:
    """Yield which services are in each request of one turn through all of them."""
    for first in range(0, services, in_request):
        yield [one % services for one in range(first, first + in_request)]


def _turns(services: int, in_request: int) -> int:
    return max(1, _DIFFERENT * in_request // services)


class _Logs:
    """Usual log records: 8 attributes, every fiftieth a business event with a new id."""

    signal = "logs"

    def __init__(self, batch: int, services: int, in_request: int, values: int) -> None:
        self.batch = batch
        bodies = itertools.cycle(sized.logs(max(batch, sized.EVENT_EVERY), 0, 0))
        made: list[ExportLogsServiceRequest] = []
        for _ in range(_turns(services, in_request)):
            for group in _groups(services, in_request):
                [given] = ExportLogsServiceRequest.FromString(next(bodies)).resource_logs
                records = given.scope_logs[0].log_records[:batch]
                request = ExportLogsServiceRequest()
                for place, service in enumerate(group):
                    part = request.resource_logs.add()
                    part.resource.CopyFrom(_resource(service))
                    scope = part.scope_logs.add()
                    scope.scope.name = "backend.payments"
                    scope.log_records.extend(records[place::in_request])
                made.append(request)
        self._random = random.Random(_SEED)  # noqa: S311  # repeatable, not secret
        self._values, self._value = values, itertools.count()
        self._requests = itertools.cycle(made)
        self._number = itertools.count(1)

    def request(self) -> bytes:
        """Return the next request; its times, traces and events are new."""
        trace = b""
        request, now = next(self._requests), time.time_ns()
        for group in request.resource_logs:
            for number, record in enumerate(group.scope_logs[0].log_records):
                if number % OF_A_TRACE == 0:
                    trace = self._random.randbytes(16)
                now += 1
                record.time_unix_nano = record.observed_time_unix_nano = now
                record.trace_id = trace
                if self._values:
                    _set(record.attributes, next(self._value) % self._values)
        return sized.numbered(request.SerializeToString(), next(self._number))


class _Spans:
    """Spans with 12 attributes, five of them a trace."""

    signal = "traces"

    def __init__(self, batch: int, services: int, in_request: int, values: int) -> None:
        self.batch = batch
        self._random = random.Random(_SEED)  # noqa: S311  # repeatable, not secret
        traffic = Traffic()
        made: list[ExportTraceServiceRequest] = []
        for _ in range(_turns(services, in_request)):
            for group in _groups(services, in_request):
                given = ExportTraceServiceRequest.FromString(traffic.spans(batch))
                spans = given.resource_spans[0].scope_spans[0].spans
                request = ExportTraceServiceRequest()
                for place, service in enumerate(group):
                    part = request.resource_spans.add()
                    part.resource.CopyFrom(_resource(service))
                    scope = part.scope_spans.add()
                    scope.scope.name = "opentelemetry.instrumentation.fastapi"
                    scope.spans.extend(spans[place::in_request])
                made.append(request)
        self._values, self._value = values, itertools.count()
        self._requests = itertools.cycle(made)

    def request(self) -> bytes:
        """Return the next request; its traces are new."""
        request, now = next(self._requests), time.time_ns()
        trace, parent, number = b"", b"", 0
        for group in request.resource_spans:
            for span in group.scope_spans[0].spans:
                is_root = number % OF_A_TRACE == 0
                if is_root:
                    trace = self._random.randbytes(16)
                self._renew(span, trace, b"" if is_root else parent, now + number)
                parent, number = span.span_id, number + 1
                if self._values:
                    _set(span.attributes, next(self._value) % self._values)
        return request.SerializeToString()

    def _renew(self, span: Span, trace: bytes, parent: bytes, now: int) -> None:
        span.trace_id, span.span_id, span.parent_span_id = trace, self._random.randbytes(8), parent
        span.start_time_unix_nano, span.end_time_unix_nano = now - 1_000_000, now


class Samples:
    """Sums that only rise, of three attributes; requests go through all series in turn."""

    signal = "metrics"

    def __init__(self, batch: int, services: int, series: int, in_request: int = 1) -> None:
        self._began = time.time_ns() - _DAY_NS
        each = max(1, series // services)
        made: list[ExportMetricsServiceRequest] = []
        for group in _groups(services, in_request):
            of_group = [(service, number) for service in group for number in range(each)]
            starts = range(0, len(of_group), batch)
            made.extend(self._of(of_group[first : first + batch]) for first in starts)
        self._random = random.Random(_SEED)  # noqa: S311  # repeatable, not secret
        self._last = 0
        self._requests = itertools.cycle(made)
        self.batch = len(_points(made[0]))
        # Requests in which each series is named once.
        self.turn = len(made)

    def _of(self, series: Sequence[tuple[int, int]]) -> ExportMetricsServiceRequest:
        request = ExportMetricsServiceRequest()
        for service, of_service in itertools.groupby(series, lambda one: one[0]):
            group = request.resource_metrics.add()
            group.resource.CopyFrom(_resource(service))
            scope = group.scope_metrics.add()
            scope.scope.name = "opentelemetry.instrumentation.fastapi"
            self._fill(scope, (number for _, number in of_service))
        return request

    def _fill(self, scope: ScopeMetrics, numbers: Iterable[int]) -> None:
        by_metric = itertools.groupby(numbers, lambda one: one // SERIES_OF_A_METRIC)
        for metric, of_it in by_metric:
            sums = scope.metrics.add()
            sums.name, sums.unit = f"bench.requests.{metric}", "{request}"
            sums.sum.is_monotonic = True
            sums.sum.aggregation_temporality = (
                AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
            )
            for number in of_it:
                point = sums.sum.data_points.add()
                point.start_time_unix_nano = self._began
                point.attributes.extend(
                    [
                        _text("http.request.method", "GET"),
                        _text("http.route", f"/bench/{number % SERIES_OF_A_METRIC}"),
                        KeyValue(key="http.response.status_code", value=AnyValue(int_value=200)),
                    ]
                )

    def request(self) -> bytes:
        """Return the next request; its samples have risen, and no two have the same time."""
        self._last = max(time.time_ns(), self._last + _MS_NS)
        return self.request_of(self._last)

    def request_of(self, now: int) -> bytes:
        """Return the next request, with samples of a time in nanoseconds."""
        request = next(self._requests)
        for point in _points(request):
            point.time_unix_nano = now
            point.as_int += self._random.randrange(_RISE)
        return request.SerializeToString()


def _points(request: ExportMetricsServiceRequest) -> list[NumberDataPoint]:
    return [
        point
        for group in request.resource_metrics
        for metric in group.scope_metrics[0].metrics
        for point in metric.sum.data_points
    ]


def _set(attributes: object, number: int) -> None:
    """Give a record's own attribute for values another one."""
    held = next((one for one in attributes if one.key == VALUE), None)  # type: ignore[attr-defined]
    if held is None:
        held = attributes.add(key=VALUE)  # type: ignore[attr-defined]
    held.value.string_value = f"value-{number:08d}"
