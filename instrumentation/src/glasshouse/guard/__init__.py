"""Stands between the SDK's providers and whatever receives from them.

A processor, an exporter or a metric reader gets redacted copies that can be encoded, whoever adds
it and whenever: the guard sits where the SDK takes it in. Nothing that such a part does raises
into the application.

Specification of the places: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-processor,
https://opentelemetry.io/docs/specs/otel/logs/sdk/#logrecordprocessor and
https://opentelemetry.io/docs/specs/otel/metrics/sdk/#metricreader.
"""

from glasshouse.guard.install import install, uninstall

__all__ = ["install", "uninstall"]
