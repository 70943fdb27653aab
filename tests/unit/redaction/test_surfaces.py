"""Every Python surface: what leaves the process, and what stays as it was."""

import copy
import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceState

from glasshouse.formatters import JsonFormatter, TextFormatter
from glasshouse.redaction import Redactor
from glasshouse.redaction.masks import UNCHECKED
from glasshouse.redaction.telemetry import TelemetryRedactor

KEY = b"glasshouse-test-key-0123456789abcdef"
EMAIL = "jane.canary@mail.example"
CARD = "4111 1111 1111 1111"
TEXT = f"{EMAIL} paid with {CARD}"


class Passing(Redactor):
    """The positive control: redaction that does nothing."""

    def __init__(self) -> None:
        pass

    def for_caller(self, characters: int = 0) -> Redactor:
        return self

    def text(self, text: str) -> str:
        return text

    def value(self, value: Any, key: str = "") -> Any:
        return value

    def name(self, key: str) -> str:
        return key


class Failing(Passing):
    """A redactor that breaks on everything."""

    def text(self, text: str) -> str:
        raise RuntimeError(text)

    value = name = text  # type: ignore[assignment]


@pytest.fixture(params=["on", "off"])
def redaction(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def active(redaction: str, redactor: Redactor) -> Redactor:
    return redactor if redaction == "on" else Passing()


@pytest.fixture
def unchecked() -> list[str]:
    return []


@pytest.fixture
def telemetry(active: Redactor, unchecked: list[str]) -> TelemetryRedactor:
    return TelemetryRedactor(active, unchecked.append)


def leaks(value: object) -> bool:
    text = value if isinstance(value, str) else repr(value)
    return EMAIL in text or CARD in text


def finished_span(**fill: Any) -> ReadableSpan:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource(fill.get("resource", {"service.name": "shop"})))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer(
        fill.get("scope", "tests"), attributes=fill.get("scope_attributes")
    ).start_as_current_span(
        fill.get("name", "GET /orders"), links=fill.get("links"), attributes={"order": "word"}
    ) as span:
        span.set_attributes(fill.get("attributes", {}))
        for name, attributes in fill.get("events", {}).items():
            span.add_event(name, attributes)
        if "error" in fill:
            span.record_exception(fill["error"])
            span.set_status(Status(StatusCode.ERROR, str(fill["error"])))
    return exporter.get_finished_spans()[0]


def linked(state: str) -> list[Link]:
    context = SpanContext(1, 2, False, trace_state=TraceState([("vendor", state)]))
    return [Link(context, {"note": TEXT})]


SPANS: dict[str, dict[str, Any]] = {
    "name": {"name": f"GET /{EMAIL}"},
    "attribute": {"attributes": {"note": TEXT}},
    "list attribute": {"attributes": {"notes": ["fine", TEXT]}},
    "event": {"events": {f"mail to {EMAIL}": {"note": TEXT}}},
    "exception and status": {"error": ValueError(TEXT)},
    "link": {"links": linked("fine")},
    "trace state": {"links": linked(EMAIL)},
    "resource": {"resource": {"service.name": "shop", "owner": EMAIL}},
    "scope": {"scope": f"tests of {EMAIL}"},
    "scope attribute": {"scope_attributes": {"owner": EMAIL}},
}


@pytest.mark.parametrize("surface", SPANS)
def test_a_span(telemetry: TelemetryRedactor, redaction: str, surface: str) -> None:
    span = finished_span(**SPANS[surface])
    before = span.to_json()
    [sent] = telemetry.spans([span])
    shown = sent.to_json() + "".join(
        f"{link.context.trace_state} {link.attributes}" for link in sent.links
    )
    scope = sent.instrumentation_scope
    assert scope is not None
    shown += scope.to_json()
    # The sentinel: the span itself is there, with what is harmless.
    assert '"order": "word"' in shown
    assert leaks(shown) is (redaction == "off")
    # The application's own span is as it was.
    assert span.to_json() == before
    assert sent.context == span.context
    assert (sent.start_time, sent.end_time) == (span.start_time, span.end_time)


