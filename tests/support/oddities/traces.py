"""Oddities of spans that no descriptor lists."""

from collections.abc import Callable, Iterator
from typing import Any

from support.oddities import anywhere, rows, samples
from support.oddities.changes import DAY_NS, HOUR_NS, SECOND_NS
from support.oddities.rows import Row
from support.oddities.samples import ODD, Marks
from support.oddities.schema import SIGNALS, Schema

SIGNAL = SIGNALS["traces"]

Change = Callable[[Any, Marks], None]


def relations(schema: Schema) -> Iterator[Row]:
    for group, changes in {"ids": IDS, "times": TIMES, "lists": LISTS, "state": STATES}.items():
        for name, change in changes.items():
            yield anywhere.of_item(schema, SIGNAL, name, change, group=group)

    def same(marks: Marks) -> bytes:
        span = rows.odd_item(schema, SIGNAL, marks).SerializeToString()
        return rows.among_good(schema, SIGNAL, marks, [span, span])

    yield Row(name="traces/bytes/one span twice", signal="traces", group="bytes", build=same)

    def one_id(marks: Marks) -> bytes:
        odd: list[bytes] = []
        for number in (ODD, f"{ODD}.1"):
            span = samples.item(schema, SIGNAL, marks, number)
            span.trace_id, span.span_id = marks.trace_id(ODD), marks.span_id(ODD)
            odd.append(span.SerializeToString())
        return rows.among_good(schema, SIGNAL, marks, odd)

    yield Row(
        name="traces/ids/two spans of one id",
        signal="traces",
        group="ids",
        build=one_id,
        odd=(ODD, f"{ODD}.1"),
    )

    def large(marks: Marks) -> bytes:
        """A trace of 10 MB, of which Tempo takes what it likes; its other traces are whole."""
        odd: list[bytes] = []
        for number in range(5_000):
            span = samples.item(schema, SIGNAL, marks, ODD if number == 0 else f"more.{number}")
            span.trace_id = marks.trace_id(ODD)
            samples.add_text(span.attributes, "large", "word " * 400)
            odd.append(span.SerializeToString())
        return rows.among_good(schema, SIGNAL, marks, odd)

    yield Row(
        name="traces/size/a trace of 10 MB",
        signal="traces",
        group="size",
        build=large,
        also=False,
    )


def _own_parent(span: Any, _: Marks) -> None:
    span.parent_span_id = span.span_id


def _parent(raw: bytes) -> Change:
    return lambda span, _: setattr(span, "parent_span_id", raw)


def _ids(trace: bytes | None = None, span: bytes | None = None) -> Change:
    def change(item: Any, _: Marks) -> None:
        if trace is not None:
            item.trace_id = trace
        if span is not None:
            item.span_id = span

    return change


IDS: dict[str, Change] = {
    "both zero": _ids(bytes(16), bytes(8)),
    "both missing": _ids(b"", b""),
    "both swapped": _ids(b"\x01" * 8, b"\x01" * 16),
    "ids as text": _ids(b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"),
    "its own parent": _own_parent,
    "a zero parent": _parent(bytes(8)),
    "a parent that is too long": _parent(b"\x01" * 16),
    "a trace id of 64 bits": _ids(bytes(8) + b"\x01\x02\x03\x04\x05\x06\x07\x08"),
    "all ones": _ids(b"\xff" * 16, b"\xff" * 8),
}


def _times(start: int | None = None, end: int | None = None) -> Change:
    """Change by moving the times by so much, or to 0 and beyond when that is what is given."""

    def change(span: Any, marks: Marks) -> None:
        if start is not None:
            span.start_time_unix_nano = start if start in _FIXED else marks.sent + start
        if end is not None:
            span.end_time_unix_nano = end if end in _FIXED else marks.sent + end

    return change


_FIXED = (0, 2**63, 2**64 - 1)
TIMES: dict[str, Change] = {
    "ends before it starts": _times(end=-HOUR_NS),
    "ends when it starts": _times(start=SECOND_NS, end=SECOND_NS),
    "takes a year": _times(start=-365 * DAY_NS),
    "takes 500 years": _times(start=0, end=2**63),
    "no times": _times(0, 0),
    "no end": _times(end=0),
    "both 8 days old": _times(-8 * DAY_NS, -8 * DAY_NS),
    "both 20 days old": _times(-20 * DAY_NS, -20 * DAY_NS),
    "both 2 hours ahead": _times(2 * HOUR_NS, 2 * HOUR_NS),
    "both a year ahead": _times(365 * DAY_NS, 365 * DAY_NS),
    "both 2^63": _times(2**63, 2**63),
    "both 2^64-1": _times(2**64 - 1, 2**64 - 1),
}


def _zero_links(span: Any, marks: Marks) -> None:
    span.links.add(trace_id=bytes(16), span_id=bytes(8))
    span.links.add(trace_id=marks.trace_id("link"), span_id=bytes(8))
    span.links.add(trace_id=bytes(16), span_id=marks.span_id("link"))


def _links(count: int) -> Change:
    def change(span: Any, marks: Marks) -> None:
        for number in range(count):
            trace_id, span_id = marks.trace_id(f"{number}"), marks.span_id(f"{number}")
            span.links.add(trace_id=trace_id, span_id=span_id)

    return change


def _events(count: int, gap_ns: int) -> Change:
    def change(span: Any, marks: Marks) -> None:
        for number in range(count):
            span.events.add(time_unix_nano=marks.sent + number * gap_ns, name=f"event {number}")

    return change


def _large_event(span: Any, marks: Marks) -> None:
    event = span.events.add(time_unix_nano=marks.sent, name="exception")
    samples.add_text(event.attributes, "exception.stacktrace", "frame line\n" * 7_000)


LISTS: dict[str, Change] = {
    "links to zero ids": _zero_links,
    "5,000 links": _links(5_000),
    "5,000 events": _events(5_000, 1),
    "events in falling order": _events(10, -SECOND_NS),
    "events long after its end": _events(3, DAY_NS),
    "an event with a stack trace of 70 KB": _large_event,
}
STATES: dict[str, Change] = {
    name: lambda span, _, text=text: setattr(span, "trace_state", text)
    for name, text in {
        "no list": ",,,=,",
        "a key twice": "a=1,a=2",
        "600 characters": "a=" + "b" * 600,
        "100 members": ",".join(f"k{number}=v" for number in range(100)),
        "no ASCII": "ключ=значение",
    }.items()
}
