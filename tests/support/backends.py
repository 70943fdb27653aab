"""Reading Loki, Tempo and Prometheus back."""

import json
import time
from typing import Any

import httpx

WINDOW_S = 3600
# As many as Loki gives in one answer; reaching it would mean that something was not read.
MOST = 5000


def loki_lines(
    http: httpx.Client, loki: str, query: str, *, since: float | None = None
) -> list[dict[str, Any]]:
    """Return entries as {"line": …, "labels": …}; labels include structured metadata.

    ``since``: Unix time in seconds, by default an hour ago.
    """
    now = time.time_ns()
    start = now - WINDOW_S * 10**9 if since is None else int(since * 10**9)
    end = now + 60 * 10**9
    found: list[dict[str, Any]] = []
    while True:
        window = {"start": start, "end": end, "limit": MOST}
        answer = http.get(f"{loki}/loki/api/v1/query_range", params={"query": query, **window})
        answer.raise_for_status()
        page = [
            (int(moment), {"line": line, "labels": stream["stream"]})
            for stream in answer.json()["data"]["result"]
            for moment, line in stream["values"]
        ]
        if len(page) < MOST:
            return found + [entry for _, entry in page]
        # The newest come first. The oldest moment of a full page may have more lines: it is
        # asked again, whole, with the next page.
        oldest = min(moment for moment, _ in page)
        assert oldest + 1 < end, "one moment has more lines than one answer carries"
        found += [entry for moment, entry in page if moment > oldest]
        end = oldest + 1


def tempo_search(
    http: httpx.Client, tempo: str, query: str, *, since: float | None = None
) -> list[str]:
    """Return the ids, 32 hex digits each, of the traces that TraceQL finds.

    ``since``: Unix time in seconds, by default an hour ago.
    """
    now = int(time.time())
    start = now - WINDOW_S if since is None else int(since)
    params: dict[str, str | int] = {"q": query, "start": start, "end": now + 60}
    answer = http.get(f"{tempo}/api/search", params=params | {"limit": MOST})
    answer.raise_for_status()
    traces = [trace["traceID"].zfill(32) for trace in answer.json().get("traces", [])]
    assert len(traces) < MOST, "Tempo holds more than one answer carries"
    return traces


def tempo_trace(http: httpx.Client, tempo: str, trace_id: str) -> dict[str, Any]:
    """Return one trace as OTLP, empty when there is none."""
    answer = http.get(f"{tempo}/api/v2/traces/{trace_id}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return {}
    return answer.raise_for_status().json()["trace"]


def tempo_spans(http: httpx.Client, tempo: str, trace_id: str) -> list[dict[str, Any]]:
    """Return the spans of one trace, each with its service's name as ``service``."""
    return [
        {**span, "service": attribute(resource["resource"], "service.name")}
        for resource in tempo_trace(http, tempo, trace_id).get("resourceSpans", [])
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def attribute(item: dict[str, Any], key: str) -> Any:
    """Return one attribute of a span or resource, None when it has none."""
    for entry in item.get("attributes", []):
        if entry["key"] == key:
            return next(iter(entry["value"].values()))
    return None


def prometheus_query(http: httpx.Client, prometheus: str, query: str) -> list[dict[str, Any]]:
    """Return the series of an instant query as {"labels": …, "value": float}."""
    answer = http.get(f"{prometheus}/api/v1/query", params={"query": query})
    answer.raise_for_status()
    return [
        {"labels": series["metric"], "value": float(series["value"][1])}
        for series in answer.json()["data"]["result"]
    ]


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
