"""What the distributed backends have of a load, by id and by tenant."""

import time
from dataclasses import dataclass, field

import httpx

from support import backends
from support.backends import attribute
from support.chaos.ledger import Arrival
from support.chaos.load import ID, Load
from support.distributed.whole import Whole

# Of Thanos: each replica for itself, so that what one of them lacks or has twice is seen.
_EACH_REPLICA = {"dedup": "false"}
_REPLICA = "replica"


@dataclass(kw_only=True)
class Kept:
    """Asks the backends for the records of one load, as its tenant.

    A trace that is whole is not asked for again: Tempo is slow to find many.
    """

    whole: Whole
    load: Load
    tenant: str
    _traces: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def client(self) -> httpx.Client:
        return httpx.Client(timeout=60, trust_env=False, headers=self.whole.reader(self.tenant))

    def arrivals(self, http: httpx.Client, signal: str) -> list[Arrival]:
        """Return what is stored, each copy that the backend shows as an arrival of its own."""
        match signal:
            case "logs" | "events":
                found = [(id, n) for n, id in enumerate(self._lines(http, signal))]
            case "traces":
                found = [(id, n) for n, id in enumerate(self._spans(http))]
            case _:
                return self._points(http)
        now = time.monotonic()
        return [Arrival(id=id, at=now, same=(id, n)) for id, n in found]

    def _lines(self, http: httpx.Client, signal: str) -> list[str]:
        query = f'{{service_name="{self.load.service}"}} | {ID}=~"{self.load.run}-{signal[0]}.*"'
        lines = backends.loki_lines(http, self.whole.url("LOKI_PORT"), query)
        return [line["labels"][ID] for line in lines]

    def _spans(self, http: httpx.Client) -> list[str]:
        accepted = self.load.ledger.accepted_of("traces")
        ours = {id for id in accepted if id.startswith(f"{self.load.run}-")}
        wanted: dict[str, set[str]] = {}
        for id in ours:
            wanted.setdefault(self.load.trace_of(id), set()).add(id)
        tempo = self.whole.url("TEMPO_PORT")
        for trace, ids in wanted.items():
            if not ids <= set(self._traces.get(trace, ())):
                spans = backends.tempo_spans(http, tempo, trace)
                self._traces[trace] = [str(attribute(span, ID)) for span in spans]
        return [id for ids in self._traces.values() for id in ids]

    def _points(self, http: httpx.Client) -> list[Arrival]:
        query = f'chaos{{{ID}=~"{self.load.run}-m.*"}}[1h]'
        url = f"{self.whole.url('PROMETHEUS_PORT')}/api/v1/query"
        answer = http.get(url, params={"query": query, **_EACH_REPLICA}).raise_for_status().json()
        # Both replicas have every point, and the same point of two is one record. A replica has no
        # series twice, and no moment of one, so it can double no point.
        now = time.monotonic()
        return [
            Arrival(id=f"{series['metric'][ID]}-{float(value):.0f}", at=now, same="one")
            for series in answer["data"]["result"]
            for _, value in series["values"]
        ]

    def replicas(self, http: httpx.Client) -> dict[str, set[str]]:
        """Return the ids of points that each replica of Prometheus has."""
        found: dict[str, set[str]] = {}
        query = f'chaos{{{ID}=~"{self.load.run}-m.*"}}[1h]'
        url = f"{self.whole.url('PROMETHEUS_PORT')}/api/v1/query"
        answer = http.get(url, params={"query": query, **_EACH_REPLICA}).raise_for_status().json()
        for series in answer["data"]["result"]:
            ids = found.setdefault(str(series["metric"].get(_REPLICA)), set())
            ids |= {f"{series['metric'][ID]}-{float(value):.0f}" for _, value in series["values"]}
        return found
