"""Asks the backends what the panels ask."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from glasshouse_dashboards.expand import TimeRange

_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_LINES: Final = 60


@dataclass(frozen=True, kw_only=True)
class Backends:
    """Where the data is, as base addresses. auth: what opens them, where they ask for it."""

    prometheus: str
    loki: str
    tempo: str
    auth: httpx.Auth | None = None


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a graph, or one row of a table: a name, its labels, and points in time."""

    name: str
    labels: Mapping[str, str]
    times: list[float] = field(default_factory=list[float])
    values: list[float] = field(default_factory=list[float])

    @property
    def last(self) -> float:
        return self.values[-1]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One log line. ``at`` in Unix seconds."""

    at: float
    text: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One trace that a search found. ``at`` in Unix seconds, ``took`` in seconds."""

    at: float
    took: float
    id: str
    service: str
    name: str


class Reader:
    """Reads Prometheus, Loki and Tempo. Raises httpx.HTTPError for what cannot be asked."""

    def __init__(self, http: httpx.Client, backends: Backends, time_range: TimeRange) -> None:
        self._http = http
        self._backends = backends
        self.time_range = time_range

    def series(self, target: Mapping[str, Any], query: str) -> list[Series]:
        """Return what a Prometheus target has, without what is no number."""
        if target.get("range"):
            url = f"{self._backends.prometheus}/api/v1/query_range"
            found = self._ask(url, query, self._window())
        else:
            moment = {"time": self.time_range.end}
            found = self._ask(f"{self._backends.prometheus}/api/v1/query", query, moment)
        return _series(found, target.get("legendFormat", ""))

    def log_series(self, target: Mapping[str, Any], query: str) -> list[Series]:
        """Return the numbers that LogQL computes."""
        return _series(self._loki(query), target.get("legendFormat", ""))

    def span_series(self, query: str) -> list[Series]:
        """Return the numbers that TraceQL computes."""
        window = self._window()
        answer = self._get(f"{self._backends.tempo}/api/metrics/query_range", q=query, **window)
        made: list[Series] = []
        for one in answer.get("series", []):
            labels = {
                label["key"]: str(next(iter(label["value"].values()), "none"))
                for label in one["labels"]
            }
            points = [
                (int(sample["timestampMs"]) / 1000, float(sample.get("value", 0)))
                for sample in one.get("samples", [])
            ]
            if points:
                times, values = (list(column) for column in zip(*points, strict=True))
                name = ", ".join(labels.values())
                made.append(Series(name=name, labels=labels, times=times, values=values))
        return sorted(made, key=lambda series: series.name)

    def traces(self, query: str, limit: int) -> list[Trace]:
        """Return the traces that TraceQL selects, the newest first."""
        moments = {"start": int(self.time_range.start), "end": int(self.time_range.end)}
        answer = self._get(f"{self._backends.tempo}/api/search", q=query, limit=limit, **moments)
        found = [
            Trace(
                at=int(one["startTimeUnixNano"]) / 10**9,
                took=one.get("durationMs", 0) / 1000,
                id=one["traceID"],
                service=one.get("rootServiceName", ""),
                name=one.get("rootTraceName", ""),
            )
            for one in answer.get("traces", [])
        ]
        return sorted(found, key=lambda trace: trace.at, reverse=True)

    def label_values(self, query: str) -> list[str]:
        """Return what a variable's label_values() query returns."""
        selector, label = query.removeprefix("label_values(").removesuffix(")").rsplit(",", 1)
        moments = {"start": self.time_range.start, "end": self.time_range.end}
        url = f"{self._backends.prometheus}/api/v1/label/{label.strip()}/values"
        return self._get(url, **{"match[]": selector}, **moments)["data"]

    def lines(self, query: str) -> list[Line]:
        """Return log lines, the newest first."""
        found = [
            Line(at=int(at) / 10**9, text=text, labels=stream["stream"])
            for stream in self._loki(query)
            for at, text in stream["values"]
        ]
        return sorted(found, key=lambda line: line.at, reverse=True)[:_LINES]

    def marks(self, query: str) -> list[Series]:
        """Return when an annotation's query had series."""
        url = f"{self._backends.prometheus}/api/v1/query_range"
        return _series(self._ask(url, query, self._window()), "")

    def _loki(self, query: str) -> list[Any]:
        window: dict[str, float] = {
            "start": int(self.time_range.start * 10**9),
            "end": int(self.time_range.end * 10**9),
            "step": max(self.time_range.step, 15),
            "limit": _LINES,
        }
        return self._ask(f"{self._backends.loki}/loki/api/v1/query_range", query, window)

    def _window(self) -> dict[str, float]:
        return {
            "start": self.time_range.start,
            "end": self.time_range.end,
            "step": self.time_range.step,
        }

    def _ask(self, url: str, query: str, window: Mapping[str, float]) -> list[Any]:
        # As a form, as Grafana does: the longest query is more than an address may hold.
        answer = self._http.post(url, data={"query": query, **window})
        answer.raise_for_status()
        return answer.json()["data"]["result"]

    def _get(self, url: str, **parameters: str | float) -> dict[str, Any]:
        answer = self._http.get(url, params=parameters)
        answer.raise_for_status()
        return answer.json()


def _series(result: list[Any], legend: str) -> list[Series]:
    made: list[Series] = []
    for one in result:
        labels: dict[str, str] = one["metric"]
        points = [
            (float(at), float(value))
            for at, value in one.get("values") or [one["value"]]
            if value not in {"NaN", "+Inf", "-Inf"}
        ]
        if points:
            times, values = (list(column) for column in zip(*points, strict=True))
            made.append(
                Series(name=_legend_text(legend, labels), labels=labels, times=times, values=values)
            )
    return sorted(made, key=lambda series: series.name)


def _legend_text(legend: str, labels: Mapping[str, str]) -> str:
    if not legend:
        shown = {key: value for key, value in labels.items() if key != "__name__"}
        return ", ".join(shown.values())
    filled = _LABEL.sub(lambda found: labels.get(found[1], ""), legend).strip()
    return filled or "none"
