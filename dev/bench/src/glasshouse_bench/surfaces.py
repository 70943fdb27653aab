"""Every place of OTLP in which a text can be, and how to read it again.

OTLP as JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# Below the length at which a number is checked, and a name that is none.
ROW = "corpus.row"
SURFACE = "corpus.surface"
TEXT = "corpus.text"

# By signal: the names of the lists of resources, scopes and items.
LISTS = {
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
POINTS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One resource with one scope and one item."""

    resource: Json
    scope: Json
    item: Json


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One place. ``put`` writes a text into an entry; ``get`` reads it from one that came out."""

    signal: str
    name: str
    put: Callable[[Entry, str], None]
    get: Callable[[Entry], str]


def attribute(key: str, text: str) -> Json:
    return {"key": key, "value": {"stringValue": text}}


def find(attributes: list[Json], key: str = TEXT) -> Json:
    """Return the value under ``key``; an empty one where there is none."""
    return next((entry["value"] for entry in attributes if entry["key"] == key), {})


def _holder(path: str) -> Callable[[Entry], Json]:
    """Return a reader of the object at ``path``, which is made where it is missing."""
    level, *steps = path.split(".")

    def holder(entry: Entry) -> Json:
        at: Any = getattr(entry, level)
        for step in steps:
            if step == "0":
                if not at:
                    at.append({})
                at = at[0]
            else:
                at = at.setdefault(step, [] if step.endswith("s") and step != "status" else {})
        return at

    return holder


def _field(signal: str, name: str, path: str, field: str) -> Surface:
    holder = _holder(path)

    def put(entry: Entry, text: str) -> None:
        holder(entry)[field] = text

    return Surface(
        signal=signal, name=name, put=put, get=lambda entry: holder(entry).get(field, "")
    )


def _attributes(signal: str, name: str, path: str, field: str = "attributes") -> Iterator[Surface]:
    """Yield the surfaces of one list of attributes: values, keys, and a value inside others."""
    holder = _holder(path)

    def attributes(entry: Entry) -> list[Json]:
        return holder(entry).setdefault(field, [])

    def put_value(entry: Entry, text: str) -> None:
        attributes(entry).append(attribute(TEXT, text))

    yield Surface(
        signal=signal,
        name=name,
        put=put_value,
        get=lambda entry: find(attributes(entry)).get("stringValue", ""),
    )
    if name not in NESTED:
        return

    def put_key(entry: Entry, text: str) -> None:
        attributes(entry).append(attribute(text, "x"))

    def get_key(entry: Entry) -> str:
        # Its value may be gone: the key may name a secret. Behind it stands what admission adds.
        sent = [one for one in attributes(entry) if not one["key"].startswith("admission.")]
        key = sent[-1]["key"]
        if key.startswith("attribute_") and key.endswith("_name"):  # of one that had no letters
            return sent[-1]["value"]["stringValue"]
        return key

    yield Surface(signal=signal, name=f"{name} (key)", put=put_key, get=get_key)

    def put_nested(entry: Entry, text: str) -> None:
        inner = {"kvlistValue": {"values": [attribute("inner", text)]}}
        items = {"arrayValue": {"values": [{"stringValue": "first"}, inner]}}
        attributes(entry).append({"key": TEXT, "value": items})

    def get_nested(entry: Entry) -> str:
        items = find(attributes(entry))["arrayValue"]["values"]
        return find(items[1]["kvlistValue"]["values"], "inner").get("stringValue", "")

    yield Surface(signal=signal, name=f"{name} (nested)", put=put_nested, get=get_nested)

    def put_bytes(entry: Entry, text: str) -> None:
        encoded = base64.b64encode(text.encode()).decode()
        attributes(entry).append({"key": TEXT, "value": {"bytesValue": encoded}})

    def get_bytes(entry: Entry) -> str:
        return base64.b64decode(find(attributes(entry)).get("bytesValue", "")).decode()

    yield Surface(signal=signal, name=f"{name} (bytes)", put=put_bytes, get=get_bytes)


# Where values of every shape are tried; elsewhere the same code reads them.
NESTED = ("log.attributes", "span.attributes", "datapoint.attributes (gauge)")


def _surfaces() -> Iterator[Surface]:
    for signal in LISTS:
        yield from _attributes(signal, f"{signal}: resource.attributes", "resource.resource")
        yield _field(signal, f"{signal}: resource.schema_url", "resource", "schemaUrl")
        yield _field(signal, f"{signal}: scope.name", "scope.scope", "name")
        yield _field(signal, f"{signal}: scope.version", "scope.scope", "version")
        yield from _attributes(signal, f"{signal}: scope.attributes", "scope.scope")
        yield _field(signal, f"{signal}: scope.schema_url", "scope", "schemaUrl")
    yield _field("logs", "log.body", "item.body", "stringValue")
    yield from _attributes("logs", "log.body (map)", "item.body.kvlistValue", "values")
    yield _field("logs", "log.event_name", "item", "eventName")
    yield _field("logs", "log.severity_text", "item", "severityText")
    yield from _attributes("logs", "log.attributes", "item")
    yield _field("traces", "span.name", "item", "name")
    yield _field("traces", "span.trace_state", "item", "traceState")
    yield _field("traces", "span.status.message", "item.status", "message")
    yield from _attributes("traces", "span.attributes", "item")
    yield _field("traces", "event.name", "item.events.0", "name")
    yield from _attributes("traces", "event.attributes", "item.events.0")
    yield _field("traces", "link.trace_state", "item.links.0", "traceState")
    yield from _attributes("traces", "link.attributes", "item.links.0")
    yield _field("metrics", "metric.name", "item", "name")
    yield _field("metrics", "metric.description", "item", "description")
    yield _field("metrics", "metric.unit", "item", "unit")
    yield from _attributes("metrics", "metric.metadata", "item", "metadata")
    for kind in POINTS:
        path = f"item.{kind}.dataPoints.0"
        yield from _attributes("metrics", f"datapoint.attributes ({kind})", path)
    for kind in POINTS[:-1]:
        path = f"item.{kind}.dataPoints.0.exemplars.0"
        name = f"exemplar.attributes ({kind})"
        yield from _attributes("metrics", name, path, "filteredAttributes")


SURFACES = tuple(_surfaces())


def _item(signal: str, surface: Surface) -> Json:
    now = str(time.time_ns())
    if signal == "logs":
        return {"timeUnixNano": now, "severityNumber": 9}
    if signal == "traces":
        return {
            "traceId": secrets.token_hex(16),
            "spanId": secrets.token_hex(8),
            "name": "corpus",
            "kind": 1,
            "startTimeUnixNano": now,
            "endTimeUnixNano": now,
        }
    kind = next((kind for kind in POINTS if f"({kind})" in surface.name), "gauge")
    point: Json = {"timeUnixNano": now}
    if kind in ("gauge", "sum"):
        point["asDouble"] = 1.0
    metric: Json = {"name": "corpus", kind: {"dataPoints": [point]}}
    if kind in ("sum", "histogram", "exponentialHistogram"):
        metric[kind]["aggregationTemporality"] = 2
    return metric


def _tags(entry: Entry, signal: str) -> list[Json]:
    """Return the attributes that name which row and surface an entry is."""
    if signal != "metrics":
        return entry.item.setdefault("attributes", [])
    kind = next(kind for kind in POINTS if kind in entry.item)
    return entry.item[kind]["dataPoints"][0].setdefault("attributes", [])


def _exemplar(entry: Entry) -> Json:
    kind = next(kind for kind in POINTS if kind in entry.item)
    return entry.item[kind]["dataPoints"][0]["exemplars"][0]


def build(surface: Surface, row: int, text: str) -> Json:
    """Return one resource entry with ``text`` at ``surface``."""
    scopes, items = LISTS[surface.signal][1:]
    item = _item(surface.signal, surface)
    scope: Json = {"scope": {"name": "corpus"}, items: [item]}
    resource: Json = {"resource": {"attributes": [attribute("service.name", "corpus")]}}
    entry = Entry(resource=resource, scope=scope, item=item)
    _tags(entry, surface.signal).extend(
        [{"key": ROW, "value": {"intValue": str(row)}}, attribute(SURFACE, surface.name)]
    )
    surface.put(entry, text)
    if surface.name.startswith("exemplar."):
        _exemplar(entry)["asDouble"] = 1.0  # without a value it is none
    return resource | {scopes: [scope]}


def entries(signal: str, request: Json) -> Iterator[Entry]:
    """Yield every item of a request, with its resource and scope."""
    resources, scopes, items = LISTS[signal]
    for resource in request.get(resources, []):
        for scope in resource.get(scopes, []):
            for item in scope.get(items, []):
                yield Entry(resource=resource, scope=scope, item=item)


_BY_NAME = {surface.name: surface for surface in SURFACES}


def read(signal: str, request: Json) -> Iterator[tuple[str, int, str]]:
    """Yield surface, row and stored text of every entry of the corpus in a request."""
    for entry in entries(signal, request):
        tags = _tags(entry, signal)
        row, name = find(tags, ROW).get("intValue"), find(tags, SURFACE).get("stringValue")
        if row is not None and name in _BY_NAME:
            text = _BY_NAME[name].get(entry)
            if name == "metric.name":  # one that had no letters has another, and its own
                text = find(tags, "admission.original_name").get("stringValue", text)
            yield name, int(row), text
