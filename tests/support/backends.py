"""Reading Loki, Tempo and Prometheus back, each by the tests' one HTTP client."""

import json
import time
from typing import Any

import httpx

from glasshouse.testing import reading
from glasshouse.testing.otlp_json import attribute
from glasshouse.testing.reading import MOST, WINDOW_S

__all__ = [
    "MOST",
    "WINDOW_S",
    "attribute",
    "everything_in",
    "loki_lines",
    "prometheus_query",
    "tempo_search",
    "tempo_spans",
    "tempo_trace",
    "tempo_written",
]


def _asking(http: httpx.Client) -> reading.Get:
    """Return the package's way to ask, over the tests' client: its errors are what they expect."""

    def ask(url: str, parameters: reading.Parameters) -> Any:
        answer = http.get(url, params=dict(parameters))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return answer.raise_for_status().json()

    return ask


def loki_lines(
    http: httpx.Client, loki: str, query: str, *, since: float | None = None
) -> list[dict[str, Any]]:
    return reading.loki_lines(loki, query, since=since, ask=_asking(http))


def tempo_search(
    http: httpx.Client, tempo: str, query: str, *, since: float | None = None
) -> list[str]:
    return reading.tempo_search(tempo, query, since=since, ask=_asking(http))


def tempo_written(http: httpx.Client, tempo: str, trace_id: str) -> int:
    return reading.tempo_written(tempo, trace_id, ask=_asking(http))


def tempo_trace(http: httpx.Client, tempo: str, trace_id: str) -> dict[str, Any]:
    return reading.tempo_trace(tempo, trace_id, ask=_asking(http))


def tempo_spans(http: httpx.Client, tempo: str, trace_id: str) -> list[dict[str, Any]]:
    return reading.tempo_spans(tempo, trace_id, ask=_asking(http))


def prometheus_query(http: httpx.Client, prometheus: str, query: str) -> list[dict[str, Any]]:
    return reading.prometheus_query(prometheus, query, ask=_asking(http))


def everything_in(
    http: httpx.Client, stack_urls: dict[str, str], *, since: float | None = None
) -> dict[str, str]:
    """Return all that the three backends can return, as text by backend.

    ``since``: Unix time in seconds, by default an hour ago. Series are always those of an hour.
    """
    loki, tempo, prometheus = stack_urls["loki"], stack_urls["tempo"], stack_urls["prometheus"]
    traces = tempo_search(http, tempo, "{}", since=since)
    now = int(time.time())
    series = http.get(
        f"{prometheus}/api/v1/series",
        params={"match[]": '{__name__=~".+"}', "start": now - WINDOW_S, "end": now + 60},
    )
    return {
        "loki": json.dumps(loki_lines(http, loki, '{service_name=~".+"}', since=since)),
        "tempo": json.dumps([tempo_spans(http, tempo, trace) for trace in traces]),
        "prometheus": series.raise_for_status().text,
    }
