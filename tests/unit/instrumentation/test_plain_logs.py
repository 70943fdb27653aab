"""Console lines and OTLP records are what the plain way of making them gives, field for field."""

import logging
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import _internal
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from glasshouse import capture, delivery, guard
from glasshouse.context import Ids, with_ids
from glasshouse.costly import frozen
from glasshouse.formatters import JsonFormatter
from glasshouse.processors import IdsLogRecordProcessor
from glasshouse.redaction import Redactor
from support import plain_logs

RECORDS = 120
CARD = "4111 1111 1111 1111"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Sneaky(str):
    """Another text when it is printed."""

    __slots__ = ()

    def __str__(self) -> str:
        return "ines.faro@example.org"


LOOP: list[Any] = [1]
LOOP += [LOOP, {"again": LOOP}]
TEXTS = [
    "Order placed",
    "",
    "mail ines.faro@example.org now",
    CARD,
    "half \ud800 of a pair",
    "\x1b[31mred\x1b[0m \u202eturned\x85",
    "café 名前",
    f"{'word ' * 200}{CARD}",
    '{"password": "hunter2", "n": [1, 2]}',
    "password=hunter2 %s",
    "0d5a3c1e-7d1b-4a3e-9f3e-2b8c4d1f6a70",
]
LONG = f"{CARD} {'word ' * 8_000}{CARD}"
NAMES = [
    "order_id", "note", "password", "level", "message_", "timestamp", "service", "exception",
    "traceId", "level_", "user_id", "otel.event.name", "event.name", "event", "payment.id",
    "payment.user_id", "ines.faro@example.org", "half \ud800", "", "x" * 600, "logger", "args_",
    "payment.transaction_id", "correlationId", "request.id", "exception.type",
]  # fmt: skip
OBJECTS: list[Any] = [
    *(None, True, 7, -1, 10**30, 10**5000, 4111111111111111),
    *(1.5, float("nan"), float("inf"), 4111111111111111.0),
    *(b"bytes \xff", b"ines.faro@example.org", bytearray(b"x")),
    *([1, "two", None], (CARD, "x"), {"a"}, frozenset({1}), range(3), [], {}, LOOP),
    *({"password": "x"}, {1: 2, None: "3", (1, 2): [CARD]}, {"": "no name"}),
    *([{"name": "password", "value": "hunter2"}], ["--password", "hunter2"]),
    *(Unprintable(), Unprintable, [Unprintable()], Sneaky("fine"), object),
]


def made(rng: random.Random) -> logging.LogRecord:
    """Return a record such as services make, or such as nobody should."""
    level = rng.choice([10, 20, 20, 30, 40, 50, 25, 0, 3, 99])
    values: dict[str, Any] = {
        "name": rng.choice(["shop", "shop.orders", "payments", "ines.faro@example.org"]),
        "levelno": level,
        "levelname": logging.getLevelName(level),
        "msg": rng.choice([*TEXTS, "%s and %s", Unprintable(), 5, None]),
        "args": rng.choice([(), (), (), ("a", CARD), ("one",), {"k": 1}, (Unprintable(), 1)]),
        "created": rng.choice(
            [rng.uniform(0, 2e9), 1700000000.0, 0.9999999, 1e9 - 1e-7, 7, -1.5, float("nan"), 1e13]
        ),
        "process": None,
    }
    if rng.random() < 0.02:
        values["msg"] = LONG
    if rng.random() < 0.2:
        values["exc_info"] = rng.choice([raised(rng), (None, None, None), None])
    if rng.random() < 0.1:
        values["exc_text"] = rng.choice(TEXTS)
    record = logging.makeLogRecord(values)
    for _ in range(rng.choice([0, 0, 0, 1, 1, 3, 6, 6, 6, 70])):
        name = rng.choice(NAMES) + rng.choice(["", "", str(rng.randrange(99))])
        vars(record)[name] = rng.choice([*TEXTS, *OBJECTS, rng.random(), rng.randrange(10**17)])
    return record


