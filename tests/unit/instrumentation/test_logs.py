"""The console's lines: one JSON object each, in one shape."""

import json
import logging
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from glasshouse.context import Ids, with_ids
from glasshouse.errors import ConfigurationError
from glasshouse.formatters import GcpFormatter, JsonFormatter, TextFormatter
from glasshouse.logs import configure_logging


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
    span = NonRecordingSpan(SpanContext(0xAB, 0xCD, is_remote=False, trace_flags=TraceFlags(1)))
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


def test_a_field_cannot_pass_for_a_fixed_key() -> None:
    extra = {"level": "fatal", "service": "bank", "timestamp": "never", "order": 7}
    fields = json.loads(JsonFormatter("api").format(record(**extra)))
    assert (fields["level"], fields["service"]) == ("info", "api")
    assert (fields["level_"], fields["service_"], fields["order"]) == ("fatal", "bank", 7)


def test_a_line_is_json_whatever_the_fields_are() -> None:
    extra = {"share": float("nan"), "pairs": {(1, 2): 3}, "half": "\ud800", "tags": {"a"}}
    line = JsonFormatter("api").format(record(**extra))
    assert json.loads(line, parse_constant=pytest.fail)["share"] == "nan"
    assert json.loads(line)["half"] == "\ud800"
    assert line.encode()


def test_a_line_of_text_is_one_line() -> None:
    line = TextFormatter().format(record(msg="Paid\n2026 ERROR", note="a\r\nb"))
    assert line.endswith(r"Paid\n2026 ERROR note=a\r\nb")


UNCAUGHT = """
import logging, threading, warnings
from glasshouse import configure_logging
configure_logging()
class Unprintable:
    def __str__(self): raise RuntimeError
class Cleaned:
    def __del__(self): raise RuntimeError("in clean-up")
logging.getLogger().addHandler(logging.StreamHandler())  # one that shows what it cannot format
logging.getLogger("shop").error("%s %s", Unprintable(), "SECRET")
logging.getLogger().removeHandler(logging.getLogger().handlers[-1])
warnings.warn("old")
thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()
Cleaned()
raise LookupError("last")
"""


def test_everything_a_process_says_is_in_the_one_shape() -> None:
    environment = {**os.environ, "GLASSHOUSE_HMAC_KEY": "sixteen bytes or more"}
    ended = subprocess.run(
        [sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, env=environment
    )
    assert ended.returncode == 1
    assert ended.stderr == ""
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert all(
        {"timestamp", "level", "message", "logger", "service"} <= line.keys() for line in lines
    )
    logged = [
        (line["logger"], line["level"], line.get("exception", "").split()[-2:]) for line in lines
    ]
    uncaught = "glasshouse.uncaught"
    assert logged == [
        ("shop", "error", []),
        ("py.warnings", "warning", []),
        (uncaught, "error", ["by", "zero"]),
        (uncaught, "error", ["in", "clean-up"]),
        (uncaught, "critical", ["LookupError:", "last"]),
    ]
    assert (lines[0]["message"], lines[0]["error.type"]) == ("[unloggable]", "RuntimeError")
    assert "SECRET" not in ended.stdout


@pytest.mark.parametrize(("variable", "value"), [("LOG_LEVEL", "LOUD"), ("LOG_FORMAT", "xml")])
def test_another_value_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{variable}: '{value}' is not one of "):
        configure_logging({variable: value})


# For Google's Cloud Logging. What it reads from a line:
# https://docs.cloud.google.com/logging/docs/structured-logging#special-payload-fields


def gcp(project: str | None = None, **extra: Any) -> dict[str, Any]:
    return json.loads(GcpFormatter("api", project=project).format(record(**extra)))


def test_a_line_for_cloud_logging_has_its_keys_and_none_of_ours_in_their_place() -> None:
    assert gcp() == {
        "severity": "INFO",
        "time": "2023-11-14T22:13:20.250Z",
        "message": "Paid",
        "logger": "shop",
        "service": "api",
    }


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (1, "DEFAULT"),
        (logging.DEBUG, "DEBUG"),
        (logging.INFO, "INFO"),
        (25, "INFO"),
        (logging.WARNING, "WARNING"),
        (logging.ERROR, "ERROR"),
        (logging.CRITICAL, "CRITICAL"),
        (70, "CRITICAL"),
    ],
)
def test_a_severity_is_one_that_cloud_logging_knows(level: int, severity: str) -> None:
    assert gcp(levelno=level, levelname="a level of its own")["severity"] == severity


@pytest.mark.parametrize(
    ("project", "name"),
    [(None, f"{0xAB:032x}"), ("shop-1", f"projects/shop-1/traces/{0xAB:032x}")],
)
def test_cloud_logging_finds_the_trace(project: str | None, name: str) -> None:
    span = NonRecordingSpan(SpanContext(0xAB, 0xCD, is_remote=False, trace_flags=TraceFlags(1)))
    context = trace.set_span_in_context(span, with_ids(Ids("request-1", "correlation-1")))
    token = otel_context.attach(context)
    try:
        fields = gcp(project)
    finally:
        otel_context.detach(token)
    assert {key: fields[key] for key in fields if "googleapis" in key} == {
        "logging.googleapis.com/trace": name,
        "logging.googleapis.com/spanId": f"{0xCD:016x}",
        "logging.googleapis.com/trace_sampled": True,
    }
    assert (fields["requestId"], fields["correlationId"]) == ("request-1", "correlation-1")


def test_no_field_passes_for_one_that_cloud_logging_reads() -> None:
    extra = {
        "severity": "EMERGENCY",
        "time": "never",
        "timestamp": "2000-01-01T00:00:00Z",
        "httpRequest": {"status": 500},
        "logging.googleapis.com/trace": "another",
        "order": 7,
    }
    fields = gcp(**extra)
    assert {key for key in fields if not key.endswith("_")} == {
        "severity",
        "time",
        "message",
        "logger",
        "service",
        "order",
    }
    assert fields["severity"] == "INFO"
    assert fields["severity_"] == "EMERGENCY"
    assert fields["logging.googleapis.com/trace_"] == "another"


def test_a_process_writes_for_cloud_logging_where_it_is_asked_to() -> None:
    code = (
        "import logging; from glasshouse import configure_logging; configure_logging();"
        "logging.getLogger('shop').error('Mail to jane@example.com failed')"
    )
    environment = {**os.environ, "LOG_FORMAT": "gcp", "OTEL_SERVICE_NAME": "shop"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    fields = json.loads(ran.stdout)
    assert (fields["severity"], fields["service"]) == ("ERROR", "shop")
    assert re.fullmatch(r"Mail to \[email:\w+\] failed", fields["message"])
    assert "level" not in fields
