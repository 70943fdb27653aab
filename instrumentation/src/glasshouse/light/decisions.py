"""The decisions of the usual samplers, without the objects in which they are handed on."""

# The SDK's samplers show what they decide by to nobody.
# pyright: reportPrivateUsage=false

from collections.abc import Callable
from typing import Any, Final, cast

from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanKind

from glasshouse.sampling import OutgoingSampler

# Where a span's parent is, and whether it is sampled.
NO_PARENT: Final = 0
LOCAL_NOT_SAMPLED: Final = 1
LOCAL_SAMPLED: Final = 2
REMOTE_NOT_SAMPLED: Final = 3
REMOTE_SAMPLED: Final = 4

# From where the parent is, the trace's id and the span's kind. Attributes and trace state stay as
# they are with all of these samplers.
Decide = Callable[[int, int, Any], Decision]


def of(sampler: Any) -> Decide | None:
    """Return how a sampler decides; ``None`` where only it knows."""
    making = _KNOWN.get(type(cast("object", sampler)))
    return None if making is None else making(sampler)


def always(sampler: Any) -> tuple[Decision | None, ...]:
    """Return the decision by where the parent is; ``None`` where it depends on anything else."""
    unknown = (None,) * 5
    kind = type(cast("object", sampler))
    if kind is StaticSampler:
        return (sampler._decision,) * 5
    if kind is ParentBased:
        branches = (
            sampler._root,
            sampler._local_parent_not_sampled,
            sampler._local_parent_sampled,
            sampler._remote_parent_not_sampled,
            sampler._remote_parent_sampled,
        )
        return tuple(always(branch)[place] for place, branch in enumerate(branches))
    if kind is OutgoingSampler:
        return tuple(None if one is Decision.DROP else one for one in always(sampler.inner))
    return unknown


def _static(sampler: StaticSampler) -> Decide:
    decision = sampler._decision
    return lambda _parent, _trace_id, _kind: decision


def _ratio(sampler: TraceIdRatioBased) -> Decide:
    limit, bound = sampler.TRACE_ID_LIMIT, sampler.bound

    def decide(_parent: int, trace_id: int, _kind: Any) -> Decision:
        return Decision.RECORD_AND_SAMPLE if trace_id & limit < bound else Decision.DROP

    return decide


def _by_parent(sampler: ParentBased) -> Decide | None:
    found = [
        of(sampler._root),
        of(sampler._local_parent_not_sampled),
        of(sampler._local_parent_sampled),
        of(sampler._remote_parent_not_sampled),
        of(sampler._remote_parent_sampled),
    ]
    branches = [one for one in found if one is not None]
    if len(branches) < len(found):
        return None
    return lambda parent, trace_id, kind: branches[parent](parent, trace_id, kind)


def _outgoing(sampler: OutgoingSampler) -> Decide | None:
    inner = of(sampler.inner)
    if inner is None:
        return None
    recorded = sampler.recorded
    calls, messages = SpanKind.CLIENT in recorded, SpanKind.PRODUCER in recorded

    def decide(parent: int, trace_id: int, kind: Any) -> Decision:
        decision = inner(parent, trace_id, kind)
        if decision is Decision.DROP and (
            (calls and kind is SpanKind.CLIENT) or (messages and kind is SpanKind.PRODUCER)
        ):
            return Decision.RECORD_ONLY
        return decision

    return decide


_KNOWN: dict[type, Callable[[Any], Decide | None]] = {
    StaticSampler: _static,
    TraceIdRatioBased: _ratio,
    ParentBased: _by_parent,
    OutgoingSampler: _outgoing,
}
