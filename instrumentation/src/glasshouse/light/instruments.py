"""The recording methods of the SDK's synchronous instruments, without what they do each time anew.

A set of attributes that was seen before, with plain values, goes straight to its aggregations. All
else goes the SDK's way: the first measurement of a set, values to clean, amounts to refuse, other
kinds of aggregation, and readers that have changed.
"""

# The instruments show their readers to nobody.
# pyright: reportPrivateUsage=false

import contextlib
import functools
import threading
from collections.abc import Callable
from time import time_ns
from typing import Any, Final, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics._internal.instrument import (
    _Counter,
    _Gauge,
    _Histogram,
    _UpDownCounter,
)
from opentelemetry.sdk.metrics._internal.measurement_consumer import SynchronousMeasurementConsumer
from opentelemetry.trace import INVALID_SPAN, SpanContext, TraceFlags
from opentelemetry.trace.propagation import _SPAN_KEY

from glasshouse.light.exemplars import Seen
from glasshouse.light.spans import LightSpan
from glasshouse.light.streams import Stream, streams_of
from glasshouse.runtime_context import get_current

# Values that neither version of the SDK changes, and that are equal to none of another of these
# classes, once the class is compared, too.
_PLAIN: Final = frozenset({str, bool, int, float})
# Beyond it a whole number is no float, and the SDK raises.
_LARGEST: Final = 1e308
# Sets of attributes of one instrument. More begin anew.
_MOST_SETS: Final = 2048
_SAMPLED: Final = TraceFlags.SAMPLED
_DICT: Final[Any] = dict

Recording = Callable[..., None]
# The attributes, and what adds to their aggregations; nothing where the SDK is to do it.
_Known = tuple[dict[str, Any], list[Stream]] | None
_UNSEEN: Final[Any] = object()


class _Bound:
    """What is known of an instrument for as long as its readers stay the same."""

    __slots__ = ("always", "known", "never", "storages", "usable")

    def __init__(self, consumer: Any, storages: Any) -> None:
        self.storages = storages
        self.known: dict[tuple[Any, ...], _Known] = {}
        sampling = type(cast("object", consumer._sdk_config.exemplar_filter))
        self.always = sampling is AlwaysOnExemplarFilter
        self.never = sampling is AlwaysOffExemplarFilter
        plain = self.always or self.never or sampling is TraceBasedExemplarFilter
        self.usable = plain and type(consumer) is SynchronousMeasurementConsumer


def _light(original: Recording, least: float) -> Recording:
    """Return a method that does what ``original`` does with amounts from ``least`` on."""

    @functools.wraps(original)
    def record(
        self: Any, amount: float, attributes: Any = None, context: Context | None = None
    ) -> None:
        kind = type(amount)
        if (kind is not float and kind is not int) or not least <= amount <= _LARGEST:
            return original(self, amount, attributes, context)
        if attributes is None:
            key: tuple[Any, ...] = ()
        elif type(attributes) is _DICT:
            key = _key_of(attributes)
        else:
            return original(self, amount, attributes, context)
        bound: _Bound | None = self._glasshouse_bound
        if bound is None or bound.storages is not self._measurement_consumer._reader_storages:
            return _first(original, self, amount, attributes, context, key)
        try:
            known = bound.known.get(key, _UNSEEN)
        except Exception:  # noqa: BLE001 (hashing an object of the application)
            known = None
        if known is _UNSEEN:
            return _first(original, self, amount, attributes, context, key)
        config = self._meter_config
        if known is None or not (config is None or config.is_enabled):
            return original(self, amount, attributes, context)
        seen = None
        if not bound.never:
            span = (context or get_current()).get(_SPAN_KEY)
            if span is not None or bound.always:
                seen = _seen(bound, amount, known[0], context)
        for add in known[1]:
            add(amount, seen)
        return None

    return record


def _seen(
    bound: _Bound, amount: float, attributes: dict[str, Any], context: Context | None
) -> Seen | None:
    """Return what may become an exemplar: a measurement in a span that is sampled, say."""
    span = (context or get_current()).get(_SPAN_KEY)
    if type(span) is LightSpan:
        spanned: Any = span._context
        # The flags, without the property.
        is_sampled = spanned[3] & _SAMPLED
    elif span is None or (span := trace.get_current_span(context or None)) is INVALID_SPAN:
        spanned, is_sampled = None, 0
    else:
        spanned = span.get_span_context()
        is_sampled = spanned.trace_flags & _SAMPLED
    if is_sampled or bound.always:
        return amount, time_ns(), attributes, spanned
    return None


