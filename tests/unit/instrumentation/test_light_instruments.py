"""The light instruments export what the SDK's own do, whatever is recorded with them."""

import dataclasses
import random
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    Counter,
    ExemplarFilter,
    Histogram,
    MeterProvider,
    TraceBasedExemplarFilter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics._internal.exemplar import exemplar_reservoir
from opentelemetry.sdk.metrics._internal.measurement import Measurement
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from glasshouse.forks import forget_counts
from glasshouse.light import exemplars, instruments
from glasshouse.light.exemplars import LightReservoir
from glasshouse.light.instruments import Measurements

SEED = 20_261_127
PROGRAMS = 40
STEPS = 60
# Whatever a measurement may be given.
AMOUNTS: list[Any] = [0, 1, 3, 0.5, 7.25, 1e9, -1, -2.5, -0.0, True, 10**400, Decimal("1.5")]
AMOUNTS += [float("nan"), float("inf"), float("-inf")]
USUAL: list[Any] = [0, 1, 2, 0.004, 0.5, 12.0]


class Color(StrEnum):
    RED = "red"


ATTRIBUTES: list[Any] = [
    None,
    {},
    {"route": "/a"},
    {"route": "/b", "status": 200},
    {"status": 200, "route": "/b"},
    *({"flag": value} for value in (True, 1, 1.0, "1", 0, False, 0.0, -0.0, None, b"x")),
    {"color": Color.RED},
    {"color": "red"},
    {"list": ["a", "b"], "route": "/a"},
    {"pair": (1, True)},
    {"pair": (True, 1)},
    {"nested": {"a": 1}},
    {"": "no name", "route": "/a"},
    {3: "number", "route": "/a"},
    MappingProxyType({"route": "/a"}),
    [("route", "/a")],
]
# 1.44 keeps the application's own object, and fails with one that is no mapping.
COPIES = hasattr(Measurement, "__post_init__")
if not COPIES:
    ATTRIBUTES.pop()
USUAL_ATTRIBUTES = ATTRIBUTES[:5]
FILTERS: list[ExemplarFilter] = [
    TraceBasedExemplarFilter(),
    AlwaysOnExemplarFilter(),
    AlwaysOffExemplarFilter(),
]


def views() -> list[View]:
    """Return one of each kind; the views of a provider hold no state."""
    return [
        View(instrument_name="narrow", attribute_keys={"route", "flag"}),
        View(instrument_name="narrow", name="wide", aggregation=SumAggregation()),
        View(instrument_name="last", aggregation=LastValueAggregation()),
        View(instrument_name="dropped", aggregation=DropAggregation()),
        View(instrument_name="steep", aggregation=ExponentialBucketHistogramAggregation()),
        View(
            instrument_name="without",
            aggregation=ExplicitBucketHistogramAggregation([0.5, 1], record_min_max=False),
        ),
    ]


