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
        tempo = stack.url("tempo")
        # Both are on disk before the trace is looked up by its id: `tempo_written` says why.
        parts = (f'name=~"process {job}"', f'name="POST {path}"')
        found = [
            set(backends.tempo_search(http, tempo, f'{{span.request.id="{request_id}" && {part}}}'))
            for part in parts
        ]
        if not (both := sorted(set.intersection(*found))):
            return None, dict(zip(parts, found, strict=True))
        spans = backends.tempo_spans(http, tempo, both[0])
        followed = Followed(
            identifier=identifier, request_id=request_id, trace_id=both[0], spans=spans
        )
        names = sorted({span["name"] for span in spans})
        return (followed if f"POST {path}" in names else None), names

    return until(traced, what="the trace with API and job")
