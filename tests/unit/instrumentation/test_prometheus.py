"""Metrics on demand, beside another reader."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from glasshouse.prometheus import PullReader, prometheus_text


def values() -> dict[str, float]:
    text = prometheus_text()
    assert text is not None
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_what_is_pushed_can_be_fetched_too() -> None:
    pushed = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[pushed, PullReader()])
    try:
        meter = provider.get_meter("test")
        requests = meter.create_counter("shop.requests")
        meter.create_histogram("shop.duration", unit="s").record(0.2, {"route": "/orders"})
        requests.add(2, {"route": "/orders"})
        assert values()["shop_requests_total[('route', '/orders')]"] == 2
        requests.add(1, {"route": "/orders"})
        # Fetching takes nothing away, from here or from there.
        found = values()
        assert found == values()
        assert found["shop_requests_total[('route', '/orders')]"] == 3
        assert found["shop_duration_seconds_count[('route', '/orders')]"] == 1
        data = pushed.get_metrics_data()
        assert data is not None
        metrics = data.resource_metrics[0].scope_metrics[0].metrics
        [counter] = [metric for metric in metrics if metric.name == "shop.requests"]
        assert [point.value for point in counter.data.data_points] == [3]  # pyright: ignore[reportAttributeAccessIssue]  # a sum
    finally:
        provider.shutdown()


def test_without_a_reader_there_is_nothing() -> None:
    assert prometheus_text() is None