@pytest.fixture(autouse=True)
def _same_choice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Let both reservoirs choose the same measurements."""
    monkeypatch.setattr(exemplar_reservoir, "randrange", lambda _low, limit: 17 % limit)
    monkeypatch.setattr(exemplars, "below", lambda limit: 17 % limit)
    yield
    instruments.uninstall()


def spans() -> list[Context | None]:
    made: list[Context | None] = [None, Context()]
    for number, flags in ((1, 1), (2, 0), (0, 1)):
        span = NonRecordingSpan(SpanContext(number, number, True, TraceFlags(flags)))
        made.append(trace.set_span_in_context(span, Context()))
    return made


def plain(value: object) -> object:
    """Return what is exported as texts and lists, without the times, which differ."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {
            name: (found is not None and found > 0) if "unix_nano" in name else plain(found)
            for name, found in fields
            if name not in ("resource", "scope")
        }
    if isinstance(value, dict | MappingProxyType):
        return {repr(key): plain(one) for key, one in dict(value).items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return repr(value)


class Run:
    """One program of calls, of which the same seed makes the same."""

    def __init__(self, seed: int, *, held: bool = False) -> None:
        self._random = random.Random(seed)  # noqa: S311 (a test's choice)
        self._held: dict[Any, Measurements] | None = {} if held else None
        self.exported: list[object] = []
        delta = dict.fromkeys((Counter, Histogram, UpDownCounter), AggregationTemporality.DELTA)
        self._readers = [InMemoryMetricReader(), InMemoryMetricReader(delta)]
        self._removed: list[InMemoryMetricReader] = []
        sampling = self._random.choice(FILTERS)
        # The SDK's reservoir gives a measurement outside of spans the span of one before it.
        self._contexts = spans()[2:] if type(sampling) is AlwaysOnExemplarFilter else spans()
        self._provider = MeterProvider(
            self._readers[: self._random.choice((1, 1, 2))],
            exemplar_filter=sampling,
            shutdown_on_exit=False,
            views=views(),
        )
        self._readers = self._readers[: len(list(self._provider._metric_readers))]
        meter = self._provider.get_meter("test")
        self._recording: list[Callable[..., None]] = [
            meter.create_histogram("plain").record,
            meter.create_histogram("s", explicit_bucket_boundaries_advisory=[0.005, 1]).record,
            *(meter.create_histogram(name).record for name in ("narrow", "last", "dropped")),
            *(meter.create_histogram(name).record for name in ("steep", "without")),
            meter.create_counter("counter").add,
            meter.create_up_down_counter("up.down").add,
            meter.create_gauge("gauge").set,
        ]

    def go(self) -> list[object]:
        for _ in range(STEPS):
            self._random.choices([self._record, self._collect, self._change], [30, 2, 1])[0]()
        self._collect()
        return self.exported

    def _record(self) -> None:
        odd = self._random.random() < 0.3
        recording = self._random.choice(self._recording)
        attributes = self._random.choice(ATTRIBUTES if odd else USUAL_ATTRIBUTES)
        amount = self._random.choice(AMOUNTS if odd else USUAL)
        own = dict(attributes) if isinstance(attributes, dict) else attributes
        context = self._random.choice(self._contexts)
        if self._held is not None:
            recording = self._hold(recording, attributes, amount)
        try:
            recording(amount, own, context)
        except Exception as error:  # noqa: BLE001 (compared)
            self.exported.append(type(error).__name__)
        if isinstance(own, dict) and COPIES:
            own["changed afterwards"] = 1

    def _hold(self, recording: Any, attributes: Any, amount: Any) -> Callable[..., None]:
        """Return what records the same by a set of attributes that is kept, if there may be one."""
        assert self._held is not None
        if recording.__name__ == "set" or type(attributes) is not dict:
            return recording
        if type(amount) not in (int, float):
            return recording
        place = recording.__self__, repr(attributes)
        if place not in self._held:
            self._held[place] = Measurements(recording.__self__, dict(attributes))
        held = self._held[place]
        return lambda amount, _own, context: held.add(amount, context)

    def _collect(self) -> None:
        for reader in self._readers:
            try:
                self.exported.append(plain(reader.get_metrics_data()))
            # The SDK adds whatever the application gives it, and fails with the sum.
            except TypeError as error:
                self.exported.append(str(error))

    def _change(self) -> None:
        if self._readers and self._random.random() < 0.5:
            self._provider.remove_metric_reader(self._readers.pop())
        else:
            self._readers.append(InMemoryMetricReader())
            self._provider.add_metric_reader(self._readers[-1])


@pytest.mark.parametrize("number", range(PROGRAMS))
def test_any_program_exports_the_same(number: int) -> None:
    instruments.uninstall()
    expected = Run(SEED + number).go()
    instruments.install()
    assert Run(SEED + number).go() == expected


@pytest.mark.parametrize("light", [True, False], ids=["light", "full"])
@pytest.mark.parametrize("number", range(PROGRAMS))
def test_what_is_kept_of_a_set_of_attributes_records_the_same(number: int, light: bool) -> None:
    instruments.uninstall()
    expected = Run(SEED + number).go()
    if light:
        instruments.install()
    assert Run(SEED + number, held=True).go() == expected


def recorded_twice(provider: MeterProvider, **attributes: Any) -> Any:
    """Return the instrument, of which the second measurement went the short way."""
    histogram: Any = provider.get_meter("test").create_histogram("plain")
    for _ in range(2):
        histogram.record(0.5, attributes)
    return histogram


def counts(reader: InMemoryMetricReader) -> dict[str, int]:
    found = reader.get_metrics_data()
    assert found is not None
    [metric] = found.resource_metrics[0].scope_metrics[0].metrics
    return {str(dict(one.attributes or {})): one.count for one in metric.data.data_points}  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]


@pytest.fixture
def light() -> Iterator[tuple[MeterProvider, InMemoryMetricReader]]:
    instruments.install()
    reader = InMemoryMetricReader()
    yield MeterProvider([reader], shutdown_on_exit=False), reader
    instruments.uninstall()


