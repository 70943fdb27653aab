"""Light spans leave as the SDK's own do, whatever is done with them."""

import asyncio
import contextlib
import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    Span,
    SpanLimits,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    format_span_id,
)

from glasshouse import edge
from glasshouse.context import Ids, with_ids
from glasshouse.guard.spans import SpanGuard
from glasshouse.light import decisions, tracers
from glasshouse.light.spans import LightSpan, Plain
from glasshouse.processors import IdsSpanProcessor
from glasshouse.propagation import Hosts
from glasshouse.sampling import OutgoingSampler

SEED = 20_261_127
PROGRAMS = 60
STEPS = 40


class Color(StrEnum):
    RED = "red"


class Shouting:
    def __str__(self) -> str:
        return "SHOUT"


class Silent:
    pass


VALUES: list[Any] = ["a", "longer than five", "", 1, 0, True, 1.5, Color.RED, None, b"x", [1, 2]]
VALUES += [("a", "b"), [], ["a", 1], {"a": {"b": 1}}, Shouting(), Silent(), float("nan")]
KEYS: list[Any] = ["a", "b", "c", "d", "request.id", "", Color.RED, 3, None]
NAMES = ["GET /", "b", ""]
TIMES = [None, None, 1, 10**18]


class Counted(IdGenerator):
    """Ids that are the same in both runs."""

    def __init__(self, rng: random.Random, is_random: bool) -> None:
        self._random = rng
        self._is_random = is_random

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64)

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128)

    def is_trace_id_random(self) -> bool:
        return self._is_random


