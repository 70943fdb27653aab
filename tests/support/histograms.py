"""Every histogram that this repository and what it installs make: its unit and its boundaries."""

import ast
import importlib
import importlib.util
import json
import pkgutil
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import opentelemetry.semconv._incubating.metrics as incubating
import opentelemetry.semconv.metrics as stable
import yaml
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from redis.observability.config import OTelConfig

from glasshouse import buckets
from support import deployed

ROOT = deployed.ROOT
INSTALLED = Path(sysconfig.get_path("purelib"))
OWN = [ROOT / "instrumentation" / "src", ROOT / "service" / "src"]
ADVISED: dict[str, dict[str, Any]] = json.loads(
    (ROOT / "tests" / "data" / "advised-buckets.json").read_text(encoding="utf-8")
)["histograms"]
# What the API itself does with the name and unit that somebody gives it.
_PASSED_ON = ("opentelemetry/metrics/_internal/", "opentelemetry/sdk/metrics/", "glasshouse/light/")
_SUFFIX = {
    "ns": "nanoseconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "By": "bytes",
    "1": "ratio",
}
_UNITS = {word: unit for unit, word in _SUFFIX.items()}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A histogram as its creator asks for it."""

    where: str
    name: str
    unit: str
    advice: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A histogram as Prometheus has it. unit: in UCUM.

    scraped: its `le` is 120.0 there, and 120 where an edge pushes it.
    """

    name: str
    unit: str
    boundaries: tuple[float, ...]
    scraped: bool = False

    def le(self) -> set[str]:
        """Return the values of `le` that its series have."""
        pushed = {f"{one:.15g}" for one in self.boundaries}
        return pushed | ({str(float(one)) for one in self.boundaries} if self.scraped else set())

    def bound(self, boundary: float) -> set[str]:
        """Return how a boundary is written; none where it has no such one."""
        return {one for one in self.le() if float(one) == boundary}


class Unresolved(AssertionError):
    """A source makes a histogram of which this module cannot read what it is."""


