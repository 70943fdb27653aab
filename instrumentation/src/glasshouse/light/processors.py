"""Which processors have something to do when a span starts or ends."""

# The SDK's list of processors shows what it holds to nobody.
# pyright: reportPrivateUsage=false

from collections.abc import Callable
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import DEFAULT_TRACE_STATE, TraceFlags

from glasshouse import edge
from glasshouse.context import (
    CORRELATION_ID_ATTRIBUTE,
    IDS,
    REQUEST_ID_ATTRIBUTE,
    Ids,
    attributes_of,
)
from glasshouse.guard.safely import report
from glasshouse.guard.spans import RedactedSpan, SpanGuard
from glasshouse.instrumentors.known import is_own
from glasshouse.processors import IdsSpanProcessor
from glasshouse.runtime_context import get_current

# Where a list of processors keeps its `Line`.
LINE: Final = "_glasshouse_line"
# What these classes do when a span starts is nothing.
_IDLE_STARTS: Final[tuple[Any, ...]] = tuple(
    kind.on_start for kind in (SpanProcessor, BatchSpanProcessor, SimpleSpanProcessor)
)
_IDLE_ENDING: Final[Any] = getattr(SpanProcessor, "_on_ending", None)
_IDLE_END: Final[Any] = SpanProcessor.on_end
# Places in a span's context, without the properties.
_FLAGS: Final = 3
_STATE: Final = 4
_SAMPLED: Final = TraceFlags.SAMPLED
_new: Final[Any] = object.__new__


class Line:
    """The calls that a span makes, in the order of the processors."""

    __slots__ = ("endings", "ends", "of", "starts")

    def __init__(self, processors: tuple[SpanProcessor, ...]) -> None:
        self.of = processors
        self.starts = [found for one in processors if (found := _start_of(one))]
        self.endings = [one._on_ending for one in processors if _has_ending(one)]
        self.ends = [_end_of(one) for one in processors if _has_end(one)]


def line_of(processor: Any) -> Line | None:
    """Return the calls of the SDK's usual list of processors; ``None`` for another one."""
    if type(processor) is not SynchronousMultiSpanProcessor:
        return None
    known = vars(processor)
    line: Line | None = known.get(LINE)
    processors = processor._span_processors
    if line is None or line.of is not processors:
        line = known[LINE] = Line(processors)
    return line


def _start_of(processor: SpanProcessor) -> Callable[[Any, Context | None], object] | None:
    if type(processor) is IdsSpanProcessor:
        return stamp
    if type(processor) is SpanGuard and not processor.sees_starts:
        return None
    if not _replaced(processor, "on_start") and _of_class(processor, "on_start") in _IDLE_STARTS:
        return None
    on_start = processor.on_start
    # By name, as the SDK does: a processor may take its context by name alone.
    return lambda span, context: on_start(span, parent_context=context)


def _has_ending(processor: SpanProcessor) -> bool:
    if type(processor) is SpanGuard:
        return processor.sees_endings
    if not hasattr(processor, "_on_ending"):
        return False
    return (
        _replaced(processor, "_on_ending") or _of_class(processor, "_on_ending") is not _IDLE_ENDING
    )


def _has_end(processor: SpanProcessor) -> bool:
    if type(processor) is IdsSpanProcessor:
        return False
    return _replaced(processor, "on_end") or _of_class(processor, "on_end") is not _IDLE_END


def _end_of(processor: SpanProcessor) -> Callable[[Any], object]:
    """Return a processor's way to take an ended span.

    A guard before the SDK's own batch processor, which puts sampled spans into its queue and does
    nothing else, puts them there itself.
    """
    if type(processor) is not SpanGuard or _replaced(processor, "on_end"):
        return processor.on_end
    inner = processor.inner
    if not isinstance(inner, BatchSpanProcessor) or _replaced(inner, "on_end"):
        return processor.on_end
    own = _of_class(inner, "on_end")
    if own is not BatchSpanProcessor.on_end or not is_own(own, BatchSpanProcessor.__module__):
        return processor.on_end
    put: Any = inner._batch_processor.emit

    def queue(span: Any) -> None:
        context = span._context
        if not context[_FLAGS] & _SAMPLED:
            return
        copy = span._glasshouse_copy
        if copy is None:
            # What `redacted` does, but for its calls.
            copy = span._glasshouse_copy = _new(RedactedSpan)
            copy._glasshouse_raw = span
            if context[_STATE] is DEFAULT_TRACE_STATE:
                copy._context = context
        try:
            put(copy)
        except Exception as error:  # noqa: BLE001 (it would reach the application)
            report(inner, error)

    return queue


def _of_class(processor: SpanProcessor, name: str) -> Any:
    return getattr(type(processor), name, None)


def _replaced(processor: SpanProcessor, name: str) -> bool:
    return name in getattr(processor, "__dict__", {})


def stamp(span: Any, parent_context: Context | None) -> None:
    """Do as IdsSpanProcessor does."""
    context = get_current() if parent_context is None else parent_context
    ids: Any = context.get(IDS)
    if ids.__class__ is Ids:
        own = span._attributes
        most, known = own.maxlen, own._dict
        if own.max_value_len is None and (most is None or len(known) + 2 <= most):
            with span._lock:
                request, correlation = ids
                if request:
                    if REQUEST_ID_ATTRIBUTE in known:
                        del known[REQUEST_ID_ATTRIBUTE]
                    known[REQUEST_ID_ATTRIBUTE] = request
                if CORRELATION_ID_ATTRIBUTE in known:
                    del known[CORRELATION_ID_ATTRIBUTE]
                known[CORRELATION_ID_ATTRIBUTE] = correlation
        else:
            span.set_attributes(attributes_of(parent_context))
    if span._parent is None and (edge.NAMED in context):
        edge.link_root(span, parent_context)
