"""What is redacted and encoded at once says what redaction and the protobuf encoder say.

The reference is the way of every other exporter: `TelemetryRedactor`, then the messages of
opentelemetry-exporter-otlp-proto-common.
"""

import copy
import gc
import logging
import random
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from glasshouse.context import is_own_id, new_id
from glasshouse.encoding import encoders
from glasshouse.encoding.batches import Batch
from glasshouse.encoding.encoders import Logs, Spans
from glasshouse.encoding.memory import Memory
from glasshouse.encoding.spans import SpanEncoder
from glasshouse.guard.spans import RedactedSpan, redacted
from glasshouse.redaction import Redactor, budget
from glasshouse.redaction.telemetry import TelemetryRedactor
from support.shapes import Draw

ROUNDS = 300


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Limits are reported for each attribute."""
    logging.disable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def normal(message: Any) -> bytes:
    """Return a message as bytes that are the same for the same content, NaN too."""
    return message.SerializeToString(deterministic=True)


def without_counts(message: Any) -> Any:
    """Return a copy without the counts of attributes that a limit dropped.

    The redactor makes plain maps of attributes that it changes, and so forgets them.
    """
    found = copy.deepcopy(message)
    for resource in getattr(found, "resource_spans", ()):
        for scope in resource.scope_spans:
            for span in scope.spans:
                for part in (*span.events, *span.links):
                    part.ClearField("dropped_attributes_count")
    for resource in getattr(found, "resource_logs", ()):
        for scope in resource.scope_logs:
            for log in scope.log_records:
                log.ClearField("dropped_attributes_count")
    return found


def compared(ours: Any, message: Any, reference: Callable[[], Any], original: Any) -> bool:
    """Compare one record; return whether it can be encoded."""
    encoded, failed = ours
    try:
        expected = reference()
    except Exception:  # noqa: BLE001  # whatever the encoder raises
        assert failed == 1, original
        assert len(encoded) == 0
        return False
    assert failed == 0, original
    found = message.FromString(encoded.SerializeToString())
    if normal(without_counts(found)) != normal(without_counts(expected)):
        pytest.fail(f"{original}\n{found}\nis not\n{expected}")
    return True


def every_shape(compare: Callable[[], bool]) -> None:
    """Compare as many as ROUNDS, and more until one was among them that cannot be encoded."""
    found: list[bool] = []
    while len(found) < ROUNDS or all(found):
        assert len(found) < 100 * ROUNDS, "none is drawn that cannot be encoded"
        found.append(compare())
    assert sum(found) > len(found) * 0.5


@pytest.mark.parametrize("seed", [random.SystemRandom().randrange(2**31)], ids=["fresh"])
def test_spans_of_every_shape_say_the_same(seed: int) -> None:
    draw, encoder = Draw(seed), Spans()

    def compare() -> bool:
        span = draw.span()
        return compared(
            encoder.encode([RedactedSpan(span)]),
            ExportTraceServiceRequest,
            lambda: encode_spans([RedactedSpan(span)]),
            vars(span),
        )

    every_shape(compare)


@pytest.mark.parametrize("seed", [random.SystemRandom().randrange(2**31)], ids=["fresh"])
def test_log_records_of_every_shape_say_the_same(seed: int) -> None:
    draw, encoder = Draw(seed), Logs()

    def compare() -> bool:
        record = draw.log()
        twin = ReadableLogRecord(
            copy.copy(record.log_record),
            record.resource,
            record.instrumentation_scope,
            record.limits,
        )
        return compared(
            encoder.encode([record]),
            ExportLogsServiceRequest,
            lambda: encode_logs([twin]),
            vars(record),
        )

    every_shape(compare)


def span(name: str = "work", context: SpanContext | None = None, **given: Any) -> ReadableSpan:
    context = context or SpanContext(1, 2, is_remote=False)
    return ReadableSpan(name, context, start_time=1, end_time=2, **given)


def message(batch: Batch) -> Any:
    return ExportTraceServiceRequest.FromString(batch.SerializeToString())


def attributes(encoded: tuple[Batch, int]) -> list[tuple[str, str]]:
    [resource] = message(encoded[0]).resource_spans
    spans = resource.scope_spans[0].spans
    return [(pair.key, str(pair.value).strip()) for one in spans for pair in one.attributes]


def test_records_stand_under_where_they_come_from() -> None:
    resources = [Resource({"service.name": name}) for name in ("a", "b", "a")]
    scopes = [InstrumentationScope("x"), None, InstrumentationScope("y", "1", "https://e.com/s")]
    batch = [
        redacted(span(f"{one} {two}", resource=resource, instrumentation_scope=scope))
        for one, resource in enumerate(resources)
        for two, scope in enumerate([*scopes, scopes[0]])
    ]
    encoded, failed = Spans().encode(batch)
    assert failed == 0
    assert len(encoded) == len(batch)
    assert message(encoded) == encode_spans(batch)


def test_parts_and_joined_batches_hold_the_same_records() -> None:
    batch = [redacted(span(str(number))) for number in range(7)]
    encoded, _ = Spans().encode(batch)
    halves = [encoded[:3], encoded[3:]]
    assert [len(half) for half in halves] == [3, 4]
    assert sum(half.size for half in halves) == encoded.size > len(encoded.SerializeToString())
    assert message(halves[1]) == encode_spans(batch[3:])
    assert Batch.joined(halves).SerializeToString() == encoded.SerializeToString()


def test_a_record_that_cannot_be_encoded_costs_itself_alone() -> None:
    none: Any = None
    bad = ReadableSpan("bad", none, start_time=1, end_time=2)
    batch = [redacted(one) for one in (span("first"), bad, span("last"))]
    encoded, failed = Spans().encode(batch)
    assert failed == 1
    assert message(encoded) == encode_spans([batch[0], batch[2]])


def test_a_value_is_not_taken_for_an_equal_one_of_another_type() -> None:
    encoder = Spans()
    values: list[Any] = [1, True, 1.0, 1, "1", 0, False, 0.0]
    found = [encoder.encode([redacted(span(attributes={"k": one}))]) for one in values]
    assert [attributes(one)[0][1] for one in found] == [
        "int_value: 1",
        "bool_value: true",
        "double_value: 1",
        "int_value: 1",
        'string_value: "1"',
        "int_value: 0",
        "bool_value: false",
        "double_value: 0",
    ]


def test_two_names_that_become_one_are_one_attribute() -> None:
    given = {"n": 1, "mail jane@example.com": 2, "z": 3, "mail JANE@example.com": 4}
    found = attributes(Spans().encode([redacted(span(attributes=given))]))
    assert [value for _, value in found] == ["int_value: 1", "int_value: 4", "int_value: 3"]


def test_a_new_key_counts_at_once_for_what_was_seen_before() -> None:
    keys = [b"k" * 32]
    redactor = Redactor.load(key=lambda: keys[0])
    encoder = SpanEncoder(TelemetryRedactor(redactor, lambda _: None))

    def value() -> bytes:
        return encoder.encode(span(attributes={"to": "jane@example.com"}))[1]

    before = [value(), value()]
    keys[0] = b"n" * 32
    assert before[0] == before[1] != value()


class Asked(TelemetryRedactor):
    """Notes what it is asked about; hides all that stands under one name."""

    def __init__(self, hidden: str = "") -> None:
        super().__init__(Redactor.load(key=b"k" * 32), lambda _: None)
        self.values: list[Any] = []
        self.hidden = hidden

    def attribute(self, key: str, value: Any) -> Any:
        self.values.append(value)
        return "[hidden]" if key == self.hidden else super().attribute(key, value)


def ids_of(encoder: SpanEncoder, **given: str) -> dict[str, str]:
    named = {name.replace("_", "."): value for name, value in given.items()}
    origin, record = encoder.encode(span(attributes=named))
    [resource] = message(Batch([origin], [record])).resource_spans
    [found] = resource.scope_spans[0].spans
    return {pair.key: pair.value.string_value for pair in found.attributes}


def test_nothing_is_looked_for_in_an_id_that_was_made_here() -> None:
    redactor = Asked()
    encoder = SpanEncoder(redactor)
    own, others, card = new_id(), "0" * 31 + "a", "jane@example.com"
    given = {"request_id": own, "correlation_id": own, "other_id": own}
    assert ids_of(encoder, **given) == {"request.id": own, "correlation.id": own, "other.id": own}
    # Once, for the name that is nobody's own.
    assert redactor.values.count(own) == 1
    assert ids_of(encoder, request_id=others, correlation_id=card) == {
        "request.id": others,
        "correlation.id": redactor.text(card),
    }
    assert {others, card} <= {*redactor.values}
    assert ids_of(encoder, api_key=own)["api.key"] != own


def test_a_policy_may_hide_the_ids_that_are_made_here() -> None:
    own = new_id()
    found = ids_of(SpanEncoder(Asked("request.id")), request_id=own, correlation_id=own)
    assert found == {"request.id": "[hidden]", "correlation.id": own}


def test_an_id_that_was_made_long_ago_is_checked_as_any_other() -> None:
    redactor = Asked()
    first = new_id()
    for _ in range(20_000):
        new_id()
    assert not is_own_id(first)
    assert ids_of(SpanEncoder(redactor), request_id=first) == {"request.id": first}
    assert first in redactor.values


def test_what_a_limit_dropped_stays_counted_where_the_rest_is_redacted() -> None:
    draw = Draw(1)
    draw.one = lambda *of: of[0]  # pyright: ignore[reportAttributeAccessIssue]
    ended: Any = draw.ended()
    assert ended.dropped_attributes == 0
    event = Event("e", ended._attributes.__class__(1, {"a": 1, "mail": "jane@example.com"}), 5)
    [resource] = message(Spans().encode([redacted(span(events=[event]))])[0]).resource_spans
    found = resource.scope_spans[0].spans[0].events[0]
    assert "jane" not in str(found)
    assert [pair.key for pair in found.attributes] == ["mail"]
    assert found.dropped_attributes_count == 1


def test_a_copy_that_was_read_before_is_not_redacted_again() -> None:
    read = redacted(span(attributes={"mail": "jane@example.com", "n": 1}))
    assert read.attributes
    unread = redacted(span(attributes={"mail": "jane@example.com", "n": 1}))
    assert message(Spans().encode([read])[0]) == message(Spans().encode([unread])[0])


def test_a_span_and_its_copy_go_without_the_garbage_collector() -> None:
    one = span()
    copy_of_it = redacted(one)
    assert redacted(one) is copy_of_it
    Spans().encode([copy_of_it])
    gone = weakref.ref(one)
    gc.disable()
    try:
        del one, copy_of_it
        assert gone() is None
    finally:
        gc.enable()


def test_what_repeats_outlives_what_does_not() -> None:
    memory = Memory(entries=10, size=10**6)
    memory.put("often", b"kept", 8)
    for number in range(1000):
        memory.put(number, b"x", 2)
        if number % 5 == 0:
            assert memory.get("often") == b"kept"
    assert len(memory.young) <= 10
    assert memory.get(0) is None
    assert memory.get(999) == b"x"


def test_memory_is_bounded_in_bytes() -> None:
    memory = Memory(entries=1000, size=100)
    for number in range(50):
        memory.put(number, bytes(30), 30)
        assert len(memory.young) <= 3
    assert memory.get(49) == bytes(30)
    assert memory.get(40) is None


class Clock:
    """A clock that each look moves on, which notes the pauses."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.now = 0.0
        self.pauses: list[float] = []

    def perf_counter(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def thread_time(self) -> float:
        return 0.0


@pytest.mark.parametrize(("step", "pauses"), [(0.0004, 6), (0.01, 20), (0.00001, 0)])
def test_a_batch_leaves_the_interpreter_to_others_between_records(
    monkeypatch: pytest.MonkeyPatch, step: float, pauses: int
) -> None:
    clock = Clock(step)
    monkeypatch.setattr(encoders, "time", clock)
    monkeypatch.setattr(budget, "time", clock)
    monkeypatch.setattr(budget, "is_any_running", lambda: True)
    batch = [redacted(span(str(number))) for number in range(20)]
    encoded, _ = Spans().encode(batch)
    assert len(encoded) == 20
    assert len(clock.pauses) == pauses
    # A pause of no length is over before another thread has noticed it.
    assert all(pause > 0 for pause in clock.pauses)