class Marking(Sampler):
    """Adds to the attributes and the trace state."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        decision = list(Decision)[trace_id % 3]
        marked = {**(attributes or {}), "sampler": repr(links)[:20]}
        return SamplingResult(decision, marked, TraceState([("marked", "1")]))

    def get_description(self) -> str:
        return "marking"


class Watching(SpanProcessor):
    """Writes down what it is shown, and writes to the span itself."""

    def __init__(self, seen: list[object]) -> None:
        self._seen = seen

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._seen.append(("start", shown(span), parent_context is None))
        span.set_attribute("watched", True)

    def _on_ending(self, span: Span) -> None:
        span.set_attribute("too late", True)
        self._seen.append(("ending", shown(span)))

    def on_end(self, span: ReadableSpan) -> None:
        self._seen.append(("end", shown(span)))


def moment(value: int | None) -> object:
    """Return a time that was given, and of one that was taken, that there is one."""
    return value if value in (None, 1, 10**18) else "now"


def values(attributes: Any) -> object:
    found = [(repr(key), plain(value)) for key, value in (attributes or {}).items()]
    # The SDK's context managers are frames in it, too.
    return [(key, "…" if key == "'exception.stacktrace'" else value) for key, value in found]


def plain(value: object) -> object:
    return type(value).__name__ if isinstance(value, Silent) else f"{type(value)} {value!r}"


def shown(span: ReadableSpan) -> object:
    events = [(e.name, values(e.attributes), moment(e.timestamp)) for e in span.events]
    links = [(tuple(link.context), values(link.attributes)) for link in span.links]
    return (
        span.name,
        tuple(span.context or ()),
        tuple(span.parent or ()),
        span.kind,
        (span.status.status_code, span.status.description),
        values(span.attributes),
        (events, [event.dropped_attributes for event in span.events]),
        (links, [link.dropped_attributes for link in span.links]),
        (span.dropped_attributes, span.dropped_events, span.dropped_links),
        (moment(span.start_time), moment(span.end_time)),
        (dict(span.resource.attributes), span.instrumentation_scope),
    )


def every_sampler(hosts: Hosts) -> list[Sampler]:
    plain: list[Sampler] = [
        ALWAYS_ON,
        ALWAYS_OFF,
        DEFAULT_ON,
        Marking(),
        TraceIdRatioBased(0.5),
        ParentBased(TraceIdRatioBased(0.5)),
        ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF),
        ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON),
        ParentBased(ALWAYS_ON, local_parent_sampled=ALWAYS_OFF),
        ParentBased(ALWAYS_ON, local_parent_not_sampled=ALWAYS_ON),
    ]
    return [*plain, *(OutgoingSampler(one, hosts) for one in plain)]


class Run:
    """One program of calls, of which the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self._random = rng = random.Random(seed)  # noqa: S311 (a test's choice)
        self.seen: list[object] = []
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        hosts = Hosts(rng.choice(((), ("orders.internal",))))
        samplers = every_sampler(hosts)
        several = [None, None, SynchronousMultiSpanProcessor(), ConcurrentMultiSpanProcessor(1)]
        provider = TracerProvider(
            sampler=rng.choice(samplers),
            resource=Resource({"service.name": "test"}),
            shutdown_on_exit=False,
            active_span_processor=rng.choice(several),
            id_generator=Counted(random.Random(seed), rng.random() < 0.5),  # noqa: S311 (as above)
            span_limits=SpanLimits(
                max_span_attributes=rng.choice([None, None, None, 0, 1, 3]),
                max_event_attributes=rng.choice([None, 0, 1]),
                max_link_attributes=rng.choice([None, 0, 1]),
                max_events=rng.choice([None, 0, 1, 2]),
                max_links=rng.choice([None, 0, 1, 2]),
                max_attribute_length=rng.choice([None, None, 0, 5]),
            ),
            meter_provider=MeterProvider([self._reader], shutdown_on_exit=False),
        )
        processors: list[SpanProcessor] = [
            IdsSpanProcessor(),
            Watching(self.seen),
            SimpleSpanProcessor(self._exporter),
            SpanGuard(Watching(self.seen)),
        ]
        rng.shuffle(processors)
        for processor in processors[: rng.choice((4, 4, 2))]:
            provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("test", "1", attributes={"a": 1})
        self._open: list[Any] = []

    def go(self) -> list[object]:
        with contextlib.ExitStack() as stack:
            self._stack = stack
            for _ in range(STEPS):
                step = self._random.choices([self._begin, self._enter, self._write], [2, 1, 8])[0]
                self._attempt(step)
        self.seen += [("exported", shown(one)) for one in self._exporter.get_finished_spans()]
        found = self._reader.get_metrics_data()
        for metric in found.resource_metrics[0].scope_metrics[0].metrics if found else ():
            points: Any = metric.data.data_points
            self.seen.append([metric.name, [(dict(p.attributes), p.value) for p in points]])
        assert otel_context.get_current() == {}
        return self.seen

    def _attempt(self, step: Callable[[], object]) -> None:
        try:
            self.seen.append(repr(step()))
        except Exception as error:  # noqa: BLE001 (compared)
            self.seen.append((type(error).__name__, str(error)))

    def _attributes(self) -> Any:
        rng = self._random
        odd = rng.random() < 0.3
        keys = rng.choices(KEYS if odd else KEYS[:5], k=rng.randrange(4))
        made = {key: rng.choice(VALUES if odd else VALUES[:7]) for key in keys}
        return rng.choices([made, None, MappingProxyType(made), list(made.items())], [9, 1, 1, 1])[
            0
        ]

    def _context(self) -> Context | None:
        rng = self._random
        made: Context = rng.choice([Context(), otel_context.get_current()])
        if rng.random() < 0.3:
            state = TraceState([("vendor", "x")]) if rng.random() < 0.5 else None
            flags = TraceFlags(rng.randrange(4))
            named = SpanContext(rng.getrandbits(2), rng.getrandbits(2), True, flags, state)
            made = trace.set_span_in_context(NonRecordingSpan(named), made)
        if rng.random() < 0.4:
            made = with_ids(Ids(rng.choice(("", "request-1")), "flow-1"), made)
        if rng.random() < 0.2:
            made = edge.naming(SpanContext(5, 5, True, TraceFlags(1)), made)
        return rng.choice([made, made, None])

    def _links(self) -> Any:
        rng = self._random
        contexts = [SpanContext(3, 3, True), INVALID_SPAN_CONTEXT, None]
        made: list[Any] = [
            Link(rng.choices(contexts, [6, 2, 1])[0], self._plain_attributes())  # pyright: ignore[reportArgumentType]
            for _ in range(rng.randrange(4))
        ]
        return rng.choice([made, [], None, ()])

    def _plain_attributes(self) -> dict[str, Any]:
        return {self._random.choice(("a", "b")): self._random.choice(VALUES) for _ in range(2)}

    def _given(self) -> dict[str, Any]:
        rng = self._random
        given: dict[str, Any] = {
            "context": self._context(),
            "kind": rng.choice(list(SpanKind)),
            "attributes": self._attributes(),
            "links": self._links(),
            "start_time": rng.choice(TIMES),
            "record_exception": rng.random() < 0.7,
            "set_status_on_exception": rng.random() < 0.7,
        }
        return {name: value for name, value in given.items() if rng.random() < 0.7}

    def _begin(self) -> object:
        span = self._tracer.start_span(self._random.choice(NAMES), **self._given())
        self._open.append(span)
        return tuple(span.get_span_context())

    def _enter(self) -> object:
        """Open a block, and perhaps leave it by an error."""
        rng = self._random
        given = {**self._given(), "end_on_exit": rng.random() < 0.8}
        manager = self._tracer.start_as_current_span(rng.choice(NAMES), **given)
        error = rng.choice([None, None, ValueError("of the block"), asyncio.CancelledError()])
        with contextlib.suppress(ValueError, asyncio.CancelledError), manager as span:
            self._open.append(span)
            assert trace.get_current_span() is span
            self._attempt(self._begin)
            if error is not None:
                raise error
        return span.is_recording()

    def _write(self) -> object:
        if not self._open:
            return None
        rng = self._random
        span = rng.choice(self._open[-3:])
        error = rng.choice([ValueError("wrong"), KeyError("k")])
        state = rng.choice([StatusCode.OK, StatusCode.ERROR, StatusCode.UNSET, Status(), "no"])
        if rng.random() < 0.3:
            state = Status(StatusCode.ERROR, "described")
        key, value = rng.choice(KEYS), rng.choice(VALUES)
        usual = (rng.choice(KEYS[:5]), rng.choice(VALUES[:7]))
        context = rng.choice([SpanContext(4, 4, False), INVALID_SPAN_CONTEXT])
        calls: list[tuple[int, Callable[[], object]]] = [
            (8, lambda: span.set_attribute(*usual)),
            (3, lambda: span.set_attribute(key, value)),
            (6, lambda: span.set_attributes(self._attributes())),
            (3, lambda: span.add_event("event", self._plain_attributes(), rng.choice(TIMES))),
            (3, lambda: span.add_link(context, self._plain_attributes())),
            (2, lambda: span.update_name(rng.choice(NAMES))),
            (3, lambda: span.set_status(state, rng.choice([None, "because"]))),
            (2, lambda: span.record_exception(error, self._plain_attributes(), 1)),
            (3, lambda: span.end(rng.choice(TIMES))),
            (1, lambda: span.start(1)),
            (1, span.is_recording),
            (1, lambda: self._leave(span)),
            (1, lambda: shown(span._readable_span()) if isinstance(span, Span) else None),
        ]
        return rng.choices([call for _, call in calls], [weight for weight, _ in calls])[0]()

    def _leave(self, span: Any) -> None:
        with contextlib.suppress(ValueError), span:
            raise ValueError("of the span")


