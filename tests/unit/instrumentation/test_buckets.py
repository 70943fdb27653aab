"""Histograms whose creator names no buckets get those of their metric or of their unit."""

import io
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    InMemoryMetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)

from glasshouse import buckets

DATABASE = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
SDK = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
SECONDS = buckets.OF_UNITS["s"]


@pytest.fixture(autouse=True)
def installed() -> None:
    buckets.install()


def recorded(
    name: str,
    unit: str,
    advice: Sequence[float] | None = None,
    *,
    value: float = 0.003,
    reader: InMemoryMetricReader | None = None,
    views: Sequence[View] = (),
) -> HistogramDataPoint | ExponentialHistogramDataPoint:
    used = reader or InMemoryMetricReader()
    provider = MeterProvider([used], views=views, shutdown_on_exit=False)
    meter = provider.get_meter("test")
    meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=advice).record(value)
    found = used.get_metrics_data()
    assert found is not None
    [metric] = found.resource_metrics[0].scope_metrics[0].metrics
    [point] = metric.data.data_points
    assert isinstance(point, HistogramDataPoint | ExponentialHistogramDataPoint)
    return point


def bounds(*args: Any, **more: Any) -> tuple[float, ...]:
    point = recorded(*args, **more)
    assert isinstance(point, HistogramDataPoint)
    return tuple(point.explicit_bounds)


def test_a_database_call_falls_into_a_bucket_of_its_size() -> None:
    point = recorded("db.client.operation.duration", "s")
    assert isinstance(point, HistogramDataPoint)
    assert tuple(point.explicit_bounds) == DATABASE
    assert list(point.bucket_counts) == [0, 1, *[0] * 8]


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("db.client.connection.wait_time", "s", SECONDS),
        ("shop.checkout", "s", SECONDS),
        ("shop.checkout", "By", buckets.OF_UNITS["By"]),
        ("shop.checkout", "us", buckets.OF_UNITS["us"]),
        ("shop.checkout", "ms", SDK),
        *(("shop.checkout", unit, buckets.OF_UNITS[unit]) for unit in buckets.OF_UNITS),
        ("shop.checkout", "{item}", buckets.OF_COUNTS),
        ("shop.checkout", "{item}/s", buckets.OF_COUNTS),
        ("shop.checkout", "By/s", buckets.OF_UNITS["By"]),
        ("shop.checkout", "seconds", SECONDS),
        ("shop.checkout.seconds", "", SECONDS),
        ("shop_checkout_bytes", "", buckets.OF_UNITS["By"]),
        ("shop.checkout.seconds", "{item}", buckets.OF_COUNTS),
        ("shop.checkout", "Cel", SDK),
        ("shop.checkout", "", SDK),
        ("shop.s", "", SDK),
    ],
)
def test_what_says_nothing_gets_the_buckets_of_its_unit(
    name: str, unit: str, expected: tuple[float, ...]
) -> None:
    assert bounds(name, unit) == expected


def test_the_conventions_say_more_than_an_instrumentation() -> None:
    assert bounds("db.client.operation.duration", "s", [7.0]) == DATABASE


def test_the_name_of_a_metric_counts_in_its_own_unit_alone() -> None:
    assert bounds("db.client.operation.duration", "ms") == SDK
    assert bounds("db.client.operation.duration", "ms", [7.0]) == (7.0,)
    assert bounds("db.client.response.returned_rows", "1")[-1] == 10000


def test_a_single_bucket_that_was_asked_for_stays_one() -> None:
    assert bounds("shop.checkout.duration", "s", []) == ()
    assert bounds("otel.sdk.exporter.operation.duration", "s") == ()


def test_others_keep_the_buckets_that_they_name() -> None:
    assert bounds("shop.checkout.duration", "s", [7.0]) == (7.0,)
    chosen = View(
        instrument_name="shop.*", aggregation=ExplicitBucketHistogramAggregation([1.0, 2.0])
    )
    assert bounds("shop.checkout.duration", "s", views=[chosen]) == (1.0, 2.0)


def test_a_view_that_says_nothing_of_buckets_leaves_ours() -> None:
    renamed = View(instrument_name="shop.checkout", name="shop.bought")
    assert bounds("shop.checkout", "s", views=[renamed]) == SECONDS


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (ExplicitBucketHistogramAggregation(), SECONDS),
        (ExplicitBucketHistogramAggregation([3.0]), (3.0,)),
        (ExplicitBucketHistogramAggregation(record_min_max=False), SDK),
    ],
)
def test_a_reader_keeps_what_was_chosen_for_it(
    chosen: ExplicitBucketHistogramAggregation, expected: tuple[float, ...]
) -> None:
    reader = InMemoryMetricReader(preferred_aggregation={Histogram: chosen})
    assert bounds("shop.checkout", "s", reader=reader) == expected


def test_exponential_histograms_that_were_chosen_stay() -> None:
    reader = InMemoryMetricReader(
        preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()}
    )
    point = recorded("db.client.operation.duration", "s", reader=reader)
    assert isinstance(point, ExponentialHistogramDataPoint)


def test_a_reader_of_an_exporter_has_them_too() -> None:
    reader = PeriodicExportingMetricReader(
        ConsoleMetricExporter(out=io.StringIO()), export_interval_millis=math.inf
    )
    provider = MeterProvider([reader], shutdown_on_exit=False)
    kinds = list(vars(reader)["_instrument_class_aggregation"].items())
    fitted = [kind for kind, what in kinds if isinstance(what, buckets.FittingBuckets)]
    assert [kind.__name__ for kind in fitted] == ["_Histogram"]
    provider.shutdown()


@pytest.mark.parametrize(
    "limits", [*buckets.OF_METRICS.values(), *buckets.OF_UNITS.values(), buckets.OF_COUNTS]
)
def test_boundaries_rise(limits: buckets.Boundaries) -> None:
    assert list(limits) == sorted(set(limits))
    assert len(limits) <= 20


# As a service is set up: the provider is the distro's, the metric an instrumentation's.
SERVICE = """
import json
from opentelemetry import metrics
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
import glasshouse
glasshouse.configure()
reader = InMemoryMetricReader()
metrics.get_meter_provider().add_metric_reader(reader)
from opentelemetry.semconv._incubating.metrics.db_metrics import create_db_client_operation_duration
create_db_client_operation_duration(metrics.get_meter("psycopg")).record(0.003)
found = reader.get_metrics_data().resource_metrics[0].scope_metrics
[points] = [m.data.data_points for s in found for m in s.metrics if m.name.startswith("db.")]
print(json.dumps(list(points[0].explicit_bounds)))
"""


def test_the_distro_gives_them_to_every_service() -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
    }
    ran = subprocess.run(
        [sys.executable, "-c", SERVICE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert tuple(json.loads(ran.stdout.splitlines()[-1])) == DATABASE
