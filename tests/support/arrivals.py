"""What of a known load has come to a sink, and by which gateway."""

import collections
from typing import Any

from support import known
from support.otlp_sink import MESSAGES, Request, Sink

_COUNT = "payments"
_EVENT = "event "
TENANT_HEADER = "x-scope-orgid"


class Arrivals:
    """Reads each request once. Its path begins with who sent it: `/gateway-1/v1/logs`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._read = 0
        self._ids: known.Ids = {kind: collections.Counter() for kind in known.KINDS}
        self.by_gateway: collections.Counter[str] = collections.Counter()
        # Of each trace the gateways that its spans came by.
        self.gateways_of: dict[str, set[str]] = collections.defaultdict(set)
        # Of each sum of events when it began, and its highest value: by tenant, instance and state.
        self.counts: dict[tuple[str, str, str], tuple[int, float]] = {}

    def ids(self) -> known.Ids:
        """Each id that has come so far, with how often."""
        requests = self._sink.requests
        while self._read < len(requests):
            self._take(requests[self._read])
            self._read += 1
        return self._ids

    def split(self, traces: set[str]) -> int:
        """How many of these traces came by two gateways or more."""
        self.ids()
        return sum(len(self.gateways_of[one]) > 1 for one in traces)

    def events(self, edge: str) -> float:
        """What an edge says it has counted: payments that were created."""
        self.ids()
        found = [
            one
            for (_, instance, state), one in self.counts.items()
            if (instance, state) == (edge, "created")
        ]
        return max(found, default=(0, 0.0))[1]

    def _take(self, request: Request) -> None:
        gateway, _, signal = request.path.strip("/").split("/")
        self.by_gateway[gateway] += 1
        if signal == "metrics":
            self._take_metrics(request)
            return
        # Not as JSON: there is too much of it for a test to wait for.
        sent = MESSAGES[signal].FromString(request.body)
        if signal == "logs":
            for resource in sent.resource_logs:
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        body = record.body.string_value
                        kind = "events" if body.startswith(_EVENT) else "logs"
                        self._ids[kind][body.removeprefix(_EVENT)] += 1
            return
        for resource in sent.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self._ids["spans"][span.name] += 1
                    self.gateways_of[span.trace_id.hex()].add(gateway)

    def _take_metrics(self, request: Request) -> None:
        # Most are what edges report of themselves.
        if not any(name.encode() in request.body for name in (known.GAUGE, _COUNT)):
            return
        tenant = request.headers.get(TENANT_HEADER, "")
        for resource in MESSAGES["metrics"].FromString(request.body).resource_metrics:
            instance = _attributes(resource.resource).get("service.instance.id", "")
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == known.GAUGE:
                        for point in metric.gauge.data_points:
                            has = _attributes(point)
                            number = f"{point.as_double:.0f}"
                            self._ids["points"][f"{has['run']}/{has['edge']}/{number}"] += 1
                    elif metric.name == _COUNT:
                        for point in metric.sum.data_points:
                            key = (tenant, instance, _attributes(point).get("state", ""))
                            value = point.as_double or float(point.as_int)
                            now = (point.start_time_unix_nano, value)
                            self.counts[key] = max(now, self.counts.get(key, now))


def _attributes(item: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in item.attributes}
