"""What the rows of faults are judged by: bounds of figures, damaged pages, marked records."""

import struct
from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from support.backends import attribute
from support.chaos import damage, emitter, marked
from support.chaos.faults import Allowed, Result
from support.chaos.ledger import Arrival, Ledger, Money
from support.oddities import wire

EXACT = Money(sent=0, accepted=0, counted=0, cents_sent=0, cents_accepted=0, cents_counted=0)


def broken(allowed: Allowed, **reported: float) -> list[str]:
    result = Result(fault="x", seconds=1, verdicts=[], money=EXACT, refused={}, reported=reported)
    return result.broken(allowed)


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        ({"rate": 9.0, "ms": 50.0}, []),
        ({"rate": 8.9, "ms": 50.0}, ["rate: 8.9, not 9 at least"]),
        ({"rate": 9.0, "ms": 50.1}, ["ms: 50.1, not 50 at most"]),
        # A figure that nobody took keeps no promise.
        ({}, ["rate: -inf, not 9 at least", "ms: inf, not 50 at most"]),
    ],
)
def test_a_figure_out_of_its_bounds_breaks_a_promise(
    found: dict[str, float], lines: list[str]
) -> None:
    assert broken(Allowed(at_least={"rate": 9}, at_most={"ms": 50}), **found) == lines


def test_a_loss_that_stood_on_no_damaged_page_breaks_a_promise_though_it_is_reported() -> None:
    allowed = Allowed(lost=None)
    assert broken(allowed, set_aside=1, lost_elsewhere=0) == []
    assert broken(allowed, set_aside=1, lost_elsewhere=2) == [
        "2 are lost that did not stand on damaged pages"
    ]


def test_lost_is_what_was_accepted_and_has_not_come() -> None:
    ledger = Ledger()
    ledger.send("logs", ["a", "b", "c"], at=5)
    ledger.accept("logs", ["a", "b"])
    come = Arrival(id="a", at=7, same=1)
    assert ledger.lost("logs", [come]) == {"b"}
    assert ledger.total_sent() == 3
    assert ledger.verdict("logs", [come]).longest_s == 2


def page(number: int, text: bytes = b"", *, kind: int = damage.LEAF, more: int = 0) -> bytes:
    made = struct.pack("=QHHI", number, kind, 1, more) + text
    return made.ljust((1 + more) * damage.PAGE, b"\0")


def value(id: str) -> bytes:
    """Return an AnyValue, and behind it a field whose tag is a digit in ASCII."""
    return b"\x12" + bytes([len(id) + 2]) + wire.block(1, id.encode()) + b"2\x05other"


META, BRANCH = 0x04, 0x01
SPREAD = b"x" * damage.PAGE
FILE = b"".join(
    [
        page(0, kind=META),
        page(1, kind=META),
        page(2, value("ab12-l0-1") + value("ab12-e0-22")),
        page(3, value("ab12-l0-9"), kind=BRANCH),
        page(4, value("ab12-l0-3") + SPREAD + value("ab12-l0-4"), more=1),
        page(6, value("ab12-l0-1")),
    ]
)


def overwrite(*pages: int) -> Callable[[bytes], bytes]:
    def do(data: bytes) -> bytes:
        for number in pages:
            data = data[: number * damage.PAGE] + bytes(64) + data[number * damage.PAGE + 64 :]
        return data

    return do


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: data, set[str]()),
        (overwrite(0, 1), set[str]()),
        (overwrite(3), set[str]()),
        (overwrite(2), {"ab12-l0-1", "ab12-e0-22"}),
        (overwrite(6), {"ab12-l0-1"}),
        # A leaf of two pages is lost with either.
        (overwrite(4), {"ab12-l0-3", "ab12-l0-4"}),
        (overwrite(5), {"ab12-l0-3", "ab12-l0-4"}),
        (lambda data: data[: 5 * damage.PAGE], {"ab12-l0-3", "ab12-l0-4", "ab12-l0-1"}),
        (lambda _: b"", {"ab12-l0-1", "ab12-e0-22", "ab12-l0-3", "ab12-l0-4"}),
    ],
)
def test_what_may_be_lost_stood_in_a_leaf_with_a_damaged_page(
    change: Callable[[bytes], bytes], expected: set[str]
) -> None:
    assert damage.on_damaged_pages(FILE, change(FILE)) == expected


def test_the_loads_records_are_found_beside_those_that_cannot_be_read() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for key in ("chaos_id", "payment.transaction_id", "other"):
        records.add().attributes.add(key=key).value.string_value = f"value of {key}"
    deep = wire.block(6, wire.block(2, wire.nested(200, (5, 1), b"")))
    odd = wire.block(1, wire.block(2, wire.block(2, deep)))
    numbers = wire.tag(9, wire.VARINT) + wire.varint(300) + wire.tag(9, wire.FIXED64) + bytes(8)
    body = wire.block(1, wire.block(1, b"\xff")) + numbers + odd + request.SerializeToString() + odd
    found = marked.records("logs", body)
    assert [attribute(one, key) for one, key in zip(found, marked.IDS, strict=True)] == [
        "value of chaos_id",
        "value of payment.transaction_id",
    ]


def test_of_metrics_the_points_of_gauges_are_found() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="chaos")
    for number in (3, 4):
        point = metric.gauge.data_points.add(as_double=number)
        point.attributes.add(key="chaos_id").value.string_value = "ab12-m0"
    found = marked.records("metrics", request.SerializeToString())
    assert [(attribute(one, "chaos_id"), one["asDouble"]) for one in found] == [
        ("ab12-m0", 3),
        ("ab12-m0", 4),
    ]


def test_a_record_whose_call_has_not_ended_is_sent_and_not_accepted() -> None:
    text = "logs a 1 10.5\na 0.25\nevents b 2 11\ntraces c 3 1"
    assert emitter.read(text) == [
        emitter.Emitted(signal="logs", id="a", cents=1, at=10.5, call_ms=0.25),
        emitter.Emitted(signal="events", id="b", cents=2, at=11, call_ms=None),
    ]