@pytest.fixture(autouse=True)
def _own_ways() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    yield
    tracers.uninstall()


@pytest.mark.parametrize("hosts", [(), ("orders.internal",)])
def test_each_sampler_decides_as_it_does_itself(hosts: tuple[str, ...]) -> None:
    known = 0
    parents = {
        decisions.NO_PARENT: INVALID_SPAN_CONTEXT,
        decisions.LOCAL_NOT_SAMPLED: SpanContext(1, 1, False, TraceFlags(0)),
        decisions.LOCAL_SAMPLED: SpanContext(1, 1, False, TraceFlags(1)),
        decisions.REMOTE_NOT_SAMPLED: SpanContext(1, 1, True, TraceFlags(0)),
        decisions.REMOTE_SAMPLED: SpanContext(1, 1, True, TraceFlags(1)),
    }
    for sampler in every_sampler(Hosts(hosts)):
        decide = decisions.of(sampler)
        if decide is None:
            continue
        for place, parent in parents.items():
            context = trace.set_span_in_context(NonRecordingSpan(parent), Context())
            for kind in (*SpanKind, None):
                for trace_id in (1, 2**63 - 1, 2**63, 2**64 - 1, 2**128 - 1):
                    known += 1
                    expected = sampler.should_sample(context, trace_id, "name", kind)
                    assert decide(place, trace_id, kind) is expected.decision
                    assert decisions.always(sampler)[place] in (None, expected.decision)
    assert known == 18 * 5 * 6 * 5


@pytest.mark.parametrize("number", range(PROGRAMS))
def test_any_program_exports_the_same(
    number: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", str(number % 2 == 0).lower())
    tracers.uninstall()
    found: list[tuple[list[object], list[str]]] = []
    for light in (False, True):
        if light:
            tracers.install()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            seen = Run(SEED + number).go()
        found.append((seen, [record.getMessage() for record in caplog.records]))
    (expected, warned), (seen, said) = found
    assert seen == expected
    assert said == warned


class Kept:
    """A provider whose spans are light, and what it has exported."""

    def __init__(self, *processors: SpanProcessor) -> None:
        tracers.install()
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        for processor in (*processors, SimpleSpanProcessor(self.exporter)):
            self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("test")

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())


