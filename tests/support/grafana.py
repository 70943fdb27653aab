"""Asking the backends what a panel asks them through Grafana."""

from collections.abc import Mapping
from typing import Any

import httpx

from glasshouse_dashboards.reading import Span
from support.stack import Stack

_LINES = 100


def ask(
    http: httpx.Client, stack: Stack, source: str, target: Mapping[str, Any], query: str, span: Span
) -> list[Any]:
    """Return the series or log streams that have at least one value; fail on an error."""
    window: dict[str, str | int | float] = {"query": query, "start": span.start, "end": span.end}
    window["step"] = span.step
    if source == "loki":
        path = f"{stack.url('loki')}/loki/api/v1/query_range"
        nanoseconds = {"start": int(span.start * 10**9), "end": int(span.end * 10**9)}
        answer = http.get(path, params=window | nanoseconds | {"limit": _LINES})
    elif target.get("range"):
        answer = http.get(f"{stack.url('prometheus')}/api/v1/query_range", params=window)
    else:
        moment: dict[str, str | float] = {"query": query, "time": span.end}
        answer = http.get(f"{stack.url('prometheus')}/api/v1/query", params=moment)
    assert answer.status_code == httpx.codes.OK, f"{query}: {answer.text}"
    return [series for series in answer.json()["data"]["result"] if _numbers(series)]


def _numbers(series: Mapping[str, Any]) -> list[str]:
    values = series.get("values") or [series["value"]]
    return [value for _, value in values if value != "NaN"]