def test_a_span_without_hits_is_handed_on_as_it_is(redactor: Redactor) -> None:
    telemetry = TelemetryRedactor(redactor, lambda _: None)
    span = finished_span(attributes={"note": "fine", "code": 202, "tags": ("one", "two")})
    assert telemetry.spans([span, span]) == [span, span]


def test_a_known_attribute_does_not_hide_another(redactor: Redactor) -> None:
    telemetry = TelemetryRedactor(redactor, lambda _: None)
    values = {"note": "hunter2", "other": CARD}
    for _ in range(2):
        [sent] = telemetry.spans([finished_span(attributes=values)])
        assert sent.attributes == {"order": "word", "note": "hunter2", "other": "[card:1111]"}
    # The same text is a secret under another name.
    [sent] = telemetry.spans([finished_span(attributes={"password": "hunter2"})])
    assert sent.attributes == {"order": "word", "password": "[password]"}


def test_a_span_without_hits_costs_little_more_than_its_json(redactor: Redactor) -> None:
    telemetry = TelemetryRedactor(redactor, lambda _: None)
    attributes = {f"shop.attribute_{number}": "some ordinary value" for number in range(12)}
    span = finished_span(attributes=attributes)

    def best(run: Callable[[], object]) -> float:
        times: list[float] = []
        for _ in range(20):
            started = time.thread_time()
            for _ in range(50):
                run()
            times.append(time.thread_time() - started)
        return min(times)

    # About twice as long; past 10 clean texts are scanned anew each time.
    assert best(lambda: telemetry.spans([span])) < 10 * best(lambda: json.dumps(attributes))


def emitted(record: LogRecord) -> Any:
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("tests").emit(record)
    [finished] = exporter.get_finished_logs()
    return finished


LOGS: dict[str, dict[str, Any]] = {
    "text": {"body": TEXT},
    "map": {"body": {"customer": {"note": [TEXT]}}},
    "json": {"body": json.dumps({"note": TEXT})},
    "attribute": {"body": "order", "attributes": {"note": TEXT}},
    "key": {"body": "order", "attributes": {EMAIL: "1"}},
    "event name": {"body": "order", "event_name": f"sent.{EMAIL}"},
    "severity": {"body": "order", "severity_text": EMAIL},
    "exception": {"body": "order", "exception": ValueError(TEXT)},
}


@pytest.mark.parametrize("surface", LOGS)
def test_a_log_record(telemetry: TelemetryRedactor, redaction: str, surface: str) -> None:
    fill = copy.deepcopy({k: v for k, v in LOGS[surface].items() if k != "exception"})
    if surface == "exception":
        fill["exception"] = ValueError(TEXT)
    fill["attributes"] = {"word": "sentinel", **(fill.get("attributes") or {})}
    record = emitted(LogRecord(severity_number=SeverityNumber.INFO, **fill))
    before = repr(vars(record.log_record))
    [sent] = telemetry.logs([record])
    shown = repr(vars(sent.log_record))
    assert "sentinel" in shown
    assert leaks(shown) is (redaction == "off")
    assert repr(vars(record.log_record)) == before


def test_a_metric(telemetry: TelemetryRedactor, redaction: str) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    provider.get_meter("tests").create_counter("orders", unit=f"of {EMAIL}").add(
        3, {"customer": TEXT, "word": "x"}
    )
    data = reader.get_metrics_data()
    assert data is not None
    shown = telemetry.metrics(data).to_json()
    assert '"word": "x"' in shown
    assert '"value": 3' in shown
    assert leaks(shown) is (redaction == "off")
    assert leaks(data.to_json())


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("surface", ["message", "argument", "field", "nested", "exception"])
def test_a_console_line(active: Redactor, redaction: str, style: str, surface: str) -> None:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        JsonFormatter("shop", active) if style == "json" else TextFormatter(active)
    )
    logger = logging.Logger("tests")
    logger.addHandler(handler)
    match surface:
        case "message":
            logger.info("word " + TEXT)  # noqa: G003 (as careless code does)
        case "argument":
            logger.info("word %s", TEXT)
        case "field":
            logger.info("word", extra={"note": TEXT})
        case "nested":
            logger.info("word", extra={"note": {"inner": [TEXT]}})
        case _:
            try:
                raise ValueError(TEXT)
            except ValueError:
                logger.exception("word")
    assert "word" in output.getvalue()
    assert leaks(output.getvalue()) is (redaction == "off")