class _Source:
    """One file of Python, with the constants that it uses."""

    def __init__(self, path: Path, package: str) -> None:
        self.path = path
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._package = package

    def calls(self, function: str) -> Iterator[dict[str, ast.expr]]:
        """Yield the arguments of each call of a method, by name."""
        for node in ast.walk(self._tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == function:
                given = dict(zip(("name", "unit", "description"), node.args, strict=False))
                yield given | {one.arg: one.value for one in node.keywords if one.arg}

    def value(self, node: ast.expr) -> Any:
        """Return what an expression of constants is."""
        match node:
            case ast.Constant(value):
                return value
            case ast.Tuple(items) | ast.List(items):
                return [self.value(one) for one in items]
            case ast.Name(name):
                return self._named(name)
            case ast.Attribute(ast.Name(), attribute):
                # Of a class or module that holds nothing but names.
                module = importlib.import_module("opentelemetry.semconv.metrics")
                return getattr(module.MetricInstruments, attribute)
            case ast.Attribute(ast.Attribute(ast.Name("self"), "config"), attribute):
                return getattr(OTelConfig(), attribute)  # redis-py, in its own file
            case _:
                raise Unresolved(f"{self.path}: {ast.unparse(node)}: extend support/histograms.py")

    def _named(self, name: str) -> Any:
        for node in ast.walk(self._tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    return self.value(value)
                case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if (
                    found == name
                ):
                    return self.value(value)
                case ast.ImportFrom(module=module, names=names) if module:
                    for one in names:
                        if (one.asname or one.name) == name:
                            return getattr(importlib.import_module(module), one.name)
                case _:
                    pass
        raise Unresolved(f"{self.path}: {name} is nowhere: extend support/histograms.py")


def _files() -> Iterator[tuple[str, Path]]:
    for folder in [INSTALLED, *OWN]:
        for path in sorted(folder.rglob("*.py")):
            short = path.relative_to(folder).as_posix()
            if not short.startswith(_PASSED_ON) and "/semconv/" not in short:
                yield short, path


def made_by_sources() -> list[Asked]:
    """Return the histograms that installed packages and our own make by themselves."""
    found: list[Asked] = []
    for short, path in _files():
        if b"create_histogram(" not in path.read_bytes():
            continue
        source = _Source(path, short)
        for given in source.calls("create_histogram"):
            advice = given.get("explicit_bucket_boundaries_advisory")
            found.append(
                Asked(
                    where=short,
                    name=source.value(given["name"]),
                    unit=source.value(given["unit"]) if "unit" in given else "",
                    advice=tuple(source.value(advice)) if advice else None,
                )
            )
    return found


def made_by_conventions() -> list[Asked]:
    """Return the histograms that the installed conventions know how to make."""
    meter = MagicMock()
    for package in (stable, incubating):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, make in vars(importlib.import_module(module.name)).items():
                if name.startswith("create_"):
                    make(*[meter, [lambda: []]][: make.__code__.co_argcount])
    return [
        Asked(where="opentelemetry.semconv", name=call.kwargs["name"], unit=call.kwargs["unit"])
        for call in meter.create_histogram.call_args_list
    ]


def boundaries(asked: list[Asked]) -> list[tuple[float, ...]]:
    """Return the boundaries that each has in a service with the distro."""
    buckets.install()
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    for number, one in enumerate(asked):
        meter = provider.get_meter(f"m{number}")
        made = meter.create_histogram(
            one.name, one.unit, explicit_bucket_boundaries_advisory=one.advice
        )
        made.record(1)
    found: dict[str, tuple[float, ...]] = {}
    collected = reader.get_metrics_data()
    assert collected is not None
    for scope in collected.resource_metrics[0].scope_metrics:
        [metric] = scope.metrics
        [point] = metric.data.data_points
        assert isinstance(point, HistogramDataPoint)
        found[scope.scope.name] = tuple(point.explicit_bounds)
    return [found[f"m{number}"] for number in range(len(asked))]


def name_in_prometheus(name: str, unit: str) -> str:
    """Return what a histogram is called in Prometheus, as its OTLP receiver translates it."""
    plain = re.sub(r"\W", "_", name)
    suffix = _SUFFIX.get(unit, "" if unit.startswith("{") or not unit else unit)
    return f"{plain}_{suffix}" if suffix and not plain.endswith(f"_{suffix}") else plain


def unit_of(name: str) -> str:
    """Return the unit that stands in the name of a histogram of Prometheus."""
    return _UNITS.get(name.rpartition("_")[2], "{thing}")


def derived() -> list[Stored]:
    """Return the histograms that the Collector makes of events."""
    return [
        Stored(
            name=name_in_prometheus(one["name"], one["unit"]),
            unit=one["unit"],
            boundaries=tuple(one["buckets"]),
            scraped=True,
        )
        for one in deployed.families(deployed.load())
        if "buckets" in one
    ]


def service_graph() -> list[Stored]:
    """Return those that Tempo makes of spans."""
    tempo = yaml.safe_load((ROOT / "tempo" / "tempo.yaml").read_text(encoding="utf-8"))
    limits = tempo["metrics_generator"]["processor"]["service_graphs"]["histogram_buckets"]
    return [
        Stored(
            name=f"traces_service_graph_request_{end}_seconds", unit="s", boundaries=tuple(limits)
        )
        for end in ("client", "server")
    ]


def stored() -> dict[str, Stored]:
    """Return every histogram that a query may ask for, by its name in Prometheus."""
    asked = [*made_by_sources(), *made_by_conventions()]
    # Other languages follow the conventions by themselves.
    asked += [
        Asked(
            where="conventions",
            name=name,
            unit=one["unit"],
            advice=None if one["boundaries"] is None else tuple(one["boundaries"]),
        )
        for name, one in ADVISED.items()
    ]
    # What older senders than the conventions' stable names call them.
    asked += [
        Asked(where="older senders", name=f"{kind}.{side}.duration", unit="ms")
        for kind in ("http", "rpc")
        for side in ("client", "server")
    ]
    found = {
        name: Stored(name=name, unit=one.unit, boundaries=limits)
        for one, limits in zip(asked, boundaries(asked), strict=True)
        for name in [name_in_prometheus(one.name, one.unit)]
    }
    return found | {one.name: one for one in [*derived(), *service_graph()]}
