"""An unsampled trace stays unsampled, and still hands its context on.

Whom a call goes to is written on its span, and an unsampled span holds nothing. So calls and
messages that are not sampled are recorded, without being exported: their traceparent leaves with
the flag 00, and the next service does not start a trace that is torn off.
"""

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

from glasshouse.propagation import Hosts


class OutgoingSampler(Sampler):
    """Decides as ``inner`` does, but records what is dropped and may carry context.

    The processors of the SDK export sampled spans only, so nothing more is sent.
    """

    def __init__(self, inner: Sampler, hosts: Hosts) -> None:
        self.inner = inner
        # A message goes to the service's own broker, which need not be on the list.
        calls = {SpanKind.CLIENT} if hosts.names else set[SpanKind]()
        self.recorded = calls | {SpanKind.PRODUCER}

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        result = self.inner.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )
        if result.decision is not Decision.DROP or kind not in self.recorded:
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        return self.inner.get_description()


def wrap(inner: Sampler, hosts: Hosts) -> Sampler:
    """Return ``inner``, so that what it drops can still hand context on to ``hosts``."""
    return inner if isinstance(inner, OutgoingSampler) else OutgoingSampler(inner, hosts)


def install(hosts: Hosts) -> None:
    """Wrap the sampler that is set up, whatever chose it. Tracers made later have the wrapped."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.sampler = wrap(provider.sampler, hosts)
