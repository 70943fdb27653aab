"""The native part encodes spans to the bytes that Python encodes them to."""

import random
import uuid
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from tests.unit.redaction.test_two_engines import corpus_texts, vector_texts

from glasshouse.encoding.spans import SpanEncoder
from glasshouse.light import spans
from glasshouse.redaction import Redactor
from glasshouse.redaction.telemetry import TelemetryRedactor
from support import native
from support.engines import FRESH_SEED, KEY

# The module is compiled, which takes minutes where it never was.
pytestmark = pytest.mark.slow

COUNT = 10_000
NAMES = (
    *("url.path", "http.route", "count", "payment_id", "order_id", "password", "user.id", "iban"),
    *("client.address", "url.query", "db.query.text", "db.statement", "db.system.name", "card"),
    *("mail jane@example.com", "é", "a" * 300, "request.id", "exception.message"),
)


class Text(str):
    """Says something else when it is printed."""

    __slots__ = ()

    def __str__(self) -> str:
        return "other"


class Number(int):
    def __index__(self) -> int:
        return 7


def encoder(redactor: Redactor) -> SpanEncoder:
    return SpanEncoder(TelemetryRedactor(redactor, lambda _: None))


@pytest.fixture(scope="module")
def both() -> tuple[SpanEncoder, SpanEncoder]:
    with native.installed(None):
        plain = encoder(Redactor.load(key=KEY.encode()))
    with native.installed(native.module()):
        quick = encoder(Redactor.load(key=KEY.encode()))
    assert plain._native is None
    assert quick._native is not None
    return plain, quick


class Draw:
    """Spans as the light tracer makes them, ordinary ones and odd ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 (it must be repeatable)
        self._tracer: Any = TracerProvider().get_tracer("test", "1")
        self._texts = [text for text in corpus_texts() + vector_texts() if len(text) < 400]
        self._states = [TraceState(), TraceState([("v", "1")])]

    def text(self) -> Any:
        draw = self._random
        match draw.randrange(8):
            case 0:
                return draw.choice(self._texts)
            case 1:
                return f"/payments/tx_{draw.getrandbits(128):032x}"
            case 2:
                return str(uuid.UUID(int=draw.getrandbits(128)))
            case 3:
                return f"{draw.getrandbits(128):032x}"
            case 4:
                return "x" * draw.choice((0, 1, 115, 116, 127, 128, 2000, 20_000))
            case 5:
                return draw.choice(
                    ("", "\0", "\ud800", "é", "a\udcff@b.co", Text("jane@example.com"))
                )
            case _:
                return draw.choice(
                    ("GET", "200", "localhost", "payments", "SELECT 'x', 4111 FROM t")
                )

    def value(self) -> Any:
        draw = self._random
        match draw.randrange(8):
            case 0:
                return draw.choice((True, False, None))
            case 1:
                return draw.choice((0, 1, -1, 200, 2**31, -(2**63), 2**63, 2**80, Number(3)))
            case 2:
                return draw.getrandbits(draw.randint(1, 63))
            case 3:
                return draw.choice((0.0, -0.0, 1.5, 4111111111111111.0, float("nan"), float("inf")))
            case 4:
                return draw.choice((4111111111111111, 79927398713, 123456789012))
            case 5:
                return draw.choice((["a", "jane@example.com"], (1, 2), b"\xff", b"abc", {"k": 1}))
            case _:
                return self.text()

    def name(self) -> Any:
        draw = self._random
        if draw.random() < 0.03:
            return draw.choice((5, Text("k"), "\ud800", "", "k" * 2000))
        return draw.choice(NAMES) if draw.random() < 0.9 else f"k{draw.randrange(2000)}"

    def context(self) -> SpanContext:
        draw = self._random
        state = self._states[draw.random() < 0.05]
        ids = draw.getrandbits(128), draw.getrandbits(64)
        return SpanContext(*ids, draw.random() < 0.5, TraceFlags(1), state)

    def span(self) -> Any:
        draw = self._random
        kind: Any = draw.choice(list(SpanKind)) if draw.random() < 0.98 else 1
        parent = self.context() if draw.random() < 0.5 else None
        given = {self.name(): self.value() for _ in range(draw.randint(0, 8))}
        made: Any = spans.made(
            self._tracer, self.text(), self.context(), parent, kind, None, None, None
        )
        made._attributes._dict = given
        made._start_time = draw.choice((1, 2**62, draw.getrandbits(60)))
        made._end_time = draw.getrandbits(60) + 1
        match draw.randrange(12):
            case 0:
                made._start_time = draw.choice((None, 0, -1, 1.7e9, 2**70, True, "now"))
            case 1:
                made._end_time, ended = None, made._end_time
                made.add_event("one", {"mail": "jane@example.com"})
                made._end_time = ended
            case 2:
                made._end_time, ended = None, made._end_time
                made.add_link(self.context())
                made._end_time = ended
            case 3:
                made._attributes.dropped = 3
            case 4 | 5:
                description = draw.choice((None, "", "failed: jane@example.com", "failed"))
                made._status = Status(StatusCode.ERROR, description)
            case 6:
                made._status = draw.choice((Status(StatusCode.OK), Status(), None))
            case _:
                pass
        return made


def outcome(encoder: SpanEncoder, span: Any) -> Any:
    try:
        return encoder.encode(span)
    except Exception as error:  # noqa: BLE001  # whatever it raises, both do
        return type(error)


@pytest.mark.parametrize("seed", [20261127, FRESH_SEED], ids=["fixed", "fresh"])
def test_spans_of_every_shape_are_the_same_bytes(
    both: tuple[SpanEncoder, SpanEncoder], seed: int
) -> None:
    plain, quick = both
    native_encode: Any = quick._native
    draw, native_ones = Draw(seed), 0
    for _ in range(COUNT):
        span = draw.span()
        expected = outcome(plain, span)
        assert outcome(quick, span) == expected, f"seed {seed}: {span._attributes._dict}"
        try:
            native_ones += native_encode(span) is not None
        except Exception:  # noqa: BLE001, S112  # compared above
            continue
    assert COUNT * 0.3 < native_ones < COUNT


def test_another_kind_of_span_is_left_to_python(both: tuple[SpanEncoder, SpanEncoder]) -> None:
    native_encode: Any = both[1]._native
    assert native_encode(NonRecordingSpan(SpanContext(1, 2, False))) is None
    assert native_encode(None) is None

    class Other(spans.LightSpan):
        pass

    span = Draw(1).span()
    span.__class__ = Other
    assert native_encode(span) is None


def test_a_new_key_counts_at_once(both: tuple[SpanEncoder, SpanEncoder]) -> None:
    keys = [b"k" * 32]
    with native.installed(native.module()):
        quick = encoder(Redactor.load(key=lambda: keys[0]))
    draw = Draw(2)
    span = draw.span()
    while not isinstance(outcome(quick, span), tuple):
        span = draw.span()
    span._attributes._dict = {"note": "mail jane@example.com"}
    first = quick.encode(span)
    assert quick.encode(span) == first
    keys[0] = b"l" * 32
    assert quick.encode(span) != first
