"""Oddities of metrics that no descriptor lists."""

import math
import struct
from collections.abc import Callable, Iterator
from typing import Any

from support.oddities import anywhere, rows, samples, wire
from support.oddities.changes import HOUR_NS, SECOND_NS
from support.oddities.rows import Row
from support.oddities.samples import ODD, Marks
from support.oddities.schema import SIGNALS, Schema, inner

SIGNAL = SIGNALS["metrics"]

Change = Callable[[Any], None]

TEMPORALITIES = {"unspecified": 0, "delta": 1, "cumulative": 2, "unknown": 3}
INT32 = (-(2**31), 2**31 - 1)
NO_VALUE = 1  # the flag of a point that says so
# The NaN by which Prometheus marks the end of a series.
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def relations(schema: Schema) -> Iterator[Row]:
    yield from _temporalities(schema)
    tables = {
        ("gauge", "numbers"): NUMBERS,
        ("sum", "numbers"): NUMBERS,
        ("histogram", "histogram"): HISTOGRAMS,
        ("exponential_histogram", "exponential histogram"): EXPONENTIALS,
        ("summary", "summary"): SUMMARIES,
        ("sum", "exemplars"): EXEMPLARS,
        ("histogram", "exemplars"): EXEMPLARS,
        ("exponential_histogram", "exemplars"): EXEMPLARS,
    }
    for (kind, group), changes in tables.items():
        for name, change in changes.items():
            yield _point(schema, kind, group, name, change)
    for kind in KINDS:
        yield _point(schema, kind, "flags", "no value", _no_value, odd=())
    yield _point(schema, "gauge", "flags", "a stale mark as its value", _stale, odd=())
    yield from _names(schema)
    yield from _together(schema)


KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def _point(schema: Schema, kind: str, group: str, name: str, change: Change, **more: Any) -> Row:
    """Return a row whose odd metric has its point changed."""

    def change_metric(metric: Any, _: Marks) -> None:
        change(getattr(metric, kind).data_points[0])

    title = f"{kind}, {name}"
    return anywhere.of_item(schema, SIGNAL, title, change_metric, group=group, kind=kind, **more)


def _temporalities(schema: Schema) -> Iterator[Row]:
    for kind in KINDS:
        has = inner(schema.item(SIGNAL).fields_by_name[kind]).fields_by_name
        if "aggregation_temporality" not in has:
            continue
        for label, temporality in TEMPORALITIES.items():
            for monotonic in (True, False) if "is_monotonic" in has else (None,):

                def change(
                    metric: Any,
                    _: Marks,
                    kind: str = kind,
                    temporality: int = temporality,
                    monotonic: bool | None = monotonic,
                ) -> None:
                    data = getattr(metric, kind)
                    data.aggregation_temporality = temporality
                    if monotonic is not None:
                        data.is_monotonic = monotonic

                rising = {True: ", monotonic", False: ", not monotonic", None: ""}[monotonic]
                yield anywhere.of_item(
                    schema,
                    SIGNAL,
                    f"{kind}, {label}{rising}",
                    change,
                    group="temporality",
                    kind=kind,
                )


def _set(**fields: Any) -> Change:
    def change(point: Any) -> None:
        for name, value in fields.items():
            setattr(point, name, value)

    return change


def _no_value(point: Any) -> None:
    point.flags = NO_VALUE


def _stale(point: Any) -> None:
    point.as_double = STALE


