"""What the distro leans on and upstream does not promise: each private name, once.

Run by the newest and the oldest release that `instrumentation/pyproject.toml` allows
(`make test-upstream`). A release that moves one of these names fails here, by name.
"""

import ast
import contextlib
import importlib
import inspect
import logging
import pkgutil
import re
import unittest.mock
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import procrastinate.worker
import pytest
import re2  # pyright: ignore[reportMissingTypeStubs]  # it has no types
from opentelemetry._logs import LogRecord
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.distro import OpenTelemetryDistro
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation import auto_instrumentation
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk import _configuration
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk._logs import LoggerProvider, ReadWriteLogRecord
from opentelemetry.sdk._logs._internal import SynchronousMultiLogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import Aggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import glasshouse
from glasshouse import guard
from glasshouse.capture.translate import translate
from glasshouse.delivery import exporter_arguments
from glasshouse.distro import _LOADER
from glasshouse.forks import INSTANCE, forget_counts, keep_given_instance
from glasshouse.guard.endpoints import endpoint_of

SOURCES = Path(glasshouse.__file__).parent

# Private modules and names that are imported.
IMPORTED = {
    "opentelemetry": {"_logs"},
    "opentelemetry._logs": {
        "LogRecord",
        "LoggerProvider",
        "NoOpLogger",
        "SeverityNumber",
        "_internal",
        "get_logger",
        "get_logger_provider",
        "set_logger_provider",
    },
    "opentelemetry.exporter.otlp.proto.common._log_encoder": {"encode_logs"},
    "opentelemetry._logs._internal": {"ProxyLogger"},
    "opentelemetry.exporter.otlp.proto.http._log_exporter": {"OTLPLogExporter"},
    "opentelemetry.sdk._configuration": {"_OTelSDKConfigurator"},
    "opentelemetry.sdk._logs": {
        "LogRecordProcessor",
        "Logger",
        "LoggerProvider",
        "ReadWriteLogRecord",
        "ReadableLogRecord",
    },
    "opentelemetry.sdk._logs._internal": {
        "ConcurrentMultiLogRecordProcessor",
        "SynchronousMultiLogRecordProcessor",
    },
    "opentelemetry.sdk._logs.export": {
        "BatchLogRecordProcessor",
        "InMemoryLogRecordExporter",
        "LogRecordExportResult",
        "LogRecordExporter",
        "SimpleLogRecordProcessor",
    },
    "opentelemetry.metrics": {"_internal"},
    "opentelemetry.sdk.metrics._internal": {"_view_instrument_match"},
    "opentelemetry.sdk.metrics._internal.aggregation": {
        "_DropAggregation",
        "_ExplicitBucketHistogramAggregation",
        "_LastValueAggregation",
        "_SumAggregation",
    },
    "opentelemetry.sdk.metrics._internal.instrument": {
        "_Counter",
        "_Gauge",
        "_Histogram",
        "_UpDownCounter",
    },
    "opentelemetry.sdk.metrics._internal.measurement_consumer": {"SynchronousMeasurementConsumer"},
    "opentelemetry.sdk.trace": {"_Span"},
    "opentelemetry.sdk.trace._tracer_metrics": {
        "NoOpTracerMetrics",
        "TracerMetrics",
        "parent_origin",
        "sampling_result",
    },
    "opentelemetry.semconv._incubating.attributes.otel_attributes": {
        "OTEL_SPAN_PARENT_ORIGIN",
        "OTEL_SPAN_SAMPLING_RESULT",
    },
    "opentelemetry.trace.propagation": {"_SPAN_KEY"},
}
# Private attributes of upstream's objects, reached by name.
REACHED = {
    "_ASYNC_CALLING_STACK",
    "_Anchor",
    "_CRLock",
    "_HEADERS_GETTER",
    "_LOGGER_PROVIDER",
    "_METER_PROVIDER",
    "_REQUEST_TELEMETRY_KEY",
    "_RUNTIME_CONTEXT",
    "_RequestTelemetry",
    "_SCHEMA_URL",
    "_SENSITIVE_QUERY_PARAMETERS",
    "_TRACER_PROVIDER",
    "_add_search_attributes",
    "_advisory",
    "_apply_request_client_attributes_to_span",
    "_apply_response_client_attributes_to_span",
    "_attribute_keys",
    "_attributes_aggregation",
    "_batch_processor",
    "_bootstrap",
    "_boundaries",
    "_build_span_meta_data_for_pipeline",
    "_build_span_name",
    "_commenter_enabled",
    "_context",
    "_core",
    "_create_aggregation",
    "_current_context",
    "_db_api_integration",
    "_decision",
    "_duration_histogram",
    "_end_time",
    "_endpoint",
    "_events",
    "_exception_type",
    "_exceptions",
    "_export_lock",
    "_exporter",
    "_extract_conn_attributes",
    "_extract_parameters",
    "_format_command_args",
    "_get_metric_attributes",
    "_get_running_loop",
    "_get_tracer",
    "_handlerList",
    "_handler_id",
    "_hash_attributes",
    "_headers",
    "_immutable",
    "_instrument_class_aggregation",
    "_instrument_view_instrument_matches",
    "_instrumentation_info",
    "_instrumentation_scope",
    "_is_enabled",
    "_kind",
    "_known_methods",
    "_leading_comment_remover",
    "_legacy_otel",
    "_limits",
    "_links",
    "_live_spans",
    "_local_parent_not_sampled",
    "_local_parent_sampled",
    "_log_record_limits",
    "_log_record_processors",
    "_logger_metrics",
    "_logger_provider",
    "_max",
    "_measurement_consumer",
    "_meter_config",
    "_metric_readers",
    "_min",
    "_mount_prefix",
    "_multi_log_record_processor",
    "_name",
    "_native_telemetry",
    "_new_links",
    "_on_ending",
    "_opentelemetry_logger_configurator",
    "_opentelemetry_meter_configurator",
    "_opentelemetry_tracer_configurator",
    "_parent",
    "_preferred_aggregation",
    "_preferred_temporality",
    "_process_event",
    "_process_job",
    "_processors",
    "_propagators",
    "_proxy_to_logger",
    "_reader_storages",
    "_record_end_metrics",
    "_record_exception",
    "_record_min_max",
    "_regexp",
    "_remote_parent_not_sampled",
    "_remote_parent_sampled",
    "_report_new",
    "_reservoir",
    "_reset_on_collect",
    "_returned_rows_histogram",
    "_root",
    "_sampler",
    "_sdk_config",
    "_sem_conv_opt_in_mode_db",
    "_server_attributes",
    "_set_collect_callback",
    "_set_connection_attributes",
    "_set_db_name",
    "_set_db_statement",
    "_set_db_system",
    "_set_items",
    "_set_status_on_exception",
    "_span_limits",
    "_span_processor",
    "_span_processors",
    "_start_time",
    "_started_spans",
    "_status",
    "_unconfigured",
    "_update_resource",
    "_view",
}
# Private methods of upstream's classes that ours replace.
OVERRIDDEN = {
    (Aggregation, "_create_aggregation"),
    (OpenTelemetryDistro, "_configure"),
    (_OTelSDKConfigurator, "_configure"),
    (SpanProcessor, "_on_ending"),
    (Span, "_add_event"),
    (Span, "_add_link"),
    (contextlib.ContextDecorator, "_recreate_cm"),
    (BaseInstrumentor, "_instrument"),
    (BaseInstrumentor, "_uninstrument"),
}
# Private names of our own that look like upstream's: keys, not attributes.
OWN = {"_dropped", "_id", "_inner", "_otel", "_otel_carrier", "_token"}
OURS = "_glasshouse_"
# Python's own, whose documentation has them.
DOCUMENTED = {"os._exit", "sys._current_frames"}
# The end of OpenTelemetry's variables that choose an exporter's session.
OWN |= {"_CREDENTIAL_PROVIDER"}
# The end of an attribute of events, after its domain.
OWN |= {"_session_id"}
# A method of named tuples that is public, as the library documents.
OWN |= {"_replace"}
# Our own method, called of a weak reference.
OWN |= {"_start_in_child"}
# Named among the slots of our own pattern and match.
OWN |= {"_match", "_spans"}