def test_the_usual_source_of_ids_is_drawn_from_as_the_sdk_does() -> None:
    found: list[list[SpanContext]] = []
    for prepare in (tracers.uninstall, tracers.install):
        prepare()
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
        random.seed(SEED)
        root = tracer.start_span("root", Context())
        child = tracer.start_span("child", trace.set_span_in_context(root, Context()))
        found.append([root.get_span_context(), child.get_span_context()])
    expected, seen = found
    assert seen == expected
    assert all(one.is_valid and one.trace_flags == 3 for one in seen)


def test_a_source_of_ids_that_was_replaced_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RandomIdGenerator, "generate_span_id", lambda _: 77)
    span = Kept().tracer.start_span("one")
    assert span.get_span_context().span_id == 77


@pytest.mark.parametrize("limit", [None, 1, 3])
@pytest.mark.parametrize("longest", [None, 2])
def test_plain_attributes_leave_as_any_others(limit: int | None, longest: int | None) -> None:
    tracers.install()
    limits = SpanLimits(max_span_attributes=limit, max_span_attribute_length=longest)
    exporter = InMemorySpanExporter()
    provider = TracerProvider(span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    first, last = {"text": "long", "number": 1}, {"number": 2, "late": "later", "yes": True}
    for kind in (dict, Plain):
        begun = kind(first)
        span: Any = tracer.start_span("one", attributes=begun)
        begun["text"] = "changed by the caller"
        if kind is Plain:
            span.put(Plain(last))
            span.end()
            span.put(Plain(after="the end"))
        else:
            span.set_attributes(last)
            span.end()
    expected, seen = exporter.get_finished_spans()
    if limit is None:
        assert dict(seen.attributes or {}) == dict(expected.attributes or {})
    # Which one goes at a limit depends on their order, which is not kept.
    assert len(seen.attributes or {}) == len(expected.attributes or {})
    assert seen.dropped_attributes == expected.dropped_attributes


def test_the_usual_samplers_decide_by_the_parent_alone() -> None:
    sampled, dropped = Decision.RECORD_AND_SAMPLE, Decision.DROP
    usual = ParentBased(ALWAYS_ON)
    assert decisions.always(usual) == (sampled, dropped, sampled, dropped, sampled)
    # What is dropped is recorded where it may carry context.
    outgoing = OutgoingSampler(usual, Hosts(()))
    assert decisions.always(outgoing) == (sampled, None, sampled, None, sampled)
    assert decisions.always(ParentBased(TraceIdRatioBased(0.5)))[0] is None
    assert decisions.always(Recording()) == (None,) * 5


def test_a_light_span_is_a_span_of_the_sdk() -> None:
    kept = Kept()
    with kept.tracer.start_as_current_span("one") as span:
        assert type(span) is LightSpan
        assert isinstance(span, Span)
    assert [isinstance(one, ReadableSpan) for one in kept.spans()] == [True]
    tracers.uninstall()
    assert type(kept.tracer.start_span("two")) is not LightSpan


def test_the_attributes_of_an_ended_span_cannot_be_changed() -> None:
    kept = Kept()
    kept.tracer.start_span("one", attributes={"a": 1}).end()
    own: Any = vars(kept.spans()[0])["_attributes"]
    with pytest.raises(TypeError):
        own["b"] = 2
    assert dict(own) == {"a": 1}


def test_a_processor_that_is_added_later_is_called() -> None:
    kept, seen = Kept(), list[object]()
    kept.tracer.start_span("before").end()
    kept.provider.add_span_processor(Watching(seen))
    kept.tracer.start_span("after").end()
    kinds = [one[0] for one in seen if isinstance(one, tuple)]  # pyright: ignore[reportUnknownVariableType]
    assert kinds == ["start", "ending", "end"]


def test_what_is_encoded_is_the_same() -> None:
    def encoded() -> bytes:
        kept = Kept()
        rng = random.Random(SEED)  # noqa: S311 (a test's choice)
        kept.provider.id_generator = Counted(rng, is_random=True)
        tracer = kept.provider.get_tracer("encoded")
        given: Any = {"a": 1, "b": "text", "c": [1, 2], "d": {"e": 1.5}}
        parent = tracer.start_span("parent", attributes=given, start_time=1)
        links = [Link(SpanContext(3, 4, True), given)]
        inside = trace.set_span_in_context(parent)
        child = tracer.start_span("child", inside, SpanKind.CLIENT, {}, links, 2)
        child.add_event("event", given, 3)
        child.set_status(StatusCode.ERROR, "described")
        child.end(4)
        parent.end(5)
        for span in kept.spans():
            vars(span)["_resource"] = Resource({"service.name": "test"})
        return encode_spans(kept.spans()).SerializeToString()

    light = encoded()
    tracers.uninstall()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracers, "install", lambda: None)
        full = encoded()
    assert light == full
    assert light.count(b"described") == 1