class Measurements:
    """Those of one instrument with one set of attributes, which is not examined each time.

    instrument: a histogram, counter or up-down-counter of any meter; one that is not light is
    called as it is. attributes: must stay as they are.
    """

    def __init__(self, instrument: Any, attributes: dict[str, Any]) -> None:
        self.instrument = instrument
        self._name = "record" if hasattr(instrument, "record") else "add"
        self._least = -_LARGEST if isinstance(instrument, _UpDownCounter) else 0
        self._attributes = attributes
        # What is known of the instrument, the attributes of exemplars, and the aggregations. Of one
        # time, whatever other threads do.
        self._known: tuple[_Bound, dict[str, Any], list[Stream]] | None = None

    def add(self, amount: float, context: Context | None = None) -> None:
        """Take one measurement, a plain number, as the instrument does."""
        known = self._known
        instrument = self.instrument
        if (
            known is None
            or known[0].storages is not instrument._measurement_consumer._reader_storages
            or not self._least <= amount <= _LARGEST
            or not ((config := instrument._meter_config) is None or config.is_enabled)
        ):
            return self._add_first(amount, context)
        bound, attributes, streams = known
        seen = None
        if not bound.never:
            # As `_seen` does, whose call it spares.
            span = (context or get_current()).get(_SPAN_KEY)
            if type(span) is LightSpan:
                spanned: Any = span._context
                if spanned[3] & _SAMPLED or bound.always:
                    seen = amount, time_ns(), attributes, spanned
            elif span is not None or bound.always:
                seen = _seen(bound, amount, attributes, context)
        for add in streams:
            add(amount, seen)
        return None

    def add_in(self, amount: float, spanned: SpanContext, time_unix_nano: int) -> None:
        """Do as `add` does at this time in the current span, if that is sampled and ``spanned``."""
        known = self._known
        instrument = self.instrument
        if (
            known is None
            or known[0].storages is not instrument._measurement_consumer._reader_storages
            or not ((config := instrument._meter_config) is None or config.is_enabled)
        ):
            self._add_first(amount, None)
            return
        bound, attributes, streams = known
        seen = None if bound.never else (amount, time_unix_nano, attributes, spanned)
        for add in streams:
            add(amount, seen)

    def unseen(self) -> list[Stream] | None:
        """Return what adds a measurement of which no exemplar is to be kept.

        ``None``: `add` has to find out more.
        """
        known = self._known
        instrument = self.instrument
        if (
            known is None
            or known[0].storages is not instrument._measurement_consumer._reader_storages
            or known[0].always
            or not ((config := instrument._meter_config) is None or config.is_enabled)
        ):
            return None
        return known[2]

    def _add_first(self, amount: float, context: Context | None) -> None:
        method: Recording = getattr(self.instrument, self._name)
        method(amount, attributes=self._attributes, context=context)
        bound: _Bound | None = getattr(self.instrument, "_glasshouse_bound", None)
        if bound is not None and all(map(_is_plain, self._attributes.items())):
            known = bound.known.get(_key_of(self._attributes))
            self._known = None if known is None else (bound, *known)


def together(first: Measurements, second: Measurements | None) -> Callable[[], None]:
    """Return what adds 1 to each, which costs less than the two outside of any span."""
    both = [first] if second is None else [first, second]
    instrument = first.instrument
    # What adds outside of any span, for as long as the readers are these.
    known: tuple[Any, list[Stream]] | None = None

    def add() -> None:
        nonlocal known
        if get_current().get(_SPAN_KEY) is None:
            if (
                known is None
                or known[0] is not instrument._measurement_consumer._reader_storages
                or not ((config := instrument._meter_config) is None or config.is_enabled)
            ):
                known = _of_all(both)
            if known is not None:
                for one in known[1]:
                    one(1, None)
                return
        for each in both:
            each.add(1)

    return add


def _of_all(every: list[Measurements]) -> tuple[Any, list[Stream]] | None:
    """Return the readers, and what adds to all of these a measurement without an exemplar.

    ``None``: they are not of one meter, or each has to find out more.
    """
    streams: list[Stream] = []
    for one in every:
        found = one.unseen()
        if found is None or one.instrument._meter_config is not every[0].instrument._meter_config:
            return None
        streams += found
    return every[0].instrument._measurement_consumer._reader_storages, streams


def _key_of(attributes: dict[str, Any]) -> tuple[Any, ...]:
    values = attributes.values()
    return (*attributes, *values, *map(type, values))


def _first(
    original: Recording,
    instrument: Any,
    amount: float,
    attributes: Any,
    context: Context | None,
    key: tuple[Any, ...],
) -> None:
    original(instrument, amount, attributes, context)
    if not instrument._is_enabled():
        return
    consumer = instrument._measurement_consumer
    storages = consumer._reader_storages
    bound: _Bound | None = instrument._glasshouse_bound
    if bound is None or bound.storages is not storages:
        bound = instrument._glasshouse_bound = _Bound(consumer, storages)
    own: dict[str, Any] = dict(attributes or {})
    if not all(map(_is_plain, own.items())):
        # Such a key is never asked for again, or it is worth no memory.
        return
    streams = None
    if bound.usable:
        # What the SDK would fail with at its next collection must not reach the application here.
        with contextlib.suppress(Exception):
            streams = streams_of(instrument, storages, own)
    if len(bound.known) >= _MOST_SETS:
        bound.known.clear()
    bound.known[key] = None if streams is None else (own, streams)


def _is_plain(item: tuple[Any, Any]) -> bool:
    key, value = item
    # 0.0 and -0.0 are equal, and yet different values.
    return type(key) is str and key != "" and type(value) in _PLAIN and not _is_zero(value)


def _is_zero(value: object) -> bool:
    return type(value) is float and value == 0


_lock: Final = threading.Lock()
_KINDS: Final[tuple[tuple[type, str, float], ...]] = (
    (_Histogram, "record", 0),
    (_Counter, "add", 0),
    (_UpDownCounter, "add", -_LARGEST),
    (_Gauge, "set", -_LARGEST),
)


def methods() -> list[tuple[type, str]]:
    """Return the methods that are replaced: a class and a name each."""
    return [(kind, name) for kind, name, _ in _KINDS]


def install() -> None:
    """Give all instruments of this process the light methods. Safe to call twice."""
    with _lock:
        for kind, name, least in _KINDS:
            if name not in vars(kind):
                setattr(kind, "_glasshouse_bound", None)  # noqa: B010 (no attribute of upstream)
                setattr(kind, name, _light(getattr(kind, name), least))


def uninstall() -> None:
    """Give the instruments the SDK's own methods back."""
    with _lock:
        for kind, name, _ in _KINDS:
            if name in vars(kind):
                delattr(kind, name)