def test_what_cannot_be_checked_becomes_a_marker_and_is_counted() -> None:
    unchecked: list[str] = []
    telemetry = TelemetryRedactor(Failing(), unchecked.append)
    span = finished_span(attributes={"note": TEXT}, error=ValueError(TEXT))
    [sent] = telemetry.spans([span])
    assert sent.name == UNCHECKED
    assert sent.context == span.context
    assert not leaks(sent.to_json())
    [log] = telemetry.logs([emitted(LogRecord(body=TEXT, attributes={"note": TEXT}))])
    assert log.log_record.body == UNCHECKED
    assert not leaks(repr(vars(log.log_record)))
    assert unchecked == ["traces", "logs"]


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Endless(Mapping[str, Any]):
    """A map that holds itself."""

    def __getitem__(self, key: str) -> Any:
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(["self"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("value", [Hostile(), {"note": Hostile()}, [Hostile()]])
def test_an_object_that_cannot_be_printed_is_a_marker(redactor: Redactor, value: Any) -> None:
    assert redactor.value(value) == UNCHECKED


def test_a_circle_ends_in_a_marker(redactor: Redactor) -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert UNCHECKED in repr(redactor.value(circle))
    assert UNCHECKED in repr(redactor.value(Endless()))


LONG = "x" * 2_000_000  # more than the policy lets be checked


@pytest.mark.parametrize(
    ("value", "times"),
    [
        (Hostile(), 1),
        ({"note": Hostile()}, 1),
        (LONG, 1),
        ([LONG, "fine", LONG], 2),
        ({LONG: "fine"}, 1),
        (LONG.encode(), 1),
        ({"note": TEXT, "number": 4111111111111111}, 0),
    ],
    ids=["object", "object in a map", "text", "texts", "name", "bytes", "checked"],
)
def test_each_value_that_becomes_a_marker_is_counted(value: Any, times: int) -> None:
    counted: list[None] = []
    redactor = Redactor.load(key=KEY, unchecked=lambda: counted.append(None))
    assert repr(redactor.value(value)).count(UNCHECKED) == times
    assert len(counted) == times


def test_levels_without_end_are_counted() -> None:
    counted: list[None] = []
    redactor = Redactor.load(key=KEY, unchecked=lambda: counted.append(None))
    assert UNCHECKED in repr(redactor.value(Endless()))
    assert len(counted) == 1


def test_a_counter_that_breaks_does_not_reach_the_application() -> None:
    def broken() -> None:
        raise RuntimeError("no counter")

    redactor = Redactor.load(key=KEY, unchecked=broken)
    assert redactor.text(LONG) == UNCHECKED
    assert redactor.value(Hostile()) == UNCHECKED


PROCESS = """
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from glasshouse.redaction import Redactor
from glasshouse.redaction.process import telemetry_redactor

reader = InMemoryMetricReader()
Redactor.default().text("x" * 2_000_000)  # before there is a provider: not counted, no error
set_meter_provider(MeterProvider([reader]))
Redactor.default().text("x" * 2_000_000)
telemetry_redactor().metrics(None)  # no metrics: the check breaks
for resource in reader.get_metrics_data().resource_metrics:
    for scope in resource.scope_metrics:
        for metric in scope.metrics:
            for point in metric.data.data_points:
                print(metric.name, point.value, dict(point.attributes))
"""


def test_the_process_counts_records_and_values() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROCESS], capture_output=True, text=True, timeout=120, check=False
    )
    name = "glasshouse.redaction.unchecked"
    assert ran.stdout.splitlines() == [
        f"{name} 1 {{'replaced': 'value'}}",
        f"{name} 1 {{'replaced': 'record', 'signal': 'metrics'}}",
    ], ran.stderr


def test_the_callers_objects_are_not_changed(redactor: Redactor) -> None:
    value = {"note": [TEXT, {"password": "hunter2"}], "card": 4111111111111111}
    before = copy.deepcopy(value)
    assert not leaks(redactor.value(value))
    assert value == before


def test_a_text_over_the_limit_is_not_passed_unchecked(redactor: Redactor) -> None:
    assert redactor.text("x" * 2_000_000) == UNCHECKED
