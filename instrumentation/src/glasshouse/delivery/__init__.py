"""Delivery: what an exporter is given waits in a bounded buffer until the Collector takes it."""

from glasshouse.delivery.attempts import exporter_arguments
from glasshouse.delivery.bounds import Bounds, bounds_from
from glasshouse.delivery.exporters import (
    BufferedLogExporter,
    BufferedMetricExporter,
    BufferedSpanExporter,
    buffer_reader,
    log_record_processor,
    metric_exporter,
    span_processor,
)
from glasshouse.delivery.token import token_from

__all__ = [
    "Bounds",
    "BufferedLogExporter",
    "BufferedMetricExporter",
    "BufferedSpanExporter",
    "bounds_from",
    "buffer_reader",
    "exporter_arguments",
    "log_record_processor",
    "metric_exporter",
    "span_processor",
    "token_from",
]
