"""The counts of spans are those that the SDK's own tracer metrics make."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace._tracer_metrics import TracerMetrics
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanContext

from glasshouse.light import counts, instruments

SEED = 20_261_128
SPANS = 400
LOCAL, REMOTE = SpanContext(1, 2, is_remote=False), SpanContext(1, 2, is_remote=True)
# By the places of `glasshouse.light.decisions`.
PARENTS = (None, LOCAL, LOCAL, REMOTE, REMOTE)
# Name and attributes, with the sum.
Counted = dict[tuple[str, tuple[tuple[str, Any], ...]], Any]


class Metrics:
    """Tracer metrics of a provider of their own."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.of_tracer = TracerMetrics(MeterProvider([self._reader]))

    def counted(self) -> Counted:
        data = self._reader.get_metrics_data()
        assert data is not None
        found: Counted = {}
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            points: Any = metric.data.data_points
            for point in points:
                found[metric.name, tuple(sorted(point.attributes.items()))] = point.value
        return found


@pytest.fixture(params=[True, False], ids=["light instruments", "the SDK's instruments"])
def light(request: pytest.FixtureRequest) -> Iterator[None]:
    if not request.param:
        yield
        return
    instruments.install()
    yield
    instruments.uninstall()


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize(
    "seed", [SEED, random.SystemRandom().randrange(2**32)], ids=["fixed", "fresh"]
)
def test_all_ways_to_begin_and_end_are_counted_as_upstream_counts_them(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 (not for secrets)
    ours, theirs = Metrics(), Metrics()
    open_spans: list[tuple[Callable[[], None] | None, Callable[[], None]]] = []
    for _ in range(SPANS):
        place, decision = draw.randrange(len(PARENTS)), draw.choice(list(Decision))
        open_spans.append(
            (
                counts.begin(ours.of_tracer, place, decision),
                theirs.of_tracer.start_span(PARENTS[place], decision),
            )
        )
        if draw.random() < 0.4:
            end, expected_end = open_spans.pop(draw.randrange(len(open_spans)))
            expected_end()
            if end is not None:
                end()
    counted = theirs.counted()
    assert ours.counted() == counted, f"seed {seed}"
    # Three parents and three decisions; what is live, of the two that record.
    assert len(counted) == 3 * 3 + 2
    assert sum(counted.values()) > SPANS


def test_a_span_that_is_dropped_has_no_end_to_count() -> None:
    metrics = Metrics()
    assert counts.begin(metrics.of_tracer, 0, Decision.DROP) is None
    assert list(metrics.counted().values()) == [1]
