"""What the backends hold of a run, found as people find it: by searching."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from support import backends
from support.oddities.samples import Marks

REPAIRED = "admission.repaired"

HOUR_S = 3600
# Loki looks back 14 days, and Tempo at most 7 at a time.
LOKI_S = 335 * HOUR_S
TEMPO_S = 167 * HOUR_S
_RECENT_S = 2 * HOUR_S
_PROMETHEUS_RANGE = "16d"
# More than a run stores.
_MOST_TRACES = 100_000
_SPANS_OF_A_TRACE = 100


@dataclass(kw_only=True)
class Item:
    """One item that was found. copies: how often; repaired: the reasons that it carries."""

    copies: int = 0
    repaired: str = ""


@dataclass(kw_only=True)
class Found:
    """The items of a run, by row and number."""

    rows: dict[str, dict[str, Item]] = field(default_factory=dict[str, dict[str, Item]])

    def add(self, row: str, number: str, repaired: str = "") -> None:
        item = self.rows.setdefault(row, {}).setdefault(number, Item())
        item.copies += 1
        item.repaired = item.repaired or repaired

    def copies(self, row: str, number: str) -> int:
        item = self.rows.get(row, {}).get(number)
        return item.copies if item else 0


@dataclass(frozen=True, kw_only=True)
class Backends:
    """The three backends, as base addresses."""

    http: httpx.Client
    loki: str
    tempo: str
    prometheus: str

    def logs(self, run: str) -> Found:
        """Look for the records of a run by their attributes, and by their text without these."""
        found = Found()
        marked = f'{{service_name=~".+"}} | run="{run}" | keep row, n, admission_repaired'
        for labels, _ in self._lines(f"{marked} | line_format `x`"):
            found.add(labels["row"], labels["n"], labels.get("admission_repaired", ""))
        unmarked = f'{{service_name=~".+"}} |= "in {run}" | run="" | keep admission_repaired'
        for labels, line in self._lines(unmarked):
            number, row = _parse_mark(line)
            found.add(row, number, labels.get("admission_repaired", ""))
        return found

    def traces(self, run: str) -> Found:
        """Look for the spans of a run by their attributes, and by their name without these."""
        found = Found()
        select = f'select(span.row, span.n, span."{REPAIRED}")'
        for window in _tempo_windows():
            for _, values in self._spans(f'{{ span.run = "{run}" }} | {select}', window):
                found.add(values.get("row", ""), values.get("n", ""), values.get(REPAIRED, ""))
            select = f'select(span.run, span."{REPAIRED}")'
            for name, values in self._spans(f'{{ name =~ ".* in {run}.*" }} | {select}', window):
                if values.get("run") != run:
                    number, row = _parse_mark(name)
                    found.add(row, number, values.get(REPAIRED, ""))
        return found

    def trace_is_there(self, trace_id: bytes) -> bool:
        """Return whether Tempo knows a trace by its id, whether or not a search finds it."""
        return bool(backends.tempo_trace(self.http, self.tempo, trace_id.hex()))

    def metrics(self, run: str, marks: dict[str, Marks]) -> Found:
        """Look for the series of a run by their labels, and by their name without these.

        ``marks``: of each row, by the short name that is in its odd metric's name.
        """
        found = Found()
        for labels in self._series(f'{{run="{run}"}}'):
            found.add(labels.get("row", ""), labels.get("n", ""))
        for labels in self._series(f'{{service_name=~"compat-{run}.*", run=""}}'):
            for part in labels.get("__name__", "").split("_"):
                if part in marks:
                    found.add(marks[part].row, "odd")
        return found

    def samples(self, selector: str) -> list[list[float]]:
        """Return the values of every series that is selected, of the last two hours, in order."""
        return [
            [float(value) for _, value in series.get("values", [])]
            for series in self._query(f"{selector}[2h]")
        ]

    def numbered_logs(self, service: str) -> set[int]:
        """Return the attribute `number` of every record of a service."""
        query = f'{{service_name="{service}"}} | keep number | line_format `x`'
        return {int(labels["number"]) for labels, _ in self._lines(query)}

    def numbered_spans(self, service: str) -> set[int]:
        """Return the attribute `number` of every span of a service."""
        window, _, _ = _tempo_windows()
        query = f'{{ resource.service.name = "{service}" }} | select(span.number)'
        return {int(values["number"]) for _, values in self._spans(query, window)}

    def _lines(self, query: str) -> Iterator[tuple[dict[str, str], str]]:
        now = time.time_ns()
        recent, ahead = now - _RECENT_S * 10**9, now + 15 * 60 * 10**9
        for start, end in ((now - LOKI_S * 10**9, recent), (recent, ahead)):
            yield from self._pages(query, start, end)

    def _pages(self, query: str, start: int, end: int) -> Iterator[tuple[dict[str, str], str]]:
        """Yield a window's entries; a full page is asked again from its oldest moment on."""
        while True:
            params: dict[str, str | int] = {"query": query, "start": start, "end": end}
            params["limit"] = backends.MOST
            answer = self.http.get(
                f"{self.loki}/loki/api/v1/query_range", params=params, timeout=60
            )
            page = [
                (int(moment), stream["stream"], line)
                for stream in _read(answer)["data"]["result"]
                for moment, line in stream["values"]
            ]
            full = len(page) >= backends.MOST
            oldest = min((moment for moment, _, _ in page), default=0)
            for moment, labels, line in page:
                if not full or moment > oldest:
                    yield labels, line
            if not full:
                return
            assert oldest + 1 < end, "one moment has more entries than one answer carries"
            end = oldest + 1

    def _spans(self, query: str, window: tuple[int, int]) -> Iterator[tuple[str, dict[str, str]]]:
        start, end = window
        params: dict[str, str | int] = {"q": query, "start": start, "end": end}
        params |= {"limit": _MOST_TRACES, "spss": _SPANS_OF_A_TRACE}
        answer = self.http.get(f"{self.tempo}/api/search", params=params, timeout=60)
        for trace in _read(answer).get("traces", []):
            for spans in trace.get("spanSets", []):
                for span in spans["spans"]:
                    values = {
                        entry["key"]: str(next(iter(entry["value"].values()), ""))
                        for entry in span.get("attributes", [])
                    }
                    yield span.get("name", ""), values

    def _series(self, selector: str) -> Iterator[dict[str, str]]:
        for series in self._query(f"{selector}[{_PROMETHEUS_RANGE}]"):
            yield series["metric"]

    def _query(self, query: str) -> list[dict[str, Any]]:
        moment = time.time() + 15 * 60
        answer = self.http.post(
            f"{self.prometheus}/api/v1/query", data={"query": query, "time": moment}, timeout=60
        )
        return _read(answer)["data"]["result"]