def test_the_second_measurement_of_a_set_makes_no_measurement_object(
    light: tuple[MeterProvider, InMemoryMetricReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, reader = light
    histogram = recorded_twice(provider, route="/a")

    def refuse(*_: object) -> None:
        raise AssertionError("the SDK's way was taken")

    monkeypatch.setattr(histogram._measurement_consumer, "consume_measurement", refuse)
    histogram.record(0.5, {"route": "/a"})
    with pytest.raises(AssertionError, match="the SDK's way"):
        histogram.record(0.5, {"route": "/b"})
    assert counts(reader) == {"{'route': '/a'}": 3}


def test_a_narrow_view_is_no_reason_for_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    instruments.install()
    reader = InMemoryMetricReader()
    view = View(instrument_name="plain", attribute_keys={"route"})
    provider = MeterProvider([reader], shutdown_on_exit=False, views=[view])
    histogram = recorded_twice(provider, route="/a", status=200)
    monkeypatch.setattr(
        histogram._measurement_consumer, "consume_measurement", lambda _: pytest.fail("long way")
    )
    histogram.record(0.5, {"route": "/a", "status": 200})
    assert counts(reader) == {"{'route': '/a'}": 3}


def test_an_exemplar_has_the_zero_that_was_given() -> None:
    instruments.install()
    reader = InMemoryMetricReader()
    provider = MeterProvider(
        [reader],
        exemplar_filter=AlwaysOnExemplarFilter(),
        shutdown_on_exit=False,
        views=[View(instrument_name="plain", attribute_keys=set())],
    )
    histogram: Any = provider.get_meter("test").create_histogram("plain")
    for amount, zero in ((1, 0.0), (1, 0.0), (20, -0.0)):
        histogram.record(amount, {"zero": zero})
    found: Any = reader.get_metrics_data()
    [point] = found.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert [repr(one.filtered_attributes) for one in point.exemplars] == [
        "{'zero': 0.0}",
        "{'zero': -0.0}",
    ]


def test_its_reservoir_is_the_light_one(
    light: tuple[MeterProvider, InMemoryMetricReader],
) -> None:
    provider, _ = light
    histogram = recorded_twice(provider, route="/a")
    [storage] = histogram._measurement_consumer._reader_storages.values()
    [match] = storage._instrument_view_instrument_matches[histogram]
    [aggregation] = match._attributes_aggregation.values()
    assert isinstance(aggregation._reservoir, LightReservoir)


def test_an_exemplar_outside_of_spans_has_no_ids() -> None:
    instruments.install()
    reader = InMemoryMetricReader()
    provider = MeterProvider(
        [reader], exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False
    )
    histogram: Any = provider.get_meter("test").create_histogram("plain")
    for context in (*spans()[2:], Context()):
        histogram.record(0.5, {"route": "/a"}, context)
    found: Any = reader.get_metrics_data()
    [point] = found.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert [(one.trace_id, one.span_id) for one in point.exemplars] == [(None, None)]


def test_a_forked_child_counts_from_zero(
    light: tuple[MeterProvider, InMemoryMetricReader],
) -> None:
    provider, reader = light
    histogram = recorded_twice(provider, route="/a")
    forget_counts(provider)
    histogram.record(0.5, {"route": "/a"})
    assert counts(reader) == {"{'route': '/a'}": 1}


def test_sets_of_attributes_without_end_take_no_memory_without_end(
    light: tuple[MeterProvider, InMemoryMetricReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruments, "_MOST_SETS", 10)
    provider, reader = light
    histogram: Any = provider.get_meter("test").create_histogram("plain")
    for number in range(100):
        for _ in range(3):
            histogram.record(0.5, {"number": number})
    assert len(histogram._glasshouse_bound.known) <= 10
    assert counts(reader) == {f"{{'number': {number}}}": 3 for number in range(100)}


def test_threads_lose_nothing(light: tuple[MeterProvider, InMemoryMetricReader]) -> None:
    provider, reader = light
    histogram = recorded_twice(provider, route="/a")
    found: list[int] = []

    def record() -> None:
        for number in range(2_000):
            histogram.record(number % 3, {"route": "/a", "half": number % 2})

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.append(sum(counts(reader).values()))
    assert found == sorted(found)
    assert sum(counts(reader).values()) == 2 + 8_000


def test_a_meter_that_is_switched_off_records_nothing_more(
    light: tuple[MeterProvider, InMemoryMetricReader],
) -> None:
    provider, reader = light
    histogram = recorded_twice(provider, route="/a")
    off = type(histogram._meter_config._config)(is_enabled=False)
    provider._set_meter_configurator(meter_configurator=lambda _: off)
    histogram.record(0.5, {"route": "/a"})
    assert counts(reader) == {"{'route': '/a'}": 2}


def test_what_is_kept_follows_a_fork_and_a_meter_that_is_switched_off(
    light: tuple[MeterProvider, InMemoryMetricReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, reader = light
    instrument: Any = provider.get_meter("test").create_histogram("plain")
    kept = Measurements(instrument, {"route": "/a"})
    kept.add(0.5)
    with monkeypatch.context() as patch:
        # The positive control of all below: the second one goes the short way.
        patch.setattr(type(instrument), "record", None)
        kept.add(0.5)
    assert counts(reader) == {"{'route': '/a'}": 2}
    forget_counts(provider)
    kept.add(0.5)
    kept.add(0.5)
    kept.add(0.5)
    assert counts(reader) == {"{'route': '/a'}": 3}
    off = type(instrument._meter_config._config)(is_enabled=False)
    provider._set_meter_configurator(meter_configurator=lambda _: off)
    kept.add(0.5)
    assert counts(reader) == {"{'route': '/a'}": 3}
