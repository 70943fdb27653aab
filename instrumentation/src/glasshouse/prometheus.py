"""Metrics to be fetched: the SDK's own, as Prometheus text, beside or instead of the push.

On with ``OTEL_METRICS_EXPORTER=otlp,glasshouse_prometheus`` and the extra
``glasshouse[prometheus]``. No port is opened: the service serves `prometheus_text` where it
likes, behind its own access control.
"""

from typing import Any, Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# Its own: the global registry holds whatever else the process counts.
_REGISTRY: Final = CollectorRegistry()
_readers: Final[list["PullReader"]] = []


class PullReader(PrometheusMetricReader):
    """Collects when it is asked. Names are made as the Collector's way to Prometheus makes them."""

    def __init__(self) -> None:
        super().__init__(scope_info_enabled=False, registry=_REGISTRY)
        _readers.append(self)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop being asked."""
        if self in _readers:
            _readers.remove(self)
            super().shutdown(timeout_millis, **kwargs)  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped


def prometheus_text() -> bytes | None:
    """Return all metrics of this process; ``None`` while no reader is set up."""
    return generate_latest(_REGISTRY) if _readers else None
