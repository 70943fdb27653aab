"""Walking requests in OTLP's JSON form.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

Item = dict[str, Any]

OUTER: Final = {"logs": "resourceLogs", "traces": "resourceSpans", "metrics": "resourceMetrics"}


class Stored(ABC):
    """Requests that were stored somewhere, in OTLP's JSON form."""

    @abstractmethod
    def stored(self, signal: str) -> list[Item]:
        """Return every whole request of ``signal``: "logs", "traces" or "metrics"."""

    def log_records(self) -> list[Item]:
        """Return all log records, without the resources and scopes around them."""
        return self._items("logs", "scopeLogs", "logRecords")

    def spans(self) -> list[Item]:
        """Return all spans, as `log_records` does."""
        return self._items("traces", "scopeSpans", "spans")

    def metrics(self) -> list[Item]:
        """Return all metrics, as `log_records` does."""
        return self._items("metrics", "scopeMetrics", "metrics")

    def _items(self, signal: str, inner: str, items: str) -> list[Item]:
        return [
            item
            for request in self.stored(signal)
            for resource in request[OUTER[signal]]
            for scope in resource[inner]
            for item in scope[items]
        ]


def attribute(item: Mapping[str, Any], key: str) -> Any:
    """Return one attribute of a span, log record or resource, None when it has none."""
    for entry in item.get("attributes", []):
        if entry["key"] == key:
            return next(iter(entry["value"].values()))
    return None
