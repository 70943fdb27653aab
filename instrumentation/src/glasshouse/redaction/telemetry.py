"""Spans, log records and metrics without what is sensitive in them: always copies.

A record in which nothing is found is handed on as it is.
"""

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, Status, TraceState

from glasshouse.redaction.masks import UNCHECKED
from glasshouse.redaction.redactor import Redactor

# Told the signal of each record that could not be checked.
Unchecked = Callable[[str], None]

_Item = TypeVar("_Item")
# Resources are few and live as long as the process.
_MOST_RESOURCES: Final = 64


class TelemetryRedactor:
    """Redacts records of the SDK before an exporter gets them. Never raises."""

    def __init__(self, redactor: Redactor, unchecked: Unchecked) -> None:
        self._redactor = redactor
        self._unchecked = unchecked
        self._resources: dict[int, tuple[Resource, Resource]] = {}

    def spans(self, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
        return [self._guarded("traces", self._span, self._span_marker, span) for span in spans]

    def logs(self, records: Sequence[ReadableLogRecord]) -> list[ReadableLogRecord]:
        return [self._guarded("logs", self._log, self._log_marker, record) for record in records]

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

    def _attributes(self, attributes: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the same object where nothing is found."""
        if not attributes:
            return attributes
        redacted: dict[str, Any] = {}
        changed = False
        for key, value in attributes.items():
            name, new = self._redactor.name(key), self._attribute(key, value)
            changed = changed or new is not value or name is not key
            redacted[name] = new
        return redacted if changed else attributes

    def _attribute(self, key: str, value: Any) -> Any:
        new = self._redactor.value(value, key)
        # A list is copied even where nothing is found.
        return value if type(new) is type(value) and new == value else new

    def _text(self, text: str | None) -> str | None:
        return self._redactor.text(text) if text else text

    def _resource(self, resource: Resource) -> Resource:
        known = self._resources.get(id(resource))
        if known is not None and known[0] is resource:
            return known[1]
        attributes = self._attributes(resource.attributes)
        redacted = resource
        if attributes is not resource.attributes:
            redacted = Resource(dict(attributes or {}), resource.schema_url)
        if len(self._resources) >= _MOST_RESOURCES:
            self._resources.clear()
        self._resources[id(resource)] = (resource, redacted)
        return redacted

    def _context(self, context: SpanContext | None) -> SpanContext | None:
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
        return ReadableSpan(
            name=self._redactor.text(span.name),
            context=self._context(span.context),
            parent=self._context(span.parent),
            resource=self._resource(span.resource),
            attributes=self._attributes(span.attributes),
            events=[self._event(event) for event in span.events],
            links=[self._link(link) for link in span.links],
            kind=span.kind,
            status=Status(span.status.status_code, self._text(span.status.description)),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _event(self, event: Event) -> Event:
        return Event(
            self._redactor.text(event.name), self._attributes(event.attributes), event.timestamp
        )

    def _link(self, link: Link) -> Link:
        context = self._context(link.context)
        return Link(context or link.context, self._attributes(link.attributes))

    def _span_marker(self, span: ReadableSpan) -> ReadableSpan:
        context = span.context
        return ReadableSpan(
            name=UNCHECKED,
            context=context
            and SpanContext(
                context.trace_id, context.span_id, context.is_remote, context.trace_flags
            ),
            resource=Resource({}),
            kind=span.kind,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _log(self, record: ReadableLogRecord) -> ReadableLogRecord:
        log = copy.copy(record.log_record)
        log.body = self._redactor.value(log.body)
        log.attributes = self._attributes(log.attributes)
        log.event_name = self._text(log.event_name)
        log.severity_text = self._text(log.severity_text)
        # The exporter would take its text from the exception itself.
        log.exception = None
        resource = self._resource(record.resource)
        return dataclasses.replace(record, log_record=log, resource=resource)

    def _log_marker(self, record: ReadableLogRecord) -> ReadableLogRecord:
        log = copy.copy(record.log_record)
        log.body, log.attributes, log.event_name = UNCHECKED, None, None
        log.severity_text, log.exception = None, None
        return dataclasses.replace(record, log_record=log, resource=Resource({}))

    def _metrics(self, data: MetricsData) -> MetricsData:
        return dataclasses.replace(
            data,
            resource_metrics=[
                dataclasses.replace(
                    resource,
                    resource=self._resource(resource.resource),
                    scope_metrics=[
                        dataclasses.replace(
                            scope, metrics=[self._metric(metric) for metric in scope.metrics]
                        )
                        for scope in resource.scope_metrics
                    ],
                )
                for resource in data.resource_metrics
            ],
        )

    def _metric(self, metric: Any) -> Any:
        points = [self._point(point) for point in metric.data.data_points]
        return dataclasses.replace(
            metric,
            name=self._redactor.text(metric.name),
            description=self._text(metric.description),
            data=dataclasses.replace(metric.data, data_points=points),
        )

    def _point(self, point: Any) -> Any:
        changes: dict[str, Any] = {"attributes": self._attributes(point.attributes)}
        exemplars = getattr(point, "exemplars", None)
        if exemplars:
            changes["exemplars"] = [
                dataclasses.replace(
                    one, filtered_attributes=self._attributes(one.filtered_attributes)
                )
                for one in exemplars
            ]
        return dataclasses.replace(point, **changes)