NUMBERS: dict[str, Change] = {
    "NaN": _set(as_double=math.nan),
    "infinite": _set(as_double=math.inf),
    "minus infinite": _set(as_double=-math.inf),
    "negative": _set(as_double=-3.0),
    "the largest int": _set(as_int=2**63 - 1),
    "the smallest int": _set(as_int=-(2**63)),
    "starts after its time": lambda point: _move_start(point, HOUR_NS),
    "starts when it is": lambda point: _move_start(point, 60 * SECOND_NS),
    "started 30 years ago": lambda point: _move_start(point, -30 * 365 * 24 * HOUR_NS),
    "half an hour old": lambda point: _move(point, -HOUR_NS // 2),
    "70 minutes old": lambda point: _move(point, -70 * 60 * SECOND_NS),
    "a day old": lambda point: _move(point, -24 * HOUR_NS),
    "9 minutes ahead": lambda point: _move(point, 540 * SECOND_NS),
}


def _move(point: Any, by_ns: int) -> None:
    point.time_unix_nano += by_ns


def _move_start(point: Any, by_ns: int) -> None:
    point.start_time_unix_nano += by_ns


def _buckets(bounds: list[float], counts: list[int], **fields: Any) -> Change:
    def change(point: Any) -> None:
        point.explicit_bounds[:] = bounds
        point.bucket_counts[:] = counts
        _set(**{"count": sum(counts), **fields})(point)

    return change


HISTOGRAMS: dict[str, Change] = {
    "no buckets": _buckets([], []),
    "one bucket without bounds": _buckets([], [3]),
    "bounds without counts": _buckets([1, 2], [], count=3),
    "one count too few": _buckets([1, 2], [1, 1]),
    "two counts too many": _buckets([1, 2], [1, 1, 1, 1, 1]),
    "unsorted bounds": _buckets([2, 1, 3], [1, 1, 1, 1]),
    "equal bounds": _buckets([1, 1, 1], [1, 1, 1, 1]),
    "a bound that is NaN": _buckets([1, math.nan], [1, 1, 1]),
    "an infinite bound": _buckets([1, math.inf], [1, 1, 1]),
    "a bound of minus infinite": _buckets([-math.inf, 1], [1, 1, 1]),
    "1,000 bounds": _buckets(list(range(1_000)), [1] * 1_001),
    "a count that is not its buckets'": _buckets([1, 2], [1, 1, 1], count=7),
    "a count of 2^64-1": _buckets([1, 2], [1, 1, 1], count=2**64 - 1),
    "a bucket of 2^64-1": _buckets([1, 2], [1, 2**64 - 1, 1], count=5),
    "a sum that is NaN": _buckets([1, 2], [1, 1, 1], sum=math.nan),
    "a negative sum": _buckets([1, 2], [1, 1, 1], sum=-1.0),
    "no sum": lambda point: point.ClearField("sum"),
    "least above most": _buckets([1, 2], [1, 1, 1], min=5.0, max=1.0),
    "a least that is NaN": _buckets([1, 2], [1, 1, 1], min=math.nan, max=math.nan),
}


def _exponential(counts: list[int], *, offset: int = 0, **fields: Any) -> Change:
    def change(point: Any) -> None:
        point.positive.bucket_counts[:] = counts
        point.positive.offset = offset
        _set(**{"count": sum(counts), **fields})(point)

    return change


def _negative(offset: int) -> Change:
    def change(point: Any) -> None:
        point.negative.offset = offset
        point.negative.bucket_counts[:] = [1, 2]
        point.count = 6

    return change


EXPONENTIALS: dict[str, Change] = {
    **{f"scale {scale}": _set(scale=scale) for scale in (*range(-20, 22), *INT32)},
    **{f"offset {offset}": _exponential([1, 2], offset=offset) for offset in INT32},
    **{f"negative offset {offset}": _negative(offset) for offset in INT32},
    "scale -20, offset -2^31": _exponential([1, 2], offset=INT32[0], scale=-20),
    "scale -5, offsets around 0": _exponential([1] * 64, offset=-32, scale=-5),
    "scale 20, 160 buckets": _exponential([1] * 160, scale=20),
    "10,000 buckets": _exponential([1] * 10_000, scale=4),
    "100,000 empty buckets": _exponential([0] * 100_000 + [1], scale=8),
    "no buckets": lambda point: point.ClearField("positive"),
    "a bucket of 2^64-1": _exponential([1, 2**64 - 1], count=5),
    "a count that is not its buckets'": _exponential([1, 2], count=9),
    "a count of 2^64-1": _exponential([1, 2], count=2**64 - 1),
    "more at zero than it counts": _set(zero_count=100),
    "a width of zero that is NaN": _set(zero_threshold=math.nan),
    "a negative width of zero": _set(zero_threshold=-1.0),
    "an infinite width of zero": _set(zero_threshold=math.inf),
    "a sum that is NaN": _set(sum=math.nan),
    "no sum": lambda point: point.ClearField("sum"),
}


def _quantiles(*pairs: tuple[float, float]) -> Change:
    def change(point: Any) -> None:
        del point.quantile_values[:]
        for quantile, value in pairs:
            point.quantile_values.add(quantile=quantile, value=value)

    return change


SUMMARIES: dict[str, Change] = {
    "no quantiles": _quantiles(),
    "a quantile of 2": _quantiles((2.0, 1.0)),
    "a quantile of -1": _quantiles((-1.0, 1.0)),
    "a quantile that is NaN": _quantiles((math.nan, 1.0)),
    "a value that is NaN": _quantiles((0.5, math.nan)),
    "a quantile twice": _quantiles((0.5, 1.0), (0.5, 2.0)),
    "unsorted quantiles": _quantiles((0.9, 1.0), (0.1, 2.0)),
    "1,000 quantiles": _quantiles(*((number / 1_000, 1.0) for number in range(1_000))),
    "a count of 2^64-1": _set(count=2**64 - 1),
    "a sum that is NaN": _set(sum=math.nan),
}


def _exemplar(count: int = 1, *, key: str = "k", value: str = "v", **fields: Any) -> Change:
    def change(point: Any) -> None:
        del point.exemplars[:]
        for number in range(count):
            exemplar = point.exemplars.add(time_unix_nano=point.time_unix_nano, as_double=1.5)
            exemplar.trace_id, exemplar.span_id = b"\x01" * 16, number.to_bytes(8, "big")
            _set(**fields)(exemplar)
            samples.add_text(exemplar.filtered_attributes, key, value)

    return change


EXEMPLARS: dict[str, Change] = {
    "no time": _exemplar(time_unix_nano=0),
    "a time of 2^64-1": _exemplar(time_unix_nano=2**64 - 1),
    "ids of zeros": _exemplar(trace_id=bytes(16), span_id=bytes(8)),
    "ids too short": _exemplar(trace_id=b"\x01", span_id=b"\x01"),
    "NaN": _exemplar(as_double=math.nan),
    "500": _exemplar(500),
    "an empty key": _exemplar(key=""),
    "a key without letters": _exemplar(key="сумма"),
    "a value of 500 characters": _exemplar(value="v" * 500),
}
# A name beside it becomes the same one in Prometheus.
NAMES = {
    "no ASCII": "метрика",
    "punctuation": "...",
    "a digit first": "1up",
    "5,000 characters": "n" * 5_000,
    "spaces": "a metric with spaces",
    "one of Prometheus' own": "up",
    "one of the Collector's": "otelcol_process_uptime",
    "ends in _total": "odd_total_total",
    "ends in _bucket": "odd_bucket",
    "one of a rule's": "job:http_errors:ratio_5m",
}


def _names(schema: Schema) -> Iterator[Row]:
    def named(name: str) -> Callable[[Any, Marks], None]:
        return lambda metric, _: setattr(metric, "name", name)

    for kind in ("gauge", "sum"):
        for title, name in NAMES.items():
            yield anywhere.of_item(
                schema, SIGNAL, f"{kind}, {title}", named(name), group="name", kind=kind
            )
    yield anywhere.of_item(
        schema, SIGNAL, "a neighbour's, of another type", named("good.0"), group="name", kind="sum"
    )
    yield anywhere.of_item(
        schema,
        SIGNAL,
        "a neighbour's, a histogram",
        named("good.0"),
        group="name",
        kind="histogram",
    )


def _together(schema: Schema) -> Iterator[Row]:
    """Rows of two metrics, or two points, that may be taken for one."""

    def row(name: str, build: Callable[[Marks], bytes], **more: Any) -> Row:
        return Row(
            name=f"metrics/together/{name}",
            signal="metrics",
            group="together",
            build=build,
            **more,
        )

    def scopes(marks: Marks) -> bytes:
        root = rows.odd_resource(schema, SIGNAL, marks)
        second = root.scope_metrics.add()
        second.CopyFrom(root.scope_metrics[0])
        second.scope.name = "another"
        second.metrics[0].gauge.data_points[0].as_double = 7
        return rows.beside_good(schema, SIGNAL, marks, [root.SerializeToString()])

    yield row("one name from two scopes", scopes, copies=2)

    def colliding(marks: Marks) -> bytes:
        odd: list[bytes] = []
        for number, mark in enumerate("._"):
            metric = rows.odd_item(schema, SIGNAL, marks)
            metric.name = f"odd{mark}{marks.short}"
            point = metric.gauge.data_points[0]
            point.attributes[2].value.string_value = ODD if number == 0 else f"{ODD}.1"
            odd.append(metric.SerializeToString())
        return rows.among_good(schema, SIGNAL, marks, odd)

    yield row("two names that become one", colliding, odd=(ODD, f"{ODD}.1"))

    def repeated(marks: Marks) -> bytes:
        metric = rows.odd_item(schema, SIGNAL, marks)
        metric.gauge.data_points.add().CopyFrom(metric.gauge.data_points[0])
        metric.gauge.data_points[1].as_double = 7
        return rows.among_good(schema, SIGNAL, marks, [metric.SerializeToString()])

    yield row("two values at one moment", repeated)

    def falling(kind: str) -> Callable[[Marks], bytes]:
        def build(marks: Marks) -> bytes:
            metric = rows.odd_item(schema, SIGNAL, marks, kind=kind)
            points = getattr(metric, kind).data_points
            for number in range(1, 10):
                point = points.add()
                point.CopyFrom(points[0])
                point.time_unix_nano -= number * SECOND_NS
            return rows.among_good(schema, SIGNAL, marks, [metric.SerializeToString()])

        return build

    for kind in KINDS:
        yield row(f"ten points in falling order, {kind}", falling(kind))

    def all_types(marks: Marks) -> bytes:
        """One name and one set of labels, as each type there is."""
        odd: list[bytes] = []
        for kind in KINDS:
            metric = rows.odd_item(schema, SIGNAL, marks, kind=kind)
            metric.name = f"odd.{marks.short}"
            odd.append(metric.SerializeToString())
        return rows.among_good(schema, SIGNAL, marks, odd)

    yield row("one name as every type", all_types)

    def two_types(marks: Marks) -> bytes:
        """A metric whose bytes say that it is two types; the last one holds."""
        metric = rows.odd_item(schema, SIGNAL, marks, kind="sum")
        gauge = rows.odd_item(schema, SIGNAL, marks)
        field = gauge.DESCRIPTOR.fields_by_name["gauge"]
        raw = metric.SerializeToString() + wire.encode(field, gauge.gauge.SerializeToString())
        return rows.among_good(schema, SIGNAL, marks, [raw])

    yield row("one metric as two types", two_types)