def marked_letters(line: bytes) -> Iterator[tuple[str, str]]:
    """Yield row and reason of each item in one dead letter."""
    letter = json.loads(line.decode(errors="replace"))
    for attributes in _attribute_lists(letter["otlp"]):
        for entry in attributes:
            if entry.get("key") == "row":
                yield entry["value"].get("stringValue", ""), letter["reason"]


def _read(answer: httpx.Response) -> Any:
    """Return an answer's JSON. What was stored as no UTF-8 comes back as such."""
    return json.loads(answer.raise_for_status().content.decode(errors="replace"))


def _attribute_lists(part: Any) -> Iterator[list[dict[str, Any]]]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "attributes" and isinstance(value, list):
                yield value
            else:
                yield from _attribute_lists(value)
    elif isinstance(part, list):
        for one in part:
            yield from _attribute_lists(one)


def _parse_mark(text: str) -> tuple[str, str]:
    """Return number and row out of an item's text."""
    number, _, rest = text.partition(" of ")
    row, _, _ = rest.rpartition(" in ")
    return number, row


def _tempo_windows() -> Iterator[tuple[int, int]]:
    now = int(time.time())
    yield now - _RECENT_S, now + _RECENT_S
    yield now - TEMPO_S, now - _RECENT_S
    yield now - 2 * TEMPO_S, now - TEMPO_S
