"""The SDK's own counts of spans, without finding out for each span what it is counted under."""

# What the tracer counts with shows its instruments to nobody.
# pyright: reportPrivateUsage=false

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from opentelemetry.sdk.trace._tracer_metrics import TracerMetrics, parent_origin, sampling_result
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.semconv._incubating.attributes.otel_attributes import (  # pyright: ignore[reportMissingTypeStubs]
    OTEL_SPAN_PARENT_ORIGIN,
    OTEL_SPAN_SAMPLING_RESULT,
)
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext

from glasshouse.light.instruments import Measurements, together

_COUNTS: Final = "_glasshouse_counts"
_SAMPLED: Final = Decision.RECORD_AND_SAMPLE
_DROP: Final = Decision.DROP
_LOCAL: Final = INVALID_SPAN_CONTEXT
_REMOTE: Final = SpanContext(0, 0, is_remote=True)
# By where the parent is, as the constants of `glasshouse.light.decisions` say.
_PARENTS: Final = (None, _LOCAL, _LOCAL, _REMOTE, _REMOTE)


class _Decided:
    """Spans of one decision. ``begin``: what counts one that begins, by where its parent is."""

    __slots__ = ("begin", "end")

    def __init__(self, metrics: TracerMetrics, decision: Decision) -> None:
        result = {OTEL_SPAN_SAMPLING_RESULT: sampling_result(decision)}
        live = Measurements(metrics._live_spans, result) if decision.is_recording() else None
        self.begin = [
            together(
                Measurements(
                    metrics._started_spans,
                    {OTEL_SPAN_PARENT_ORIGIN: parent_origin(parent), **result},
                ),
                live,
            )
            for parent in _PARENTS
        ]
        self.end = None if live is None else partial(live.add, -1)


def begin(metrics: TracerMetrics, place: int, decision: Decision) -> Callable[[], None] | None:
    """Count a span that begins, as these metrics do and with their instruments.

    Return what counts its end, if that is counted.
    """
    own: dict[str, Any] = metrics.__dict__
    known: tuple[_Decided, _Decided, _Decided] | None = own.get(_COUNTS)
    if known is None:
        known = own[_COUNTS] = (
            _Decided(metrics, Decision.RECORD_AND_SAMPLE),
            _Decided(metrics, Decision.RECORD_ONLY),
            _Decided(metrics, Decision.DROP),
        )
    # Not by a dictionary: to hash a decision is a call.
    counted = known[0 if decision is _SAMPLED else 2 if decision is _DROP else 1]
    counted.begin[place]()
    return counted.end
