"""Spans, log records and metrics that may leave: redacted, and fit to be encoded. Always copies.

A record in which there is nothing to do is handed on as it is.
"""

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, TraceState

from glasshouse.redaction import repair
from glasshouse.redaction.looks import Looks
from glasshouse.redaction.masks import UNCHECKED
from glasshouse.redaction.plain import Reader
from glasshouse.redaction.redactor import Redactor
from glasshouse.redaction.remembered import Remembered, is_lone_id
from glasshouse.redaction.statements import with_statements

# Called with the signal of each record that could not be checked.
Unchecked = Callable[[str], None]

_Item = TypeVar("_Item")
# Resources are few and live as long as the process.
_MOST_RESOURCES: Final = 64
# Attributes that are known to be clean, name and value: most of them repeat.
_MOST_KNOWN: Final = 4096
_LONGEST_KNOWN: Final = 256


class TelemetryRedactor:
    """Redacts records of the SDK before an exporter gets them. Never raises."""

    def __init__(self, redactor: Redactor, unchecked: Unchecked) -> None:
        self._redactor = redactor
        self._unchecked = unchecked
        self._resources: dict[int, tuple[Resource, Resource]] = {}
        self._scopes: dict[int, tuple[InstrumentationScope, InstrumentationScope]] = {}
        self._known: Remembered[tuple[str, str], bool] = Remembered(_MOST_KNOWN)

    @property
    def looks(self) -> Looks | None:
        return self._redactor.looks

    def span(self, span: ReadableSpan) -> ReadableSpan:
        return self._guarded("traces", self._span, self._span_marker, span)

    def spans(self, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
        return [self.span(span) for span in spans]

    def log(self, log: LogRecord) -> LogRecord:
        return self._guarded("logs", self._log, self._log_marker, log)

    def logs(self, records: Sequence[ReadableLogRecord]) -> list[ReadableLogRecord]:
        return [self._guarded("logs", self._record, self._record_marker, one) for one in records]

    def resource(self, resource: Resource, signal: str) -> Resource:
        return self._guarded(signal, self._resource, lambda _: Resource({}), resource)

    def scope(self, scope: InstrumentationScope | None, signal: str) -> InstrumentationScope | None:
        return self._guarded(signal, self._scope, lambda _: None, scope)

    def metrics(self, data: MetricsData) -> MetricsData:
        def nothing(_: MetricsData) -> MetricsData:
            return MetricsData(resource_metrics=[])

        return self._guarded("metrics", self._metrics, nothing, data)

    def _guarded(
        self,
        signal: str,
        redact: Callable[[_Item], _Item],
        marker: Callable[[_Item], _Item],
        item: _Item,
    ) -> _Item:
        try:
            return redact(item)
        # An exception would reach the application, or end the exporter's thread.
        except Exception:  # noqa: BLE001 (see above)
            self._unchecked(signal)
            return marker(item)

    def attributes(self, attributes: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the same object where nothing is found."""
        if not attributes:
            return attributes
        items = plain(attributes).items()
        unknown = [
            (key, value)
            for key, value in items
            # A text of another class may pass for one that is known.
            if type(value) is not str or type(key) is not str or not self._known.get((key, value))
        ]
        changed: dict[str, tuple[str, Any]] = {}
        for key, value in unknown:
            name, new = self.name(key), self.attribute(key, value)
            if new is not value or name is not key:
                changed[key] = (name, new)
            elif type(value) is str and type(key) is str and len(value) <= _LONGEST_KNOWN:
                self._remember(key, value)
        if not changed:
            return attributes
        return dict(changed.get(key, (key, value)) for key, value in items)

    def _remember(self, key: str, value: str) -> None:
        if not is_lone_id(value):
            self._known.put((key, value), True)

    def name(self, key: str) -> str:
        return repair.text(self._redactor.name(key))

    def attribute(self, key: str, value: Any) -> Any:
        new = repair.attribute(self._redactor.value(value, key))
        # A list is copied even where nothing is found.
        return value if type(new) is type(value) and new == value else new

    def body(self, body: Any) -> Any:
        # Not cleaned by the SDK, as attributes are: it may hold itself.
        if not isinstance(body, str):
            body = Reader().plain(body)
        return repair.attribute(self._redactor.value(body))

    def text(self, text: str | None) -> str | None:
        return repair.text(self._redactor.text(repair.text(text))) if text else text

    def _resource(self, resource: Resource) -> Resource:
        known = self._resources.get(id(resource))
        if known is not None and known[0] is resource:
            return known[1]
        attributes = self.attributes(resource.attributes)
        redacted = resource
        if attributes is not resource.attributes:
            redacted = Resource(dict(attributes or {}), resource.schema_url)
        if len(self._resources) >= _MOST_RESOURCES:
            self._resources.clear()
        self._resources[id(resource)] = (resource, redacted)
        return redacted

    def _scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        if scope is None:
            return None
        known = self._scopes.get(id(scope))
        if known is not None and known[0] is scope:
            return known[1]
        redacted = InstrumentationScope(
            self.text(scope.name) or "",
            self.text(scope.version),
            self.text(scope.schema_url),
            self.attributes(scope.attributes),
        )
        # Scopes are compared by what they say.
        redacted = scope if redacted == scope else redacted
        if len(self._scopes) >= _MOST_RESOURCES:
            self._scopes.clear()
        self._scopes[id(scope)] = (scope, redacted)
        return redacted

    def context(self, context: SpanContext | None) -> SpanContext | None:
        if context is None or not context.trace_state:
            return context
        kept = {
            key: value
            for key, value in context.trace_state.items()
            if self._redactor.value(value, key) == value
        }
        if len(kept) == len(context.trace_state):
            return context
        return SpanContext(
            context.trace_id,
            context.span_id,
            context.is_remote,
            context.trace_flags,
            TraceState(list(kept.items())),
        )

    def _span(self, span: ReadableSpan) -> ReadableSpan:
        before, state = span.attributes, span.status
        name, description = self.text(span.name) or "", self.text(state.description)
        start, end = repair.moment(span.start_time), repair.moment(span.end_time)
        # A time that cannot be repaired would make the span last for decades.
        start, end = start or end, end or start
        attributes = self.attributes(with_statements(before) if before else before)
        context, parent = self.context(span.context), self.context(span.parent)
        resource, scope = self._resource(span.resource), self._scope(span.instrumentation_scope)
        events = [self._event(event) for event in span.events]
        links = [self._link(link) for link in span.links]
        same = (
            name is span.name
            and description is state.description
            and attributes is before
            and context is span.context
            and parent is span.parent
            and resource is span.resource
            and scope is span.instrumentation_scope
            and start is span.start_time
            and end is span.end_time
        )
        if same and not events and not links:
            return span
        return ReadableSpan(
            name=name,
            context=context,
            parent=parent,
            resource=resource,
            attributes=attributes,
            events=events,
            links=links,
            kind=span.kind,
            status=Status(state.status_code, description),
            start_time=start,
            end_time=end,
            instrumentation_scope=scope,
        )

    def _event(self, event: Event) -> Event:
        return Event(
            self.text(event.name) or "",
            self.attributes(event.attributes),
            # The SDK's own default is the present, too late here.
            repair.moment(event.timestamp) or 0,
        )

    def _link(self, link: Link) -> Link:
        context = self.context(link.context)
        return Link(context or link.context, self.attributes(link.attributes))

    def _span_marker(self, span: ReadableSpan) -> ReadableSpan:
        context = span.context
        return ReadableSpan(
            name=UNCHECKED,
            context=context
            and SpanContext(
                context.trace_id, context.span_id, context.is_remote, context.trace_flags
            ),
            resource=Resource({}),
            kind=span.kind if isinstance(span.kind, SpanKind) else SpanKind.INTERNAL,  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may hand over anything
            start_time=repair.moment(span.start_time),
            end_time=repair.moment(span.end_time),
        )

    def _record(self, record: ReadableLogRecord) -> ReadableLogRecord:
        return dataclasses.replace(
            record,
            log_record=self._log(record.log_record),
            resource=self._resource(record.resource),
            instrumentation_scope=self._scope(record.instrumentation_scope),
        )

    def _record_marker(self, record: ReadableLogRecord) -> ReadableLogRecord:
        log = self._log_marker(record.log_record)
        return dataclasses.replace(record, log_record=log, resource=Resource({}))

    def _log(self, log: LogRecord) -> LogRecord:
        log = copy.copy(log)
        log.body = self.body(log.body)
        log.attributes = self.attributes(log.attributes)
        log.event_name = self.text(log.event_name)
        log.severity_text = self.text(log.severity_text)
        log.timestamp = repair.moment(log.timestamp)
        log.observed_timestamp = repair.moment(log.observed_timestamp) or 0
        # The exporter would take its text from the exception itself.
        log.exception = None
        return log

    def _log_marker(self, log: LogRecord) -> LogRecord:
        log = copy.copy(log)
        log.body, log.attributes, log.event_name = UNCHECKED, None, None
        log.severity_text, log.exception = None, None
        log.timestamp = repair.moment(log.timestamp)
        log.observed_timestamp = repair.moment(log.observed_timestamp) or 0
        return log

    def _metrics(self, data: MetricsData) -> MetricsData:
        return dataclasses.replace(
            data,
            resource_metrics=[
                dataclasses.replace(
                    resource,
                    resource=self.resource(resource.resource, "metrics"),
                    scope_metrics=[
                        dataclasses.replace(
                            scope,
                            scope=self.scope(scope.scope, "metrics"),
                            metrics=self._kept(self._metric, scope.metrics),
                        )
                        for scope in resource.scope_metrics
                    ],
                )
                for resource in data.resource_metrics
            ],
        )

    def _kept(self, redact: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Return the items that can be made to fit; each of the others costs itself alone."""
        found = (self._guarded("metrics", redact, lambda _: None, item) for item in items)
        return [item for item in found if item is not None]

    def _metric(self, metric: Any) -> Any:
        points = self._kept(self._point, metric.data.data_points)
        return dataclasses.replace(
            metric,
            name=self.text(metric.name),
            description=self.text(metric.description),
            unit=self.text(metric.unit),
            data=dataclasses.replace(metric.data, data_points=points),
        )

    def _point(self, point: Any) -> Any:
        changes: dict[str, Any] = {"attributes": self.attributes(point.attributes)}
        for name in ("value", "sum", "min", "max"):
            measured = getattr(point, name, None)
            if (fitting := repair.number(measured)) is not measured:
                changes[name] = fitting
        exemplars = getattr(point, "exemplars", None)
        if exemplars:
            changes["exemplars"] = [
                dataclasses.replace(
                    one,
                    value=repair.number(one.value),
                    filtered_attributes=self.attributes(one.filtered_attributes),
                )
                for one in exemplars
            ]
        return dataclasses.replace(point, **changes)


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy. The SDK's attributes have a way to copy much faster than item by item."""
    copied = getattr(attributes, "copy", None)
    plain = copied() if callable(copied) else None
    return cast(dict[str, Any], plain) if type(plain) is dict else dict(attributes)
