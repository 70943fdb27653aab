"""Counts what was delivered and what was given up, under the names of the SDK's own metrics."""

import contextlib
import functools
import os
from collections import Counter
from typing import Any, Final

from opentelemetry import metrics

from glasshouse.delivery.kinds import Kind

ENABLED_VARIABLE: Final = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
# The SDK's own scope: these are its metrics, counted where the outcome is known.
_SCOPE: Final = "opentelemetry-sdk"
_numbers: Final[Counter[str]] = Counter()


@functools.cache
def _instruments(item: str) -> tuple[metrics.Counter, metrics.UpDownCounter]:
    meter = metrics.get_meter(_SCOPE)
    exported = meter.create_counter(
        f"otel.sdk.exporter.{item}.exported",
        unit=f"{{{item}}}" if item != "metric_data_point" else "{data_point}",
        description="Items whose export has finished, successfully or not",
    )
    inflight = meter.create_up_down_counter(
        f"otel.sdk.exporter.{item}.inflight",
        unit=f"{{{item}}}" if item != "metric_data_point" else "{data_point}",
        description="Items that were passed to the exporter and not yet exported",
    )
    return exported, inflight


class Counts:
    """The counters of one exporter. Counting never raises.

    https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
    """

    def __init__(self, kind: Kind, exporter: Any) -> None:
        self._item = kind.item
        self._enabled = os.environ.get(ENABLED_VARIABLE, "").strip().lower() == "true"
        exporter_type: Any = exporter.__class__
        component = _component(kind, exporter_type)
        if self._enabled:
            # Now: a provider that is shutting down gives no meter any more.
            _instruments(self._item)
        number = _numbers[component]
        _numbers[component] += 1
        self._attributes = {
            "otel.component.type": component,
            "otel.component.name": f"{component}/{number}",
        }

    def taken(self, count: int) -> None:
        """Count items that wait from now on."""
        self._add(1, count, self._attributes)

    def ended(self, count: int, reason: str = "") -> None:
        """Count items that were delivered or, with a reason, given up."""
        self._add(1, -count, self._attributes)
        self._add(0, count, {**self._attributes, **({"error.type": reason} if reason else {})})

    def replaced(self, count: int) -> None:
        """Count items that wait no longer because newer ones say all that they said."""
        self._add(1, -count, self._attributes)

    def _add(self, which: int, count: int, attributes: dict[str, str]) -> None:
        if self._enabled and count:
            with contextlib.suppress(Exception):
                _instruments(self._item)[which].add(count, attributes)


def _component(kind: Kind, exporter: type[Any]) -> str:
    for protocol in ("http", "grpc"):
        if exporter.__module__.startswith(f"opentelemetry.exporter.otlp.proto.{protocol}"):
            name = "metric" if kind.signal == "metrics" else kind.item
            return f"otlp_{protocol}_{name}_exporter"
    return f"{exporter.__module__}.{exporter.__qualname__}"
