"""Spans for processors: a live one that shows nothing, an ended one that was redacted."""

from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from wrapt import ObjectProxy

from glasshouse.guard.safely import safely
from glasshouse.redaction.process import telemetry_redactor

_RAW: Final = "_glasshouse_raw"
_FIELDS: Final = tuple(vars(ReadableSpan("")))
# What these do when a span starts, or is about to end, is nothing; so it is with what derives from
# them and does not say otherwise.
_IDLE: Final = (SpanProcessor, BatchSpanProcessor, SimpleSpanProcessor)


class RedactedSpan(ReadableSpan):
    """The copy of an ended span that may leave.

    It is made when somebody first reads it: on an exporter's thread as a rule, and once for all
    processors.
    """

    _glasshouse_raw: ReadableSpan | None = None

    def __init__(self, span: ReadableSpan) -> None:
        # Not the base class': its fields are missing until one of them is read. Not by `vars`
        # either, here and below, which makes a dictionary that is not needed.
        self._glasshouse_raw = span
        context = span.get_span_context()
        if context is None or not context.trace_state:
            # Whether the span is sampled is asked on the application's thread.
            self._context = context

    def __getattr__(self, name: str) -> Any:
        own = vars(self)
        span = own.get(_RAW)
        if span is not None and name.startswith("_") and not name.startswith("__"):
            copy = telemetry_redactor().span(span)
            dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)
            # A light span has some of its fields in its class.
            fields = {one: getattr(copy, one) for one in _FIELDS}
            own.update({**vars(copy), **fields, "_dropped": dropped})
            own.pop(_RAW, None)
        # Another thread may have filled it in meanwhile.
        if name in own:
            return own[name]
        raise AttributeError(name)

    @property
    def dropped_attributes(self) -> int:
        return self._dropped[0]

    @property
    def dropped_events(self) -> int:
        return self._dropped[1]

    @property
    def dropped_links(self) -> int:
        return self._dropped[2]


def raw_of(span: object) -> ReadableSpan | None:
    """Return what a copy is made of; None where it was made, or is no such copy."""
    return span._glasshouse_raw if type(span) is RedactedSpan else None  # pyright: ignore[reportPrivateUsage]


def redacted(span: ReadableSpan) -> ReadableSpan:
    """Return the copy of a span that may leave, the same each time."""
    if isinstance(span, RedactedSpan):
        return span
    of: Any = span
    found = getattr(of, "_glasshouse_copy", None)
    if found is None:
        found = of._glasshouse_copy = RedactedSpan(span)
    return found


class LiveSpan(ObjectProxy[Span]):
    """A span that has not ended: it can be written to, and is read redacted."""

    def _copy(self) -> ReadableSpan:
        return RedactedSpan(self.__wrapped__)

    @property
    def name(self) -> Any:
        return self._copy().name

    @property
    def attributes(self) -> Any:
        return self._copy().attributes

    @property
    def events(self) -> Any:
        return self._copy().events

    @property
    def links(self) -> Any:
        return self._copy().links

    @property
    def status(self) -> Any:
        return self._copy().status

    @property
    def resource(self) -> Any:
        return self._copy().resource

    def to_json(self, *args: Any, **kwargs: Any) -> str:
        return self._copy().to_json(*args, **kwargs)


def _does(processor: SpanProcessor, name: str) -> bool:
    """Return whether a processor's method of this name does anything."""
    if name in getattr(processor, "__dict__", {}):
        return True
    found = getattr(type(processor), name, None)
    return found not in [getattr(kind, name, None) for kind in _IDLE]


class SpanGuard(SpanProcessor):
    """Hands on to ``inner`` what may leave."""

    def __init__(self, inner: SpanProcessor) -> None:
        self.inner = inner
        self.sees_starts = _does(inner, "on_start")
        self.sees_endings = _does(inner, "_on_ending")

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self.sees_starts:
            safely(self.inner, self.inner.on_start, LiveSpan(span), parent_context)

    def _on_ending(self, span: Span) -> None:
        if self.sees_endings:
            safely(self.inner, getattr(self.inner, "_on_ending"), LiveSpan(span))  # noqa: B009 (experimental upstream)

    def on_end(self, span: ReadableSpan) -> None:
        safely(self.inner, self.inner.on_end, redacted(span))

    def shutdown(self) -> None:
        safely(self.inner, self.inner.shutdown)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(safely(self.inner, self.inner.force_flush, timeout_millis))

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["inner"], name)
