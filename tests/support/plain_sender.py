"""A service with the stock SDK, which knows nothing of the distro: run as a process of its own.

It is configured by OpenTelemetry's variables alone, and sends one log, one span and one counter.
"""

import time

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

BODY = "a book was sold to reader@example.com"
SPAN = "GET /books"
METRIC = "books.sold"


def main() -> None:
    """Send it, and end once it is sent or refused."""
    traces, logs = TracerProvider(), LoggerProvider()
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    record = LogRecord(timestamp=time.time_ns(), body=BODY, severity_number=SeverityNumber.INFO)
    with traces.get_tracer("books").start_as_current_span(SPAN):
        logs.get_logger("books").emit(record)
        metrics.get_meter("books").create_counter(METRIC).add(1)
    for provider in (traces, logs, metrics):
        provider.shutdown()


if __name__ == "__main__":
    main()
