"""Spans and log records of every shape, drawn at random: ordinary, hostile, beyond all limits."""

import copy
import enum
import math
import random
from collections.abc import Mapping
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordLimits, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from glasshouse.guard import logs as guarded_logs

CARD = "4111111111111111"


class Word(str):
    """Says something else when it is printed, and passes for any other text."""

    __slots__ = ()

    def __str__(self) -> str:
        return CARD

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __hash__(self) -> int:
        return hash("GET")


class Size(enum.IntEnum):
    SMALL = 1


class Part(float):
    pass


class Raw(bytes):
    pass


class Angry:
    def __str__(self) -> str:
        raise KeyError

    __repr__ = __str__


class Bag(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        return {"password": "hunter2", "n": 1}[key]

    def __iter__(self) -> Any:
        return iter(("password", "n"))

    def __len__(self) -> int:
        return 2


NAMES = (
    "http.route",
    "request.id",
    "correlation.id",
    "url.path",
    "client.port",
    "password",
    "user.id",
    "booking.id",
    "db.query.text",
    "db.statement",
    "db.system.name",
    "db.system",
    "é",
    "caf\udce9",
    "jane@example.com",
    "john@example.com",
    f"card {CARD}",
    "x" * 300,
    "n",
    "1",
    Word("http.route"),
)
TEXTS = (
    "",
    "GET",
    "/payments/{id}",
    "ok",
    "mail jane@example.com",
    f"card {CARD}",
    "password=hunter2",
    "0f" * 16,
    "0F" * 8,
    "4111111111111111",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "tx_" + "ab" * 16,
    "é" * 200,
    "caf\udce9 jane@example.com",
    "caf\udce9",
    "\x00",
    "a" * 2000,
    "select * from t where name = 'jane' and n = 5 -- why",
    "select * from t where id = %s",
    '{"password": "hunter2", "n": [1, 2]}',
    "mysql",
    "postgresql",
    "redis",
    "DE89370400440532013000",
    Word("GET"),
    Word("jane@example.com"),
)
NUMBERS = (
    0,
    1,
    -1,
    127,
    128,
    200,
    2**31,
    2**63 - 1,
    -(2**63),
    2**63,
    10**30,
    4111111111111111,
    Size.SMALL,
    True,
    False,
    0.0,
    -0.0,
    1.0,
    1.5,
    math.nan,
    math.inf,
    4111111111111111.0,
    Part(2.5),
)
OTHERS = (None, b"", b"jane@example.com", b"\xff\xfe", Raw(b"x"), bytearray(b"ab"), Bag())
MOMENTS = (
    0,
    1,
    1_700_000_000_000_000_000,
    2**63 - 1,
    2**64,
    -5,
    1_700_000_000.5,
    1.5,
    True,
    None,
    "soon",
    math.nan,
)
STATES = (
    TraceState(),
    TraceState([("vendor", "1"), ("other", "2")]),
    TraceState([("vendor", CARD), ("other", "2")]),
    TraceState([("mail", "jane@example.com")]),
)


class Draw:
    """Draws values, odd ones as well."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # no secret
        # Values that the SDK's own classes do not take.
        self.hostile: tuple[Any, ...] = ()

    def one(self, *of: Any) -> Any:
        return self.random.choice(of)

    def value(self, level: int = 0) -> Any:
        kind = self.random.random()
        if kind < 0.5:
            return self.one(*TEXTS)
        if kind < 0.75:
            return self.one(*NUMBERS)
        if kind < 0.85 or level > 3:
            return self.one(*OTHERS, *self.hostile)
        items = [self.value(level + 1) for _ in range(self.random.randrange(4))]
        if kind < 0.9:
            return items
        if kind < 0.95:
            return tuple(items)
        return {self.one(*NAMES): item for item in items}

    def attributes(self) -> Any:
        number = self.one(0, 0, 1, 3, 12)
        return (
            self.one(None, {})
            if number == 0
            else {self.one(*NAMES): self.value() for _ in range(number)}
        )

    def number(self, bits: int) -> int:
        if self.random.random() < 0.02:
            return self.one(0, 1 << bits, -1)
        return self.random.getrandbits(bits)

    def context(self) -> SpanContext:
        return SpanContext(
            self.number(128),
            self.number(64),
            is_remote=self.one(True, False),
            trace_flags=TraceFlags(self.one(0, 1)),
            trace_state=self.one(*STATES),
        )

    def resource(self) -> Resource:
        return Resource(
            {"service.name": self.one("shop", f"card {CARD}"), "n": self.one(1, 2)},
            self.one("", "https://example.com/schema"),
        )

    def scope(self) -> InstrumentationScope | None:
        return self.one(
            None,
            InstrumentationScope("library"),
            InstrumentationScope(
                "library", "1.2", "https://example.com/x", {"k": self.one(*TEXTS)}
            ),
            InstrumentationScope(self.one(*TEXTS), self.one(None, *TEXTS), self.one(None, "")),
        )

    def event(self) -> Event:
        return Event(self.one(*TEXTS, None, 5), self.attributes(), self.one(*MOMENTS[:-1], None, 7))

    def link(self) -> Link:
        return Link(self.context(), self.attributes())

    def status(self) -> Any:
        if self.random.random() < 0.02:
            return None
        return self.one(
            Status(StatusCode.UNSET),
            Status(StatusCode.OK),
            Status(StatusCode.ERROR),
            Status(StatusCode.ERROR, self.one(*TEXTS)),
        )

    def span(self) -> ReadableSpan:
        if self.random.random() < 0.5:
            return self.ended()
        odd = self.random.random() < 0.02
        self.hostile = (Angry(),)
        try:
            return self.made(odd=odd)
        finally:
            self.hostile = ()

    def made(self, *, odd: bool) -> ReadableSpan:
        """Return a span that was not made by a tracer."""
        return ReadableSpan(
            self.one(*TEXTS, None, 5),
            None if odd else self.context(),
            self.one(None, self.context()),
            self.resource(),
            self.attributes(),
            [self.event() for _ in range(self.one(0, 0, 1, 3))],
            [self.link() for _ in range(self.one(0, 0, 1, 3))],
            self.one(*SpanKind, *SpanKind, "client" if odd else SpanKind.SERVER),
            status=self.status(),
            start_time=self.one(*MOMENTS),
            end_time=self.one(*MOMENTS),
            instrumentation_scope=self.scope(),
        )

    def ended(self) -> ReadableSpan:
        """Return a span that the SDK made, with limits that drop."""
        limits = SpanLimits(
            max_span_attributes=self.one(2, 128),
            max_events=self.one(1, 128),
            max_links=self.one(1, 128),
            max_event_attributes=self.one(1, 128),
            max_link_attributes=self.one(1, 128),
            max_span_attribute_length=self.one(None, 10),
        )
        provider = TracerProvider(
            resource=self.resource(), span_limits=limits, shutdown_on_exit=False
        )
        tracer = provider.get_tracer(self.one("a", "b"), "1", attributes={"k": "v"})
        span: Any = tracer.start_span(
            str.__str__(self.one(*TEXTS)),
            attributes=self.attributes(),
            kind=self.one(*SpanKind),
            links=[self.link() for _ in range(self.one(0, 0, 1, 3))],
        )
        for _ in range(self.one(0, 0, 1, 3)):
            span.add_event(str.__str__(self.one(*TEXTS)), self.attributes())
        span.set_status(self.one(StatusCode.UNSET, StatusCode.OK), None)
        span.end()
        return span

    def log(self) -> ReadableLogRecord:
        """Return a record as a batch processor behind the guard holds it."""
        log = LogRecord(
            timestamp=self.one(*MOMENTS),
            observed_timestamp=self.one(*MOMENTS),
            context=Context(),
            severity_text=self.one(None, "INFO", *TEXTS),
            severity_number=self.one(None, *SeverityNumber, 9),
            body=self.one(self.value(), Angry(), [Angry()]),
            attributes=self.attributes(),
            event_name=self.one(None, "payment.confirmed", *TEXTS),
            exception=self.one(None, ValueError("jane@example.com")),
        )
        log.trace_id = self.one(0, self.number(128), self.number(128))
        log.span_id = self.one(0, self.number(64), self.number(64))
        log.trace_flags = TraceFlags(self.one(0, 1, 255))
        limits = LogRecordLimits(max_attributes=self.one(1, 128))
        record = ReadWriteLogRecord(log, self.resource(), self.scope(), limits)
        if self.random.random() < 0.5:
            # As `IdsLogRecordProcessor` leaves it.
            log.attributes = {**(log.attributes or {}), "request.id": "0f" * 16}
        held = guarded_logs.redacted(record)
        own = copy.copy(held.log_record)
        own.context = Context()
        return ReadableLogRecord(
            own, held.resource or Resource({}), held.instrumentation_scope, held.limits
        )
