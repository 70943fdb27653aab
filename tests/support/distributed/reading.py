"""Reads back, by id, what a tenant has in Loki and Tempo."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import httpx

from support import backends
from support.distributed.sending import SERVICE, TENANT_HEADER, Sent, trace_id
from support.waiting import until

_WITHIN_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """Of what was acknowledged. lost: ids that are not there. doubled: how many times too often."""

    acknowledged: int
    lost: tuple[str, ...]
    doubled: int
    refused: int

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.refused} tries refused and repeated, "
            f"{len(self.lost)} lost, {self.doubled} doubled"
        )


class Reader:
    """Asks as one tenant."""

    def __init__(self, tenant: str) -> None:
        self._headers = {TENANT_HEADER: tenant} if tenant else {}

    def asking(self) -> httpx.Client:
        """Return a client that asks as this tenant."""
        return httpx.Client(headers=self._headers, timeout=_WITHIN_S, trust_env=False)

    def lines(self, loki: str, run: str, *, since: float | None = None) -> Counter[str]:
        """Return the ids of a run's lines that one Loki finds, and how often."""
        query = f'{{service_name="{SERVICE}"}} | test_run="{run}"'
        with self.asking() as http:
            found = backends.loki_lines(http, loki, query, since=since)
        return Counter(one["line"] for one in found)

    def traces(self, tempo: str, ids: list[str]) -> Counter[str]:
        """Return which traces Tempo finds whole, by the id, and how often each has its spans."""
        found: Counter[str] = Counter()
        with self.asking() as http:
            for id in ids:
                spans = backends.tempo_spans(http, tempo, trace_id(id))
                names = Counter(span["name"] for span in spans)
                if names["parent"] and names["child"]:
                    found[id] = max(names.values())
        return found

    def searched(self, tempo: str, run: str) -> Counter[str]:
        """Return the trace ids of a run that a search finds."""
        query = f'{{ span.test.run = "{run}" }}'
        with self.asking() as http:
            return Counter(backends.tempo_search(http, tempo, query))

    def status(self, url: str) -> int:
        with self.asking() as http:
            return http.get(url).status_code


def counted(sent: Sent, found: Counter[str]) -> Found:
    """Hold what was found against what was acknowledged."""
    return Found(
        acknowledged=len(sent.ids),
        lost=tuple(id for id in sent.ids if not found[id]),
        doubled=sum(found[id] - 1 for id in sent.ids if found[id]),
        refused=len(sent.refused),
    )


def all_lines(reader: Reader, loki: str, run: str, sent: Sent) -> Found:
    """Ask one Loki until it has all that was acknowledged by now; return what it has at the end."""
    sent = sent.until_now()

    def complete() -> tuple[Found | None, object]:
        try:
            now = counted(sent, reader.lines(loki, run))
        except httpx.HTTPError as error:
            return None, repr(error)
        return (now if not now.lost else None), str(now)

    return until(complete, what=f"{loki} has all that was acknowledged")


def all_traces(reader: Reader, tempo: str, sent: Sent) -> Found:
    """Ask Tempo by id until each trace that is acknowledged by now is there, whole."""
    sent = sent.until_now()
    missing = list(sent.ids)
    found: Counter[str] = Counter()

    def complete() -> tuple[Found | None, object]:
        try:
            found.update(reader.traces(tempo, missing))
        except httpx.HTTPError as error:
            return None, repr(error)
        missing[:] = [id for id in missing if not found[id]]
        now = counted(sent, found)
        return (now if not now.lost else None), str(now)

    return until(complete, what="Tempo has each acknowledged trace")
