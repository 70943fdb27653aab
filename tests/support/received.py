"""What an OTLP sink has received, flat: one object an item, with its resource and scope."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from support.otlp import Stored


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event of a span."""

    name: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Span:
    """A span. kind: such as "SERVER". parent: empty for a root. status: such as "ERROR"."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    scope: str
    status: str
    attributes: Mapping[str, Any]
    events: tuple[Event, ...]
    resource: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log record. logger: its scope's name. trace, span: empty where it has none."""

    body: Any
    event: str
    severity: str
    logger: str
    trace: str
    span: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Point:
    """The newest point of one series. value: of a histogram, how many were measured."""

    metric: str
    scope: str
    value: float
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


def spans(stored: Stored) -> list[Span]:
    """Return every span, once for each time that it was received."""
    return [
        Span(
            trace=item["traceId"],
            id=item["spanId"],
            parent=item.get("parentSpanId", ""),
            name=item["name"],
            kind=item.get("kind", "").removeprefix("SPAN_KIND_"),
            scope=scope,
            status=item.get("status", {}).get("code", "").removeprefix("STATUS_CODE_"),
            attributes=plain(item),
            events=tuple(
                Event(name=event["name"], attributes=plain(event))
                for event in item.get("events", [])
            ),
            resource=resource,
        )
        for resource, scope, item in _items(stored, "traces", "scopeSpans", "spans")
    ]


def logs(stored: Stored) -> list[Log]:
    """Return every log record, once for each time that it was received."""
    return [
        Log(
            body=_value(item.get("body", {})),
            event=item.get("eventName", ""),
            severity=item.get("severityText", ""),
            logger=scope,
            trace=item.get("traceId", ""),
            span=item.get("spanId", ""),
            attributes=plain(item),
            resource=resource,
        )
        for resource, scope, item in _items(stored, "logs", "scopeLogs", "logRecords")
    ]


def points(stored: Stored, metric: str) -> list[Point]:
    """Return the newest point of each series of ``metric``; each process has its own series."""
    newest: dict[str, Point] = {}
    for resource, scope, item in _items(stored, "metrics", "scopeMetrics", "metrics"):
        if item["name"] != metric:
            continue
        [data] = [item[kind] for kind in ("sum", "gauge", "histogram") if kind in item]
        for point in data["dataPoints"]:
            value = point.get("count", point.get("asInt", point.get("asDouble", 0)))
            made = Point(
                metric=metric,
                scope=scope,
                value=float(value),
                attributes=plain(point),
                resource=resource,
            )
            newest[repr((sorted(resource.items()), scope, made.attributes))] = made
    return list(newest.values())


def text(stored: Stored) -> str:
    """Return all of all three signals as one text, in which a word can be searched."""
    found = [stored.stored(signal) for signal in ("logs", "metrics", "traces")]
    return json.dumps(found, ensure_ascii=False)


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's attributes as a dictionary of plain values."""
    return {pair["key"]: _value(pair.get("value", {})) for pair in item.get("attributes", [])}


def _items(
    stored: Stored, signal: str, scopes: str, items: str
) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    name = f"resource{signal.removesuffix('traces').capitalize() or 'Spans'}"
    for request in stored.stored(signal):
        for entry in request.get(name, []):
            resource = plain(entry.get("resource", {}))
            for scope in entry.get(scopes, []):
                for item in scope.get(items, []):
                    yield resource, scope.get("scope", {}).get("name", ""), item


def _value(value: Mapping[str, Any]) -> Any:
    for kind, item in value.items():
        match kind:
            case "intValue":
                return int(item)
            case "arrayValue":
                return [_value(one) for one in item.get("values", [])]
            case "kvlistValue":
                return {one["key"]: _value(one.get("value", {})) for one in item.get("values", [])}
            case _:
                return item
    return None
