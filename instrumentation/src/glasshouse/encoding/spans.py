"""Spans as messages `Span` of OTLP.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

import functools
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.trace import DEFAULT_TRACE_STATE, Link, SpanContext, SpanKind, StatusCode

from glasshouse.encoding.attributes import Attributes, Texts
from glasshouse.encoding.memory import Memory
from glasshouse.encoding.natively import encoder_of_spans
from glasshouse.encoding.origins import Origin, Origins
from glasshouse.encoding.wire import count, fixed64, sized
from glasshouse.light.spans import UNSET, LightSpan
from glasshouse.redaction import repair
from glasshouse.redaction.repair import LATEST
from glasshouse.redaction.statements import SYSTEMS, TEXTS, with_statements
from glasshouse.redaction.telemetry import TelemetryRedactor, plain

_KINDS: Final = {
    SpanKind.INTERNAL: b"\x30\x01",
    SpanKind.SERVER: b"\x30\x02",
    SpanKind.CLIENT: b"\x30\x03",
    SpanKind.PRODUCER: b"\x30\x04",
    SpanKind.CONSUMER: b"\x30\x05",
}
_CODES: Final = {StatusCode.UNSET: b"", StatusCode.OK: b"\x18\x01", StatusCode.ERROR: b"\x18\x02"}
_UNSET: Final = b"\x7a\x00"
# Whether the parent is in another process is known; is it so.
_HERE: Final = b"\x00\x01\x00\x00"
_REMOTE: Final = b"\x00\x03\x00\x00"
# Both times of a span, each behind its tag.
_times: Final = struct.Struct("<cQcQ").pack
_QUERY, _STATEMENT = TEXTS
_LONGEST_STATEMENTS: Final = 2048
_MOST_STATEMENTS: Final = 256


@functools.cache
def _has_fields(kind: type[Any]) -> bool:
    return kind.__module__ == "opentelemetry.sdk.trace" or kind.__module__.startswith("glasshouse.")


def _held(span: Any) -> tuple[Any, Any, Any]:
    """Return attributes, events and links. Their properties copy all of them each time."""
    if _has_fields(span.__class__):
        return span._attributes, span._events, span._links
    return span.attributes, span.events, span.links


class SpanEncoder:
    """Redacts and encodes spans at once.

    redactor: None for spans that have been redacted already.
    """

    def __init__(self, redactor: TelemetryRedactor | None) -> None:
        self._redactor = redactor
        self._origins = Origins(redactor, "traces")
        self._attributes = Attributes(b"\x4a", redactor)
        self._of_events = Attributes(b"\x1a", redactor)
        self._of_links = Attributes(b"\x22", redactor)
        self._texts = Texts(None if redactor is None else redactor.text)
        self._native = None if redactor is None else self._natively(redactor)
        self._clean_statements = Memory(_MOST_STATEMENTS, _MOST_STATEMENTS * _LONGEST_STATEMENTS)

    def encode(self, span: Any) -> tuple[Origin, bytes]:
        """Return where a span comes from, and itself as a field of a `ScopeSpans`.

        Raises:
            Exception: it cannot be encoded.
        """
        light: Any = span if type(span) is LightSpan else None
        if light is not None:
            origin = self._origins.origin(light._resource, light._instrumentation_scope)
        else:
            origin = self._origins.origin(span.resource, span.instrumentation_scope)
        if self._native is not None and (found := self._native(span)) is not None:
            return origin, found
        if light is not None and not light._events and not light._links:
            return origin, self._plain(light)
        context, parent = span.get_span_context(), span.parent
        out = [
            b"\x0a\x10",
            context.trace_id.to_bytes(16, "big"),
            b"\x12\x08",
            context.span_id.to_bytes(8, "big"),
        ]
        if context.trace_state:
            out.append(b"\x1a" + sized(self._state(context)))
        flags = _HERE
        if parent:
            out += (b"\x22\x08", parent.span_id.to_bytes(8, "big"))
            flags = _REMOTE if parent.is_remote else _HERE
        if name := span.name:
            out += (b"\x2a", self._texts.sized(name))
        out.append(_KINDS[span.kind])
        self._times(out, span.start_time, span.end_time)
        attributes, events, links = _held(span)
        if attributes:
            self._attributes.extend(out, self._with_statements(plain(attributes)))
        if events:
            out += [b"\x5a" + sized(self._event(event)) for event in events]
        if links:
            out += [b"\x6a" + sized(self._link(link)) for link in links]
        if dropped := span.dropped_attributes:
            out += (b"\x50", count(dropped))
        if dropped := span.dropped_events:
            out += (b"\x60", count(dropped))
        if dropped := span.dropped_links:
            out += (b"\x70", count(dropped))
        status = span.status
        # The redactor refuses a span without one.
        if status is not None or self._redactor is not None:
            out.append(self._status(status))
        out += (b"\x85\x01", flags)
        return origin, b"\x12" + sized(b"".join(out))

    def _plain(self, span: Any) -> bytes:
        """Return a span of ours without events and links as a field, read without its properties.

        Raises:
            Exception: it cannot be encoded.
        """
        context, parent, own = span._context, span._parent, span._attributes
        trace_id, span_id, _, _, state, _ = context
        out = [b"\x0a\x10", trace_id.to_bytes(16, "big"), b"\x12\x08", span_id.to_bytes(8, "big")]
        if state is not DEFAULT_TRACE_STATE and state:
            out.append(b"\x1a" + sized(self._state(context)))
        flags = _HERE
        if parent:
            _, parent_id, is_remote, _, _, _ = parent
            out += (b"\x22\x08", parent_id.to_bytes(8, "big"))
            flags = _REMOTE if is_remote else _HERE
        if name := span._name:
            out += (b"\x2a", self._texts.sized(name))
        out.append(_KINDS[span._kind])
        start, end = span._start_time, span._end_time
        if type(start) is int and type(end) is int and 0 < start <= LATEST and 0 < end <= LATEST:
            out.append(_times(b"\x39", start, b"\x41", end))
        else:
            self._times(out, start, end)
        # It has ended, so that nobody writes to it any more.
        attributes = own._dict
        if attributes:
            if _QUERY in attributes or _STATEMENT in attributes:
                attributes = self._with_statements(attributes)
            self._attributes.extend(out, attributes)
        if own.dropped:
            out += (b"\x50", count(own.dropped))
        status = span._status
        out += (_UNSET if status is UNSET else self._status(status), b"\x85\x01", flags)
        return b"\x12" + sized(b"".join(out))

    def _natively(self, redactor: TelemetryRedactor) -> Callable[[Any], bytes | None] | None:
        attributes = self._attributes
        return encoder_of_spans(
            redactor.looks,
            kinds=list(_KINDS.items()),
            statements=list(TEXTS),
            head=attributes.head,
            field=attributes.field,
            text=self._texts.sized,
            status=self._status,
            stripped=self._with_statements,
        )

    def _times(self, out: list[bytes], start: Any, end: Any) -> None:
        if self._redactor is not None:
            start, end = repair.moment(start), repair.moment(end)
            # A time that cannot be repaired would make the span last for decades.
            start, end = start or end, end or start
        if start:
            out += (b"\x39", fixed64(start))
        if end:
            out += (b"\x41", fixed64(end))

    def _with_statements(self, attributes: dict[str, Any]) -> Mapping[str, Any]:
        """Return attributes whose statements have no values."""
        if self._redactor is None or (_QUERY not in attributes and _STATEMENT not in attributes):
            return attributes
        said = tuple([attributes.get(name, "") for name in (*SYSTEMS, *TEXTS)])
        is_plain = all(type(one) is str for one in said)
        if is_plain and self._clean_statements.get(said) is not None:
            return attributes
        stripped = with_statements(attributes)
        size = sum(map(len, said)) if is_plain else _LONGEST_STATEMENTS
        is_clean = all(stripped.get(name) == attributes.get(name) for name in TEXTS)
        if is_clean and size < _LONGEST_STATEMENTS:
            self._clean_statements.put(said, b"clean", size)
        return stripped

    def _event(self, event: Any) -> bytes:
        moment = event.timestamp
        if self._redactor is not None:
            moment = repair.moment(moment)
        out = [b"\x09", fixed64(moment or 0)]
        if name := event.name:
            out += (b"\x12", self._texts.sized(name))
        self._of_events.extend(out, event.attributes)
        if dropped := event.dropped_attributes:
            out += (b"\x20", count(dropped))
        return b"".join(out)

    def _link(self, link: Link) -> bytes:
        context = link.context
        out = [
            b"\x0a\x10",
            context.trace_id.to_bytes(16, "big"),
            b"\x12\x08",
            context.span_id.to_bytes(8, "big"),
        ]
        self._of_links.extend(out, link.attributes)
        if dropped := link.dropped_attributes:
            out += (b"\x28", count(dropped))
        out += (b"\x35", _REMOTE if context.is_remote else _HERE)
        return b"".join(out)

    def _state(self, context: SpanContext) -> bytes:
        kept = context if self._redactor is None else self._redactor.context(context)
        items = kept.trace_state.items() if kept else ()
        return ",".join([f"{key}={value}" for key, value in items]).encode()

    def _status(self, status: Any) -> bytes:
        code = _CODES[status.status_code]
        if not (description := status.description):
            return _UNSET if not code else b"\x7a" + sized(code)
        return b"\x7a" + sized(b"\x12" + self._texts.sized(description) + code)
