"""Durations whose instrumentation names no buckets get those of the semantic conventions."""

import json
import subprocess
import sys

import pytest
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    InMemoryMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from glasshouse import buckets

DATABASE = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
CHOSEN = {
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"
}


def recorded(
    reader: InMemoryMetricReader, environment: dict[str, str], name: str
) -> HistogramDataPoint | ExponentialHistogramDataPoint:
    provider = MeterProvider([reader], shutdown_on_exit=False)
    buckets.install(provider, environment)
    meter = provider.get_meter("test")
    meter.create_histogram(name, unit="s", explicit_bucket_boundaries_advisory=[7.0]).record(0.003)
    found = reader.get_metrics_data()
    assert found is not None
    [point] = found.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert isinstance(point, HistogramDataPoint | ExponentialHistogramDataPoint)
    return point


def test_a_database_call_falls_into_a_bucket_of_its_size() -> None:
    point = recorded(InMemoryMetricReader(), {}, "db.client.operation.duration")
    assert isinstance(point, HistogramDataPoint)
    assert tuple(point.explicit_bounds) == DATABASE
    assert list(point.bucket_counts) == [0, 1, *[0] * 8]


def test_others_keep_the_buckets_that_they_name() -> None:
    point = recorded(InMemoryMetricReader(), {}, "shop.checkout.duration")
    assert isinstance(point, HistogramDataPoint)
    assert tuple(point.explicit_bounds) == (7.0,)


def test_exponential_histograms_that_were_chosen_stay() -> None:
    reader = InMemoryMetricReader(
        preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()}
    )
    point = recorded(reader, CHOSEN, "db.client.operation.duration")
    assert isinstance(point, ExponentialHistogramDataPoint)


@pytest.mark.parametrize("name", buckets.BOUNDARIES)
def test_boundaries_rise_and_begin_below_what_is_fast(name: str) -> None:
    limits = buckets.BOUNDARIES[name]
    assert list(limits) == sorted(set(limits))
    assert limits[0] <= 0.005
    assert limits[-1] == 10


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
