"""The SDK's tracer, whose spans are light."""

# The methods below stand in the SDK's own tracer.
# pyright: reportPrivateUsage=false

import functools
import threading
from collections.abc import Callable, Sequence
from random import getrandbits
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.sdk.trace._tracer_metrics import NoOpTracerMetrics, TracerMetrics
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    DEFAULT_TRACE_STATE,
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
)
from opentelemetry.trace.propagation import _SPAN_KEY

from glasshouse.instrumentors.known import is_own
from glasshouse.light import counts, decisions, spans
from glasshouse.light.current import CurrentSpan
from glasshouse.runtime_context import get_current

_KNOWN: Final = "_glasshouse_known"
_DICTS: Final[tuple[Any, ...]] = (dict, spans.Plain)
_IDS: Final = ("generate_trace_id", "generate_span_id", "is_trace_id_random")
# By 1 for sampled and 2 for a random id. They cannot be changed, so that all spans share them.
_FLAGS: Final = tuple(TraceFlags(flags) for flags in range(4))
_SAMPLED: Final = Decision.RECORD_AND_SAMPLE
_DROP: Final = Decision.DROP
_tuple: Final[Any] = tuple[Any, ...].__new__


def _light(original: Callable[..., Span]) -> Callable[..., Span]:
    @functools.wraps(original)
    def start_span(
        self: Any,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        around = (get_current() if context is None else context).get(_SPAN_KEY)
        parent: Any
        if around is None:
            parent = INVALID_SPAN_CONTEXT
        elif type(around) is spans.LightSpan:
            parent = around._context
        else:
            parent = trace.get_current_span(context).get_span_context()
        if type(parent) is not SpanContext or not self._tracer_config.is_enabled:
            return original(
                self,
                name,
                context,
                kind,
                attributes,
                links,
                start_time,
                record_exception,
                set_status_on_exception,
            )
        known = self.__dict__.get(_KNOWN)
        if known is None or known.sampler is not self.sampler or known.ids is not self.id_generator:
            known = self.__dict__[_KNOWN] = _Known(self.sampler, self.id_generator)
        ids = known.ids
        trace_id, _, is_remote, parent_flags, state, is_valid = parent
        if is_valid:
            flags = parent_flags & 2
            # As the constants of `decisions` say.
            place = (4 if is_remote else 2) if parent_flags & 1 else (3 if is_remote else 1)
        else:
            parent, state, place = None, DEFAULT_TRACE_STATE, 0
            if known.is_random:
                trace_id, flags = getrandbits(128) or ids.generate_trace_id(), 2
            else:
                trace_id = ids.generate_trace_id()
                flags = 2 if ids.is_trace_id_random() else 0

        if known.decide is not None and (attributes is None or type(attributes) in _DICTS):
            decision = known.always[place] or known.decide(place, trace_id, kind)
        else:
            result = self.sampler.should_sample(
                context, trace_id, name, kind, attributes, links or ()
            )
            decision, attributes, state = result.decision, result.attributes, result.trace_state
        if decision is _SAMPLED:
            flags += 1
        if known.is_random and state is not None:
            # Ids of this kind are valid, and so is a trace's id that was taken over.
            span_id = getrandbits(64) or ids.generate_span_id()
            own = _tuple(SpanContext, (trace_id, span_id, False, _FLAGS[flags], state, True))
        else:
            own = SpanContext(trace_id, ids.generate_span_id(), False, _FLAGS[flags], state)

        metrics = self._tracer_metrics
        ended = None
        if type(metrics) is TracerMetrics:
            ended = counts.begin(metrics, place, decision)
        elif type(metrics) is not NoOpTracerMetrics:
            ended = metrics.start_span(parent, decision)
        if decision is _DROP:
            return NonRecordingSpan(context=own)
        span = spans.made(self, name, own, parent, kind, attributes, links, ended)
        if not record_exception:
            span._record_exception = False
        if not set_status_on_exception:
            span._set_status_on_exception = False
        spans.start(span, start_time, context)
        return span

    return start_span


class _Known:
    """What is known of a tracer for as long as it has this sampler and this source of ids.

    is_random: ids come from `random`, as the SDK's own source takes them.
    """

    __slots__ = ("always", "decide", "ids", "is_random", "sampler")

    def __init__(self, sampler: Any, ids: Any) -> None:
        self.sampler = sampler
        self.ids = ids
        self.decide = decisions.of(sampler)
        self.always = decisions.always(sampler)
        self.is_random = type(ids) is RandomIdGenerator and all(
            is_own(vars(RandomIdGenerator).get(name), RandomIdGenerator.__module__) for name in _IDS
        )


def start_as_current_span(
    self: Tracer,
    name: str,
    context: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Any = None,
    links: Sequence[Link] | None = (),
    start_time: int | None = None,
    record_exception: bool = True,
    set_status_on_exception: bool = True,
    end_on_exit: bool = True,
) -> CurrentSpan:
    """See `opentelemetry.trace.Tracer.start_as_current_span`."""
    return CurrentSpan(
        self,
        (name, context, kind, attributes, links, start_time),
        record_exception,
        set_status_on_exception,
        end_on_exit,
    )


_lock: Final = threading.Lock()
_originals: Final[dict[str, Any]] = {}
_METHODS: Final = ("start_span", "start_as_current_span")


def methods() -> list[tuple[type, str]]:
    """Return the methods that are replaced: a class and a name each."""
    return [(Tracer, name) for name in _METHODS]


def install() -> None:
    """Let all tracers of this process make light spans. Safe to call twice."""
    with _lock:
        if not _originals:
            _originals.update({name: vars(Tracer)[name] for name in _METHODS})
            Tracer.start_span = _light(Tracer.start_span)
            Tracer.start_as_current_span = start_as_current_span  # pyright: ignore[reportAttributeAccessIssue]


def uninstall() -> None:
    """Give the tracers the SDK's own methods back. Spans that were made stay as they are."""
    with _lock:
        for name, original in _originals.items():
            setattr(Tracer, name, original)
        _originals.clear()
