"""OTLP/HTTP as JSON: building what is sent, walking what was stored.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

import secrets
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

import httpx

from glasshouse.testing.otlp_json import OUTER, Stored

__all__ = [
    "BELIEVED",
    "NONE",
    "OUTER",
    "Attributes",
    "Sender",
    "Stored",
    "attributes",
    "gauge",
    "log",
    "span",
    "value",
]

Attributes = Mapping[str, str | int | float | bool]
NONE: Attributes = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def value(item: Any) -> dict[str, Any]:
    """Return one AnyValue."""
    match item:
        case bool():
            return {"boolValue": item}
        case int():
            return {"intValue": str(item)}
        case float():
            return {"doubleValue": item}
        case _:
            return {"stringValue": str(item)}


def attributes(items: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(item)} for key, item in items.items()]


def log(body: str, items: Attributes = NONE, *, event: str = "") -> dict[str, Any]:
    return {
        "timeUnixNano": str(time.time_ns()),
        "severityNumber": 9,
        "severityText": "INFO",
        "body": {"stringValue": body},
        "attributes": attributes(items),
        "eventName": event,
    }


def span(name: str, items: Attributes = NONE, *, trace_id: str | None = None) -> dict[str, Any]:
    now = time.time_ns()
    return {
        "traceId": trace_id or secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1_000_000),
        "attributes": attributes(items),
    }


def gauge(name: str, number: float, items: Attributes = NONE) -> dict[str, Any]:
    point = {
        "timeUnixNano": str(time.time_ns()),
        "asDouble": number,
        "attributes": attributes(items),
    }
    return {"name": name, "gauge": {"dataPoints": [point]}}


BELIEVED = "backend-worker"
"""A service whose events count (collector/config.yaml)."""


class Sender:
    """Sends to one OTLP/HTTP endpoint, as one service, or one instance of it.

    headers: what it shows to be let in.
    """

    def __init__(
        self,
        endpoint: str,
        service: str,
        headers: Mapping[str, str] = _NO_HEADERS,
        *,
        instance: str = "",
    ) -> None:
        self._client = httpx.Client(base_url=endpoint, timeout=60, headers=headers)
        resource = {"service.name": service}
        if instance:
            resource["service.instance.id"] = instance
        self._resource = {"attributes": attributes(resource)}

    def logs(self, records: Iterable[dict[str, Any]]) -> None:
        self._post("logs", "scopeLogs", "logRecords", records)

    def spans(self, spans: Iterable[dict[str, Any]]) -> None:
        self._post("traces", "scopeSpans", "spans", spans)

    def metrics(self, metrics: Iterable[dict[str, Any]]) -> None:
        self._post("metrics", "scopeMetrics", "metrics", metrics)

    def _post(self, path: str, inner: str, field: str, items: Iterable[dict[str, Any]]) -> None:
        scopes = [{"scope": {"name": "tests"}, field: list(items)}]
        self.entries(path, [{"resource": self._resource, inner: scopes}])

    def entries(self, signal: str, resources: Iterable[dict[str, Any]]) -> None:
        """Send whole resource entries of ``signal``: "logs", "traces" or "metrics"."""
        answer = self._client.post(f"/v1/{signal}", json={OUTER[signal]: list(resources)})
        answer.raise_for_status()

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
