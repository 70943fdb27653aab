"""Probes as log records of OTLP, and back.

OTLP as JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

from glasshouse_bench import surfaces
from glasshouse_bench.surfaces import Json
from glasshouse_bench.unseen.probes import Probe

NUMBER = "probe.row"


def build(number: int, probe: Probe) -> Json:
    """Return one resource entry with the probe as body or attribute of its log record."""
    record: Json = {
        "timeUnixNano": str(time.time_ns()),
        "severityNumber": 9,
        "attributes": [{"key": NUMBER, "value": {"intValue": str(number)}}],
    }
    if probe.key:
        record["attributes"].append({"key": probe.key, "value": any_value(probe.text)})
    else:
        record["body"] = any_value(probe.text)
    resource = {"attributes": [surfaces.attribute("service.name", "unseen")]}
    return {"resource": resource, "scopeLogs": [{"logRecords": [record]}]}


def read(request: Json, probes: Sequence[Probe]) -> Iterator[tuple[int, Any]]:
    """Yield number and stored value of every probe in a request."""
    for entry in surfaces.entries("logs", request):
        attributes = entry.item.get("attributes", [])
        number = surfaces.find(attributes, NUMBER).get("intValue")
        if number is None:
            continue
        probe = probes[int(number)]
        if not probe.key:
            yield int(number), plain(entry.item.get("body", {}))
            continue
        others = [one["value"] for one in attributes if one["key"] != NUMBER]
        yield int(number), plain(others[0]) if others else None


def any_value(value: Any) -> Json:
    """Return a value of Python as OTLP writes it."""
    match value:
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode("ascii")}
        case list():
            return {"arrayValue": {"values": [any_value(one) for one in cast(list[Any], value)]}}
        case dict():
            items = cast(dict[str, Any], value).items()
            entries = [{"key": name, "value": any_value(one)} for name, one in items]
            return {"kvlistValue": {"values": entries}}
        case _:
            raise TypeError(f"a probe holds a {type(value).__name__}")


def plain(value: Json) -> Any:
    """Return a value of OTLP as Python has it."""
    for kind, content in value.items():
        match kind:
            case "intValue":
                return int(content)
            case "bytesValue":
                return base64.b64decode(content)
            case "arrayValue":
                return [plain(one) for one in content.get("values", [])]
            case "kvlistValue":
                return {one["key"]: plain(one["value"]) for one in content.get("values", [])}
            case _:
                return content
    return None
