"""Oddities of log records that no descriptor lists."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from support.oddities import anywhere, rows, samples
from support.oddities.changes import DAY_NS, HOUR_NS, SECOND_NS
from support.oddities.rows import JSON, Row
from support.oddities.samples import ODD, Marks
from support.oddities.schema import SIGNALS, Schema

SIGNAL = SIGNALS["logs"]

BURST = 5_000

Change = Callable[[Any, Marks], bytes | None]


def relations(schema: Schema) -> Iterator[Row]:
    for group, changes in {"times": TIMES, "body": BODIES, "event": EVENTS}.items():
        for name, change in changes.items():
            yield anywhere.of_item(schema, SIGNAL, name, change, group=group)

    def old_and_new(marks: Marks) -> bytes:
        """Records of one stream from the newest to the oldest."""
        odd: list[bytes] = []
        for number, age in enumerate((0, 60, 600, 1_800, 3_000)):
            record = samples.item(schema, SIGNAL, marks, f"{ODD}.{number}")
            record.time_unix_nano -= age * SECOND_NS
            odd.append(record.SerializeToString())
        return rows.among_good(schema, SIGNAL, marks, odd)

    yield Row(
        name="logs/times/falling within the hour",
        signal="logs",
        group="times",
        build=old_and_new,
        odd=tuple(f"{ODD}.{number}" for number in range(5)),
    )

    numbers = tuple(f"{ODD}.{number}" for number in range(BURST))

    def burst(marks: Marks) -> bytes:
        """More at once than Loki takes in one request by default."""
        odd: list[bytes] = []
        for place, number in enumerate(numbers):
            record = samples.item(schema, SIGNAL, marks, number)
            record.time_unix_nano += place
            record.body.string_value += " word" * 600
            odd.append(record.SerializeToString())
        return rows.among_good(schema, SIGNAL, marks, odd)

    yield Row(
        name=f"logs/size/{BURST:,} records of 3 KB",
        signal="logs",
        group="size",
        build=burst,
        odd=numbers,
        also=False,
    )

    def same(marks: Marks) -> bytes:
        record = rows.odd_item(schema, SIGNAL, marks).SerializeToString()
        return rows.among_good(schema, SIGNAL, marks, [record, record])

    yield Row(name="logs/bytes/one record twice", signal="logs", group="bytes", build=same)
    for name, (change, whole) in DOCUMENTS.items():
        yield Row(
            name=f"logs/JSON/{name}",
            signal="logs",
            group="JSON",
            build=_document(change),
            over=JSON,
            whole=whole,
        )


def _times(**moments: Callable[[], int]) -> Change:
    def change(record: Any, _: Marks) -> None:
        for name, moment in moments.items():
            setattr(record, f"{name}_unix_nano", moment())

    return change


def _zero() -> int:
    return 0


TIMES: dict[str, Change] = {
    "none at all": _times(time=_zero, observed_time=_zero),
    "only the observed one": _times(time=_zero),
    "both 2^64-1": _times(time=lambda: 2**64 - 1, observed_time=lambda: 2**64 - 1),
    "both 8 days old": _times(
        time=lambda: time.time_ns() - 8 * DAY_NS,
        observed_time=lambda: time.time_ns() - 8 * DAY_NS,
    ),
    "observed before it was": _times(observed_time=lambda: time.time_ns() - HOUR_NS),
    "13 days old": _times(time=lambda: time.time_ns() - 13 * DAY_NS),
    "30 minutes old": _times(time=lambda: time.time_ns() - HOUR_NS // 2),
    "9 minutes ahead": _times(time=lambda: time.time_ns() + 540 * SECOND_NS),
    "11 minutes ahead": _times(time=lambda: time.time_ns() + 660 * SECOND_NS),
}


def _line(text: str) -> Change:
    def change(record: Any, marks: Marks) -> None:
        record.body.string_value = f"{marks.text(ODD)} {text}"

    return change


def _map(record: Any, marks: Marks) -> None:
    record.body.kvlist_value.values.add(key="message").value.string_value = marks.text(ODD)
    for number in range(10_000):
        record.body.kvlist_value.values.add(key=f"key.{number}").value.int_value = number


def _bytes(record: Any, _: Marks) -> None:
    record.body.bytes_value = bytes(range(256)) * 1_000


def _stack_trace(record: Any, _: Marks) -> None:
    samples.add_text(record.attributes, "exception.stacktrace", "frame line\n" * 7_000)


BODIES: dict[str, Change] = {
    "a line of 255 KB": _line("word " * 52_000),
    "a line of 5 MB": _line("word " * 1_000_000),
    "a map of 10,000 keys": _map,
    "256 KB of bytes": _bytes,
    "100,000 lines": _line("line\n" * 20_000),
    "control characters": _line("".join(map(chr, range(32)))),
    "colours of a terminal": _line("\x1b[31mred\x1b[0m"),
    "right to left": _line("\u202eright\u2066"),
    "a JSON document": _line(json.dumps({"a": [1, None, {"b": "c"}]})),
    "a severity of 3,000 characters": lambda record, _: setattr(
        record, "severity_text", "x" * 3_000
    ),
    "a severity that contradicts its number": lambda record, _: setattr(
        record, "severity_text", "FATAL"
    ),
    "a span id without a trace id": lambda record, _: record.ClearField("trace_id"),
    "a stack trace of 70 KB": _stack_trace,
}


def _event(name: str, **attributes: Any) -> Change:
    def change(record: Any, _: Marks) -> None:
        record.event_name = name
        for key, value in attributes.items():
            entry = record.attributes.add(key=f"payment.{key}")
            if isinstance(value, float):
                entry.value.double_value = value
            else:
                entry.value.string_value = value

    return change


# What is counted: the record is stored whatever its measurement is worth.
EVENTS: dict[str, Change] = {
    "an amount of 1e308": _event("payment.created", currency="XTS", amount=1e308),
    "another amount of 1e308": _event("payment.created", currency="XTS", amount=1e308),
    "an amount of -1e308": _event("payment.created", currency="XTS", amount=-1e308),
    "an amount that is NaN": _event("payment.created", currency="XTS", amount=float("nan")),
    "an infinite amount": _event("payment.created", currency="XTS", amount=float("inf")),
    "an amount as text": _event("payment.created", currency="XTS", amount="ten"),
    "no amount": _event("payment.created"),
    "a currency of 5,000 characters": _event("payment.created", currency="x" * 5_000, amount=1.0),
    "a currency without letters": _event("payment.created", currency="₿", amount=1.0),
}

Record = dict[str, Any]


def _document(change: Callable[[Record], None]) -> Callable[[Marks], bytes]:
    """Return what builds a request that is JSON, with an odd record changed as such."""

    def build(marks: Marks) -> bytes:
        def record(number: str) -> Record:
            entries = {"run": marks.run, "row": marks.row, "n": number}
            return {
                "timeUnixNano": str(marks.sent),
                "severityNumber": 9,
                "body": {"stringValue": marks.text(number)},
                "attributes": [
                    {"key": key, "value": {"stringValue": value}} for key, value in entries.items()
                ],
            }

        records = [record(str(number)) for number in range(samples.GOOD)]
        odd = record(ODD)
        change(odd)
        records.insert(samples.GOOD // 2, odd)
        name = {"key": "service.name", "value": {"stringValue": marks.service}}
        entry = {"resource": {"attributes": [name]}, "scopeLogs": [{"logRecords": records}]}
        return json.dumps({"resourceLogs": [entry]}).encode()

    return build


def _set(**fields: Any) -> Callable[[Record], None]:
    return lambda record: record.update(fields)


def _deep(levels: int) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        value: Record = {"stringValue": "bottom"}
        for _ in range(levels):
            value = {"arrayValue": {"values": [value]}}
        record["attributes"].append({"key": "deep", "value": value})

    return change


# Of each: the change, and whether the request is none that can be read.
DOCUMENTS: dict[str, tuple[Callable[[Record], None], bool]] = {
    "a time as a number": (lambda record: record.update(timeUnixNano=time.time_ns()), False),
    "a negative time": (_set(timeUnixNano="-1"), True),
    "a time of a million digits": (_set(timeUnixNano="1" * 10**6), True),
    "a severity by name": (_set(severityNumber="SEVERITY_NUMBER_INFO"), False),
    "an unknown field": (_set(unknownField={"a": [1]}), False),
    "null in each field": (
        _set(severityText=None, traceId=None, flags=None, eventName=None, body=None),
        True,
    ),
    "an id that is no hex": (_set(traceId="no hex at all"), True),
    "an id in capitals": (_set(traceId="5B8EFFF798038103D269B633813FC60C"), False),
    "a text that is a number": (_set(severityText=7), True),
    "a number that is a text": (
        lambda record: record["attributes"].append({"key": "k", "value": {"intValue": "abc"}}),
        True,
    ),
    "half a surrogate pair": (_set(severityText="\ud800"), False),
    "an attribute that is null": (lambda record: record["attributes"].append(None), True),
    "33 lists": (_deep(33), False),
    "300 lists": (_deep(300), False),
}