def trees() -> Iterator[ast.Module]:
    for path in sorted(SOURCES.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(glasshouse.__path__, "glasshouse."):
        yield importlib.import_module(found.name)


def is_private(name: str) -> bool:
    return re.fullmatch(r"_[a-zA-Z][a-zA-Z0-9_]*", name) is not None


def test_every_private_import_is_in_the_table() -> None:
    found: dict[str, set[str]] = {}
    for tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            if node.module.split(".")[0] in ("glasshouse", "__future__"):
                continue
            names = {alias.name for alias in node.names}
            if any(is_private(part) for part in node.module.split(".")):
                found.setdefault(node.module, set()).update(names)
            elif private := {name for name in names if is_private(name)}:
                found.setdefault(node.module, set()).update(private)
    assert found == IMPORTED


def test_every_private_attribute_is_in_the_table() -> None:
    found: set[str] = set()
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if is_private(node.value) else set()
            if not isinstance(node, ast.Attribute) or not is_private(node.attr):
                continue
            of_super = isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()"
            mine = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not of_super and not mine and ast.unparse(node) not in DOCUMENTED:
                found.add(node.attr)
    ours = {name for module in modules() for name in vars(module)}
    assert {name for name in found - OWN - ours if not name.startswith(OURS)} == REACHED


def test_every_overridden_method_is_in_the_table() -> None:
    found: set[tuple[type, str]] = set()
    for module in modules():
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if not cls.__module__.startswith("glasshouse"):
                continue
            for name, value in vars(cls).items():
                owners = [base for base in cls.__mro__[1:] if name in vars(base)]
                if owners and is_private(name) and inspect.isfunction(value):
                    found.add((owners[0], name))
    assert {pair for pair in found if not pair[0].__module__.startswith("glasshouse")} == OVERRIDDEN


@pytest.mark.parametrize("module", sorted(IMPORTED))
def test_a_private_module_has_the_names(module: str) -> None:
    upstream = importlib.import_module(module)
    assert {name for name in IMPORTED[module] if not hasattr(upstream, name)} == set()


def test_the_configurator_takes_what_the_distro_hands_on() -> None:
    parameters = inspect.signature(_configuration._initialize_components).parameters
    handed_on = {
        "resource_attributes",
        "span_processors",
        "log_record_processors",
        "export_span_processor",
        "export_log_record_processor",
    }
    assert handed_on - set(parameters) == set()


class _Collected:
    """A reader's receiver: what it gets."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider(metric_readers=[self.reader])


def test_the_provider_hands_readers_their_metrics_by_the_wrapped_method() -> None:
    parameters = inspect.signature(MetricReader._set_collect_callback).parameters
    assert list(parameters) == ["self", "func"]
    guard.install()
    collected = _Collected()
    try:
        counter = collected.provider.get_meter("test").create_counter("payments")
        counter.add(1, {"card": "4111111111111111"})
        data = collected.reader.get_metrics_data()
    finally:
        guard.uninstall()
        collected.provider.shutdown()
    assert data is not None
    assert "payments" in data.to_json()
    assert "4111111111111111" not in data.to_json()


def test_the_exporter_shows_where_it_sends_to() -> None:
    for exporter in (OTLPSpanExporter, OTLPLogExporter, OTLPMetricExporter):
        made = exporter(endpoint="http://127.0.0.1:1/v1/x")
        assert endpoint_of(made) == f"{exporter.__name__} http://127.0.0.1:1/v1/x"
    processors = (
        BatchSpanProcessor(OTLPSpanExporter(endpoint="http://127.0.0.1:1")),
        BatchLogRecordProcessor(OTLPLogExporter(endpoint="http://127.0.0.1:1")),
        PeriodicExportingMetricReader(OTLPMetricExporter(endpoint="http://127.0.0.1:1"), 3_600_000),
    )
    for processor in processors:
        assert str(endpoint_of(processor)).endswith(" http://127.0.0.1:1")


def test_the_loader_logs_under_the_name_that_is_quietened() -> None:
    loader = importlib.import_module(_LOADER)
    assert loader.__package__ == auto_instrumentation.__name__
    assert loader._logger is logging.getLogger(_LOADER)


def test_the_composite_of_propagators_shows_which() -> None:
    inner = [TraceContextTextMapPropagator(), W3CBaggagePropagator()]
    assert CompositePropagator(inner)._propagators == inner


def test_the_worker_processes_each_job_by_the_wrapped_method() -> None:
    process = procrastinate.worker.Worker._process_job
    assert inspect.iscoroutinefunction(process)
    assert list(inspect.signature(process).parameters)[:2] == ["self", "context"]


def test_counts_of_a_provider_begin_anew() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    try:
        counter = provider.get_meter("test").create_counter("payments")
        counter.add(5)
        forget_counts(provider)
        assert reader.get_metrics_data() is None
        counter.add(1)
        data = reader.get_metrics_data()
        assert data
        metric: Any = data.resource_metrics[0].scope_metrics[0].metrics[0]
        assert [point.value for point in metric.data.data_points] == [1]
    finally:
        provider.shutdown()


def test_a_provider_s_resource_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=mine")
    providers = (TracerProvider(), LoggerProvider(), MeterProvider())
    other = Resource({INSTANCE: "other"})
    for provider in providers:
        provider._update_resource(other)
    keep_given_instance(providers)
    try:
        span: Any = providers[0].get_tracer("test").start_span("test")
        assert span.resource.attributes[INSTANCE] == "mine"
        assert providers[1].resource.attributes[INSTANCE] == "mine"
        assert providers[2]._sdk_config.resource.attributes[INSTANCE] == "mine"
    finally:
        for provider in providers:
            provider.shutdown()


def test_records_that_skip_their_constructors_have_all_its_fields() -> None:
    plain = logging.makeLogRecord({"msg": "Paid", "levelno": 20})
    assert vars(translate(plain)).keys() == vars(LogRecord(body="Paid")).keys()
    provider, found = LoggerProvider(), list[Any]()
    with unittest.mock.patch.object(SynchronousMultiLogRecordProcessor, "on_emit") as on_emit:
        made = ReadWriteLogRecord(LogRecord(body="Paid"))
        provider.get_logger("shop").emit(LogRecord(body="Paid"))
        found.append(on_emit.call_args.args[0])
    provider.shutdown()
    assert vars(found[0]).keys() == vars(made).keys()
    assert vars(found[0]).keys() == {"log_record", "resource", "instrumentation_scope", "limits"}


def test_an_expression_of_re2_searches_through_what_is_put_in() -> None:
    assert vars(type(re2.compile("a"))).keys() >= {"_regexp"}
    anchors = {"UNANCHORED", "ANCHOR_START", "ANCHOR_BOTH"}
    assert vars(re2._Anchor).keys() >= anchors
    assert re2.compile("(a)|b")._regexp.Match(re2._Anchor.UNANCHORED, b"xb", 0, 2) == [
        (1, 2),
        (-1, -1),
    ]


def test_exporters_take_what_makes_their_outcome_known() -> None:
    arguments = exporter_arguments()
    assert {one.__name__ for one in arguments} >= {
        "OTLPSpanExporter",
        "OTLPLogExporter",
        "OTLPMetricExporter",
    }
    for exporter, given in arguments.items():
        assert set(given) <= set(inspect.signature(exporter.__init__).parameters)


@pytest.mark.parametrize(
    ("exporter", "encode"),
    [(OTLPSpanExporter, "encode_spans"), (OTLPLogExporter, "encode_logs")],
)
def test_an_exporter_sends_what_its_module_s_function_encodes(
    exporter: type[Any], encode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def encoding(batch: object) -> object:
        asked.append(batch)
        raise KeyError

    made = exporter(endpoint="http://127.0.0.1:1", timeout=0.1)
    monkeypatch.setattr(importlib.import_module(exporter.__module__), encode, encoding)
    batch: list[object] = []
    with contextlib.suppress(KeyError):
        made.export(batch)
    assert asked == [batch]
    assert asked[0] is batch
    source = inspect.getsource(exporter.export)
    assert re.search(rf"{encode}\(\w+\)\.Serialize(Partial)?ToString\(\)", source)