def raised(rng: random.Random) -> Any:
    try:
        raise rng.choice([ValueError(f"of {CARD}"), KeyError(), OSError(Unprintable())])
    except Exception:  # noqa: BLE001
        return sys.exc_info()


def in_some_context(rng: random.Random) -> otel_context.Context:
    context = otel_context.Context()
    if rng.random() < 0.6:
        flags = TraceFlags(rng.randrange(2))
        span = SpanContext(rng.randrange(1, 2**128), rng.randrange(2**64), False, flags)
        context = trace.set_span_in_context(NonRecordingSpan(span), context)
    if rng.random() < 0.6:
        request = rng.choice(["", "request-1", "4111-1111-1111-1111-a"])
        context = with_ids(Ids(request, "correlation-1"), context)
    return context


@pytest.fixture
def rng() -> random.Random:
    seed = time.time_ns()
    sys.stdout.write(f"seed {seed}\n")  # shown where a test fails
    return random.Random(seed)  # noqa: S311 (not for secrets)


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001
        return type(error)


def test_a_line_is_what_its_parts_say(rng: random.Random) -> None:
    redactor = Redactor.default()
    formatter = JsonFormatter("api", redactor)
    kinds: set[bool] = set()
    held_ones = 0
    for _ in range(RECORDS):
        record = made(rng)
        token = otel_context.attach(in_some_context(rng))
        try:
            expected = outcome(lambda r=record: plain_logs.line(r, "api", redactor))
            assert outcome(lambda r=record: formatter.format(r)) == expected, vars(record)
            if isinstance(expected, str) and (held := frozen(formatter.parts(record))):
                # Two threads may make it.
                both = [formatter.line(held[0]), formatter.line(held[0])]
                assert both == [expected, expected], vars(record)
                held_ones += 1
        finally:
            otel_context.detach(token)
        kinds.add(isinstance(expected, str))
    assert held_ones > RECORDS / 10
    assert kinds == {True, False}


class Collecting(LogRecordExporter):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.found: list[bytes] = []

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        for record in batch:
            message = encode_logs([record])
            for resource in message.resource_logs:
                for scope in resource.scope_logs:
                    for one in scope.log_records:
                        assert one.observed_time_unix_nano
                        one.observed_time_unix_nano = 0
            self.found.append(message.SerializeToString())
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


@pytest.fixture
def guarded() -> Iterator[None]:
    guard.install()
    yield
    guard.uninstall()


LIMITS = {
    "none": LogRecordLimits(),
    "few": LogRecordLimits(max_log_record_attributes=2),
    "short": LogRecordLimits(max_log_record_attribute_length=10),
}


@pytest.mark.usefixtures("guarded")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("limits", LIMITS)
def test_a_record_is_sent_as_the_sdk_would_send_it(
    limits: str, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, plain = Collecting(), Collecting()
    ways: list[tuple[Callable[[logging.LogRecord], None], LoggerProvider]] = []
    for send, processor in (
        (capture.export, delivery.log_record_processor(quick)),
        (plain_logs.export, plain_logs.Unmarked(plain)),
    ):
        provider = LoggerProvider(shutdown_on_exit=False, log_record_limits=LIMITS[limits])
        provider.add_log_record_processor(IdsLogRecordProcessor())
        provider.add_log_record_processor(processor)
        ways.append((send, provider))
    count = RECORDS if limits == "none" else RECORDS // 8
    for _ in range(count):
        record = made(rng)
        token = otel_context.attach(in_some_context(rng))
        try:
            for send, provider in ways:
                monkeypatch.setattr(_internal, "_LOGGER_PROVIDER", provider)
                outcome(lambda send=send, record=record: send(record))
        finally:
            otel_context.detach(token)
    for _, provider in ways:
        assert provider.force_flush()
        provider.shutdown()
    # Of a few no event's name can be made.
    assert count * 0.7 < len(quick.found) <= count
    for one, other in zip(quick.found, plain.found, strict=True):
        assert one == other