def test_threads_lose_nothing_and_end_a_span_once() -> None:
    kept = Kept()
    span = kept.tracer.start_span("shared")
    both = threading.Barrier(4)

    def write(thread: int) -> None:
        both.wait()
        for number in range(30):
            span.set_attribute(f"{thread}.{number}", number)
            span.set_attributes({"both": thread, f"all.{thread}": number})
        both.wait()
        span.end()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [exported] = kept.spans()
    expected = {f"{thread}.{number}": number for thread in range(4) for number in range(30)}
    found = dict(exported.attributes or {})
    assert {key: value for key, value in found.items() if key in expected} == expected
    assert set(found) - set(expected) == {"both", *(f"all.{thread}" for thread in range(4))}


def test_a_decorated_function_has_a_span_for_each_call() -> None:
    kept = Kept()

    @kept.tracer.start_as_current_span("plain")
    def plain_step(depth: int) -> int:
        assert trace.get_current_span().is_recording()
        return depth if depth == 0 else plain_step(depth - 1)

    @kept.tracer.start_as_current_span("awaited")
    async def awaited_step() -> str:
        await asyncio.sleep(0)
        assert trace.get_current_span().is_recording()
        return "done"

    assert plain_step(2) == 0

    async def at_once() -> list[str]:
        return list(await asyncio.gather(awaited_step(), awaited_step()))

    assert asyncio.run(at_once()) == ["done", "done"]
    assert [span.name for span in kept.spans()] == ["plain"] * 3 + ["awaited"] * 2
    assert len({format_span_id(span.context.span_id) for span in kept.spans() if span.context}) == 5
    inner, middle, outer = kept.spans()[:3]
    assert (inner.parent, middle.parent, outer.parent) == (middle.context, outer.context, None)


def test_an_error_shows_where_it_came_from() -> None:
    kept = Kept()

    def fails() -> None:
        raise ValueError("of the block")

    with pytest.raises(ValueError, match="of the block"), kept.tracer.start_as_current_span("one"):
        fails()
    [event] = kept.spans()[0].events
    stack = str((event.attributes or {})["exception.stacktrace"])
    assert "in fails" in stack
    assert stack.endswith("ValueError: of the block\n")
    assert kept.spans()[0].status.description == "ValueError: of the block"


def test_ids_are_stamped_without_a_call_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IdsSpanProcessor, "on_start", lambda *_: pytest.fail("it was called"))
    kept = Kept(IdsSpanProcessor())
    stranger = SpanContext(5, 6, True, TraceFlags(1))
    context = edge.naming(stranger, with_ids(Ids("request-1", "flow-1"), Context()))
    kept.tracer.start_span("one", context).end()
    [span] = kept.spans()
    assert span.attributes == {"request.id": "request-1", "correlation.id": "flow-1"}
    assert [link.context for link in span.links] == [stranger]


class Keeping(SpanExporter):
    """Keeps the names of spans."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def queued(sampler: Sampler) -> tuple[BatchSpanProcessor, list[str]]:
    """Return the processor of a provider with a guarded queue, and the names that it exports."""
    tracers.install()
    exporter = Keeping()
    processor = BatchSpanProcessor(exporter)
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SpanGuard(processor))
    provider.get_tracer("test").start_span("one").end()
    assert processor.force_flush()
    return processor, exporter.names


class Recording(Sampler):
    """Records each span, and samples none."""

    def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        return "recording"


def test_only_sampled_spans_are_put_into_the_queue_of_a_guarded_processor() -> None:
    for sampler, expected in ((ALWAYS_ON, ["one"]), (Recording(), [])):
        processor, names = queued(sampler)
        processor.shutdown()
        assert names == expected


def test_what_another_package_does_at_the_end_of_a_span_is_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original, seen = BatchSpanProcessor.on_end, list[str]()

    def on_end(self: BatchSpanProcessor, span: ReadableSpan) -> None:
        seen.append(span.name)
        original(self, span)

    monkeypatch.setattr(BatchSpanProcessor, "on_end", on_end)
    processor, names = queued(ALWAYS_ON)
    processor.shutdown()
    assert names == seen == ["one"]
