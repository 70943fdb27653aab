"""The SDK's span, made and written to in a fraction of the time.

Values that need no cleaning are put where the SDK would have put them; for all else its own methods
are called. One lock serves the span and its attributes.
"""

# The class below is one of the SDK's own kind.
# pyright: reportPrivateUsage=false

import threading
from collections.abc import Callable, Mapping
from time import time_ns
from typing import Any, Final, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import EventBase, SynchronousMultiSpanProcessor, _Span
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from glasshouse.light.processors import LINE, line_of

# Values that no version of the SDK changes; texts, too, up to the longest that is allowed.
_KEPT: Final = frozenset({bool, int, float})
UNSET: Final = Status(StatusCode.UNSET)
_new: Final[Callable[[Any], Any]] = object.__new__
_DICT: Final[Any] = dict
_USUAL: Final[Any] = SynchronousMultiSpanProcessor
# What `threading.RLock` calls.
_new_lock: Final[Callable[[], Any]] = getattr(threading, "_CRLock", None) or threading.RLock


class Plain(dict[str, Any]):
    """Attributes that the SDK takes as they are: texts, truth values, numbers; no empty key."""


class LightAttributes(BoundedAttributes):
    """The attributes of a span that has just been made."""

    # What the base class' constructor would set.
    dropped = 0
    max_value_len: int | None
    _immutable = False
    _extended_attributes = False
    _lock: Any
    _dict: dict[str, Any]


class LightSpan(_Span):
    """A span as the SDK makes them."""

    # What is so with most spans stands here, and not in each of them.
    _trace_config = None
    _record_exception = True
    _set_status_on_exception = True
    _glasshouse_copy = None
    _attributes: Any
    _context: Any
    _end_time: Any = None
    _start_time: Any = None
    _events: Any = ()
    _links: Any = ()
    _status = UNSET

    def get_span_context(self) -> SpanContext:
        return self._context

    def set_attribute(self, key: str, value: object) -> None:
        own = self._attributes
        kind = type(value)
        longest = own.max_value_len if kind is str else None
        if (
            (kind is str or kind in _KEPT)
            and (longest is None or len(cast("str", value)) <= longest)
            and type(key) is str
            and key
        ):
            with self._lock:
                if self._end_time is None:
                    known = own._dict
                    if key in known:
                        del known[key]
                        known[key] = value
                        return
                    most = own.maxlen
                    if most is None or len(known) < most:
                        known[key] = value
                        return
        super().set_attribute(key, cast("Any", value))

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        own = self._attributes
        if type(attributes) is _DICT and are_plain(attributes, own.max_value_len):
            with self._lock:
                known = own._dict
                most = own.maxlen
                if self._end_time is None and (
                    most is None or len(known) + len(attributes) <= most
                ):
                    for key, value in attributes.items():
                        if key in known:
                            del known[key]
                        known[key] = value
                    return
        super().set_attributes(attributes)

    def put(self, attributes: Plain) -> None:
        """Do as `set_attributes`, but for the order of those that are there already."""
        own = self._attributes
        most = own.maxlen
        if own.max_value_len is None:
            with self._lock:
                known = own._dict
                if self._end_time is None and (
                    most is None or len(known) + len(attributes) <= most
                ):
                    known.update(attributes)
                    return
        self.set_attributes(dict(attributes))

    def update_name(self, name: str) -> None:
        with self._lock:
            if self._end_time is None:
                self._name = name
                return
        super().update_name(name)

    def _add_event(self, event: EventBase) -> None:
        with self._lock:
            if type(self._events) is tuple:
                self._events = self._new_events()
        super()._add_event(event)

    def _add_link(self, link: Link) -> None:
        with self._lock:
            if type(self._links) is tuple:
                self._links = self._new_links(())
        super()._add_link(link)

    def end(self, end_time: int | None = None) -> None:
        with self._lock:
            usual = self._end_time is None and self._start_time is not None
            if usual:
                self._end_time = time_ns() if end_time is None else end_time
                self._attributes._immutable = True
        if not usual:
            return super().end(end_time)
        if self._record_end_metrics:
            self._record_end_metrics()
        processor: Any = self._span_processor
        line = processor.__dict__.get(LINE) if type(processor) is _USUAL else None
        if line is None or line.of is not processor._span_processors:
            line = line_of(processor)
        if line is None:
            processor._on_ending(self)
            processor.on_end(self)
            return None
        for on_ending in line.endings:
            on_ending(self)
        for on_end in line.ends:
            on_end(self)
        return None


def are_plain(attributes: Mapping[Any, object], most: int | None) -> bool:
    """Return whether the SDK would take all of these as they are."""
    for key, value in attributes.items():
        kind = type(value)
        if type(key) is not str or not key:
            return False
        if kind not in _KEPT and (
            kind is not str or (most is not None and len(cast("str", value)) > most)
        ):
            return False
    return True


def made(
    tracer: Any,
    name: str,
    context: SpanContext,
    parent: SpanContext | None,
    kind: Any,
    attributes: Any,
    links: Any,
    record_end_metrics: Callable[[], None] | None,
) -> LightSpan:
    """Return a new span of a tracer. It has not been started."""
    limits = tracer._span_limits
    lock = _new_lock()
    own: Any = _new(LightAttributes)
    most = own.maxlen = limits.max_span_attributes
    longest = own.max_value_len = limits.max_span_attribute_length
    own._lock = lock
    own._dict = {}
    if attributes:
        if (most is None or len(attributes) <= most) and (
            (type(attributes) is Plain and longest is None)
            or (type(attributes) is _DICT and are_plain(attributes, longest))
        ):
            own._dict = attributes.copy()
        else:
            own._set_items(attributes)
    span: Any = _new(LightSpan)
    span._name = name
    span._context = context
    span._kind = kind
    span._instrumentation_info = tracer.instrumentation_info
    span._instrumentation_scope = tracer._instrumentation_scope
    span._parent = parent
    span._attributes = own
    span._resource = tracer.resource
    span._sampler = tracer.sampler
    span._span_processor = tracer.span_processor
    span._limits = limits
    span._lock = lock
    span._record_end_metrics = record_end_metrics
    if links:
        span._links = span._new_links(links)
    return cast("LightSpan", span)


def start(span: LightSpan, start_time: int | None, parent_context: Context | None) -> None:
    """Start a span that was just made, which nobody else has yet."""
    processor: Any = span._span_processor
    span._start_time = time_ns() if start_time is None else start_time
    line = processor.__dict__.get(LINE) if type(processor) is _USUAL else None
    if line is None or line.of is not processor._span_processors:
        line = line_of(processor)
    if line is None:
        processor.on_start(span, parent_context=parent_context)
        return
    for on_start in line.starts:
        on_start(span, parent_context)
