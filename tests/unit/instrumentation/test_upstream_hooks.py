"""What the distro leans on and upstream does not promise: each private name, once.

Run by the newest and the oldest release that `instrumentation/pyproject.toml` allows
(`make test-upstream`). A release that moves one of these names fails here, by name.
"""

import ast
import importlib
import inspect
import logging
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import procrastinate.worker
import pytest
from opentelemetry.distro import OpenTelemetryDistro
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation import auto_instrumentation
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.sdk import _configuration
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    InMemoryMetricReader,
    PeriodicExportingMetricReader,
)

import glasshouse
from glasshouse.distro import _LOADER
from glasshouse.redaction.exporters import RedactingMetricExporter, redact_reader

SOURCES = Path(glasshouse.__file__).parent

# Private modules and names that are imported.
IMPORTED = {
    "opentelemetry._logs": {
        "LogRecord",
        "SeverityNumber",
        "get_logger_provider",
        "set_logger_provider",
    },
    "opentelemetry.sdk._configuration": {"_OTelSDKConfigurator"},
    "opentelemetry.sdk._logs": {
        "LogRecordProcessor",
        "LoggerProvider",
        "ReadWriteLogRecord",
        "ReadableLogRecord",
    },
    "opentelemetry.sdk._logs.export": {
        "BatchLogRecordProcessor",
        "InMemoryLogRecordExporter",
        "LogRecordExportResult",
        "LogRecordExporter",
        "SimpleLogRecordProcessor",
    },
}
# Private attributes of upstream's objects, reached by name.
REACHED = {"_exporter", "_metric_readers", "_process_job"}
# Private methods of upstream's classes that ours replace.
OVERRIDDEN = {
    (OpenTelemetryDistro, "_configure"),
    (_OTelSDKConfigurator, "_configure"),
    (PrometheusMetricReader, "_receive_metrics"),
    (BaseInstrumentor, "_instrument"),
    (BaseInstrumentor, "_uninstrument"),
}
# Private names of our own that look like upstream's: keys, not attributes.
OWN = {"_id", "_otel", "_otel_carrier", "_token"}
# A method of named tuples that is public, as the library documents.
OWN |= {"_replace"}


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
            if not of_super and not mine and ast.unparse(node) != "os._exit":
                found.add(node.attr)
    ours = {name for module in modules() for name in vars(module)}
    assert found - OWN - ours == REACHED


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


def test_the_provider_keeps_its_readers() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    try:
        assert list(vars(provider)["_metric_readers"]) == [reader]
    finally:
        provider.shutdown()


def test_the_reader_exports_through_what_is_put_in() -> None:
    exported: list[Any] = []

    class Exporter(ConsoleMetricExporter):
        def export(self, metrics_data: Any, *args: Any, **kwargs: Any) -> Any:
            exported.append(metrics_data)
            return super().export(metrics_data, *args, **kwargs)

    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        reader = PeriodicExportingMetricReader(Exporter(out=nowhere), 3_600_000)
        redact_reader(reader)
        provider = MeterProvider(metric_readers=[reader])
        try:
            assert isinstance(reader._exporter, RedactingMetricExporter)
            provider.get_meter("test").create_counter("payments").add(
                1, {"card": "4111111111111111"}
            )
            provider.force_flush()
        finally:
            provider.shutdown()
    assert exported
    assert "4111111111111111" not in exported[0].to_json()


def test_the_pull_reader_receives_metrics_by_the_overridden_method() -> None:
    parameters = inspect.signature(PrometheusMetricReader._receive_metrics).parameters
    assert list(parameters)[:3] == ["self", "metrics_data", "timeout_millis"]


def test_the_loader_logs_under_the_name_that_is_quietened() -> None:
    loader = importlib.import_module(_LOADER)
    assert loader.__package__ == auto_instrumentation.__name__
    assert loader._logger is logging.getLogger(_LOADER)


def test_the_worker_processes_each_job_by_the_wrapped_method() -> None:
    process = procrastinate.worker.Worker._process_job
    assert inspect.iscoroutinefunction(process)
    assert list(inspect.signature(process).parameters)[:2] == ["self", "context"]
