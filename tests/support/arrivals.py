"""What of a known load has come to a sink, and by which gateway."""

import base64
import collections
from typing import Any

from glasshouse.testing.otlp_json import OUTER, attribute
from support import known
from support.otlp_sink import Request, Sink

_INNER = {"logs": ("scopeLogs", "logRecords"), "traces": ("scopeSpans", "spans")}
_EVENT = "event "
TENANT_HEADER = "x-scope-orgid"


class Arrivals:
    """Reads each request once. The first part of its path names who sent it: `/gateway-1/v1/logs`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._read = 0
        self._ids: known.Ids = {kind: collections.Counter() for kind in known.KINDS}
        self.by_gateway: collections.Counter[str] = collections.Counter()
        # Of each trace the gateways that its spans came by.
        self.gateways_of: dict[str, set[str]] = collections.defaultdict(set)
        # The highest value of a sum of events, by tenant, instance and state.
        self.counts: dict[tuple[str, str, str], float] = {}

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
        return max(
            (
                n
                for (_, instance, state), n in self.counts.items()
                if (instance, state) == (edge, "created")
            ),
            default=0.0,
        )

    def _take(self, request: Request) -> None:
        gateway, _, signal = request.path.strip("/").split("/")
        self.by_gateway[gateway] += 1
        tenant = request.headers.get(TENANT_HEADER, "")
        for resource in self._sink.decoded(request).get(OUTER[signal], []):
            if signal == "metrics":
                self._take_metrics(tenant, resource)
                continue
            inner, items = _INNER[signal]
            for scope in resource[inner]:
                for item in scope[items]:
                    self._take_item(gateway, item)

    def _take_item(self, gateway: str, item: dict[str, Any]) -> None:
        if "spanId" in item and "name" in item:
            self._ids["spans"][item["name"]] += 1
            trace = base64.b64decode(item["traceId"]).hex()
            self.gateways_of[trace].add(gateway)
            return
        body = item["body"].get("stringValue", "")
        kind = "events" if body.startswith(_EVENT) else "logs"
        self._ids[kind][body.removeprefix(_EVENT)] += 1

    def _take_metrics(self, tenant: str, resource: dict[str, Any]) -> None:
        instance = attribute(resource["resource"], "service.instance.id") or ""
        for scope in resource["scopeMetrics"]:
            for metric in scope["metrics"]:
                if metric["name"] == known.GAUGE:
                    for point in metric["gauge"]["dataPoints"]:
                        run, edge = attribute(point, "run"), attribute(point, "edge")
                        self._ids["points"][f"{run}/{edge}/{point['asDouble']:.0f}"] += 1
                elif metric["name"] == "payments":
                    for point in metric["sum"]["dataPoints"]:
                        key = (tenant, instance, attribute(point, "state") or "")
                        value = float(point.get("asDouble", point.get("asInt", 0)))
                        self.counts[key] = max(value, self.counts.get(key, 0.0))
