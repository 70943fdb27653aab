"""A request and all that it set off, by its trace in Tempo."""

from dataclasses import dataclass
from typing import Any

import httpx

from support import backends
from support.stack import Stack
from support.waiting import until


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A request and its whole trace. identifier: of what it made, such as a payment."""

    identifier: str
    request_id: str
    trace_id: str
    spans: list[dict[str, Any]]

    def named(self, service: str, name: str) -> list[dict[str, Any]]:
        return [one for one in self.spans if (one["service"], one["name"]) == (service, name)]


def follow(
    http: httpx.Client, stack: Stack, *, path: str, identifier: str, request_id: str, job: str
) -> Followed:
    """Wait for the trace of a request to ``path``, with the API's span and that of its job.

    job: the job's name, or a pattern of TraceQL for it.
    """

    def traced() -> tuple[Followed | None, object]:
        query = f'{{span.request.id="{request_id}" && name=~"process {job}"}}'
        found = backends.tempo_search(http, stack.url("tempo"), query)
        if not found:
            return None, "no trace found"
        spans = backends.tempo_spans(http, stack.url("tempo"), found[0])
        followed = Followed(
            identifier=identifier, request_id=request_id, trace_id=found[0], spans=spans
        )
        names = sorted({span["name"] for span in spans})
        return (followed if f"POST {path}" in names else None), names

    return until(traced, what="the trace with API and job")
