"""What one application of ASGI sends and records for one request, in a form to compare."""

import asyncio
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler

from glasshouse import correlation_id, request_id
from glasshouse.processors import IdsLogRecordProcessor, IdsSpanProcessor


class Counting(IdGenerator):
    """Ids in their order, so that two runs have the same."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._last = 0

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last

    def generate_trace_id(self) -> int:
        self._last += 1
        return self._last


class Recorded:
    """Providers of all signals that keep what they receive."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self._metrics = InMemoryMetricReader({Histogram: AggregationTemporality.DELTA})
        self._ids = Counting()
        self.tracers = TracerProvider(
            sampler=sampler or ParentBased(ALWAYS_ON), id_generator=self._ids
        )
        self.tracers.add_span_processor(IdsSpanProcessor())
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._metrics])
        self.loggers = LoggerProvider()
        self.loggers.add_log_record_processor(IdsLogRecordProcessor())
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self._logs))

    def telemetry(self) -> dict[str, Any]:
        """Return FastAPI's option ``telemetry`` that records here."""
        return {
            "tracer_provider": self.tracers,
            "meter_provider": self.meters,
            "logger_provider": self.loggers,
        }

    def take(self) -> dict[str, Any]:
        """Return all that was recorded since, and begin anew."""
        taken = {"spans": self.spans(), "logs": self.logs(), "points": self.points()}
        self._spans.clear()
        self._logs.clear()
        self._ids.restart()
        # Exemplars are kept at random.
        random.seed(1)
        return taken

    def spans(self) -> list[dict[str, Any]]:
        return [_span(one) for one in self._spans.get_finished_spans()]

    def logs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for one in self._logs.get_finished_logs():
            record = one.log_record
            found.append(
                {
                    "event": record.event_name,
                    "body": record.body,
                    "severity": (record.severity_number, record.severity_text),
                    "attributes": _comparable(record.attributes),
                    "within": (record.trace_id, record.span_id, record.trace_flags),
                    "scope": _scope(one.instrumentation_scope),
                }
            )
        return found

    def points(self) -> list[dict[str, Any]]:
        """Return the points of all metrics, without how long things took."""
        return sorted(self._points(), key=repr)

    def _points(self) -> Iterator[dict[str, Any]]:
        data = self._metrics.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        yield {
                            "metric": (metric.name, metric.unit, metric.description),
                            "scope": _scope(scope.scope),
                            "attributes": dict(point.attributes or {}),
                            "value": getattr(point, "value", None),
                            "count": getattr(point, "count", None),
                            "bounds": getattr(point, "explicit_bounds", None),
                            "exemplars": _exemplars(point),
                        }


def _exemplars(point: Any) -> list[tuple[Any, ...]]:
    found = sorted(point.exemplars, key=lambda one: one.time_unix_nano)
    if hasattr(point, "explicit_bounds"):
        # The last of each bucket is kept, and how long a thing took chooses the bucket.
        found = found[-1:]
    return [(one.trace_id, one.span_id, one.filtered_attributes) for one in found]


def _scope(scope: Any) -> tuple[Any, ...]:
    return scope.name, scope.version, scope.schema_url, dict(scope.attributes or {})


def _comparable(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    # A stack trace names the code that called the application.
    return {
        name: value for name, value in (attributes or {}).items() if name != "exception.stacktrace"
    }


def _span(span: ReadableSpan) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind,
        "context": span.get_span_context(),
        "parent": span.parent,
        "attributes": dict(span.attributes or {}),
        "status": (span.status.status_code, span.status.description),
        "events": [(one.name, _comparable(one.attributes)) for one in span.events],
        "links": [(one.context, dict(one.attributes or {})) for one in span.links],
        "scope": _scope(span.instrumentation_scope),
    }


def surroundings() -> dict[str, Any]:
    """Return what a handler can know of its request."""
    span = trace.get_current_span()
    return {
        "ids": (request_id(), correlation_id()),
        "span": (getattr(span, "name", None), span.get_span_context(), span.is_recording()),
        "attributes": dict(getattr(span, "attributes", None) or {}),
        "baggage": dict(baggage.get_all()),
        "keys": sorted(otel_context.get_current()),
    }


def http(
    path: str = "/",
    method: str = "GET",
    headers: Any = (("host", "shop.example"),),
    **changes: Any,
) -> dict[str, Any]:
    """Return a scope of ASGI. A value of ``None`` takes the key away."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("192.0.2.1", 50_000),
        "server": ("192.0.2.2", 8000),
        "state": {},
        **changes,
    }
    return {name: value for name, value in scope.items() if value is not None}


REQUEST = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


@dataclass
class Exchange:
    """One request: its scope, what the server hands in, and what comes of it."""

    scope: dict[str, Any]
    incoming: list[dict[str, Any]] = field(default_factory=lambda: [REQUEST, GONE])

    def run(self, app: Any) -> dict[str, Any]:
        """Send the request; return what came back, and what was left behind."""
        return asyncio.run(self.send(app))

    async def send(self, app: Any) -> dict[str, Any]:
        """As `run`, in a loop that runs."""
        scope = {
            **self.scope,
            "headers": self.scope["headers"].copy()
            if isinstance(self.scope["headers"], list)
            else self.scope["headers"],
            "state": {},
        }
        incoming = iter(self.incoming)
        sent: list[dict[str, Any]] = []
        raised: BaseException | None = None

        async def receive() -> Mapping[str, Any]:
            message = next(incoming, None)
            if message is None:
                # A server waits for the client.
                await asyncio.Event().wait()
            return dict(message or {})

        async def answer(message: Any) -> None:
            sent.append(dict(message))

        before = otel_context.get_current()
        try:
            await app(scope, receive, answer)
        except BaseException as error:  # noqa: BLE001  # what it is, is compared
            raised = error
        return {
            "sent": sent,
            "raised": (type(raised), str(raised)),
            "scope": sorted(scope),
            "context": otel_context.get_current() is before,
        }
