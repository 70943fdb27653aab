"""The console's lines: one JSON object each, in one shape."""

import json
import logging

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext

from glasshouse.context import Ids, with_ids
from glasshouse.errors import ConfigurationError
from glasshouse.logs import JsonFormatter, TextFormatter, configure_logging

pytestmark = pytest.mark.static


def record(**extra: object) -> logging.LogRecord:
    values = {"name": "shop", "levelno": logging.INFO, "levelname": "INFO", "msg": "Paid"}
    return logging.makeLogRecord({**values, "created": 1700000000.25, **extra})


def test_a_line_has_the_fixed_keys_first() -> None:
    line = JsonFormatter("api").format(record())
    assert json.loads(line) == {
        "timestamp": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "message": "Paid",
        "logger": "shop",
        "service": "api",
    }
    assert list(json.loads(line)) == ["timestamp", "level", "message", "logger", "service"]


def test_an_event_shows_its_fields_by_their_console_names() -> None:
    extra = {
        "otel.event.name": "payment.created",
        "event": "payment.created",
        "payment.transaction_id": "tx_1",
    }
    fields = json.loads(JsonFormatter("api").format(record(**extra)))
    assert fields["event"] == "payment.created"
    assert fields["transactionId"] == "tx_1"
    assert not any("." in key for key in fields)


def test_ids_and_trace_are_on_the_line() -> None:
    span = NonRecordingSpan(SpanContext(trace_id=0xAB, span_id=0xCD, is_remote=False))
    context = trace.set_span_in_context(span, with_ids(Ids("request-1", "correlation-1")))
    token = otel_context.attach(context)
    try:
        fields = json.loads(JsonFormatter("api").format(record()))
    finally:
        otel_context.detach(token)
    assert fields["requestId"] == "request-1"
    assert fields["correlationId"] == "correlation-1"
    assert fields["traceId"] == f"{0xAB:032x}"
    assert fields["spanId"] == f"{0xCD:016x}"


def test_text_ends_with_the_fields() -> None:
    assert TextFormatter().format(record(order=7)).endswith("INFO    shop: Paid order=7")


@pytest.mark.parametrize(("variable", "value"), [("LOG_LEVEL", "LOUD"), ("LOG_FORMAT", "xml")])
def test_another_value_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{variable}: '{value}' is not one of "):
        configure_logging({variable: value})
