"""Reading Loki, Tempo and Prometheus back, over their HTTP interfaces."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

from glasshouse.testing.otlp_json import Item, attribute

WINDOW_S: Final = 3600
# As many as Loki gives in one answer; reaching it would mean that something was not read.
MOST: Final = 5000
_TIMEOUT_S: Final = 60.0
_NOT_FOUND: Final = 404
_SERVER_FAULTS: Final = 500

Parameters = Mapping[str, str | int]
# Returns a JSON document, None where there is nothing at the address.
Get = Callable[[str, Parameters], Any]


class Unanswered(Exception):
    """A backend is not reached, or is not ready: it may be later."""


class Refused(ValueError):
    """A backend refuses a query; the message is its own."""


def get(url: str, parameters: Parameters) -> Any:
    """Ask for a JSON document, without a proxy: what is asked is on this machine.

    Raises:
        Unanswered: the backend does not answer, or fails.
        Refused: the query is wrong.
    """
    asked = f"{url}?{urllib.parse.urlencode(parameters)}" if parameters else url
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=_TIMEOUT_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode(errors="replace").strip()
        if error.code == _NOT_FOUND:
            return None
        if error.code >= _SERVER_FAULTS:
            raise Unanswered(f"{error.code}: {text}") from None
        raise Refused(f"{error.code}: {text}") from None
    except (OSError, ValueError) as error:
        raise Unanswered(f"{type(error).__name__}: {error}") from None


def loki_lines(
    loki: str, query: str, *, since: float | None = None, ask: Get = get
) -> list[dict[str, Any]]:
    """Return entries as {"line": …, "labels": …}; labels include structured metadata.

    ``since``: Unix time in seconds, by default an hour ago.
    """
    now = time.time_ns()
    start = now - WINDOW_S * 10**9 if since is None else int(since * 10**9)
    end = now + 60 * 10**9
    found: list[dict[str, Any]] = []
    while True:
        window: Parameters = {"query": query, "start": start, "end": end, "limit": MOST}
        answer = ask(f"{loki}/loki/api/v1/query_range", window)
        page = [
            (int(moment), {"line": line, "labels": stream["stream"]})
            for stream in answer["data"]["result"]
            for moment, line in stream["values"]
        ]
        if len(page) < MOST:
            return found + [entry for _, entry in page]
        # The newest come first. The oldest moment of a full page may have more lines: it is
        # asked again, whole, with the next page.
        oldest = min(moment for moment, _ in page)
        if oldest + 1 >= end:
            raise AssertionError("one moment has more lines than one answer carries")
        found += [entry for moment, entry in page if moment > oldest]
        end = oldest + 1


def tempo_search(
    tempo: str, query: str, *, since: float | None = None, ask: Get = get
) -> list[str]:
    """Return the ids, 32 hex digits each, of the traces that TraceQL finds.

    ``since``: Unix time in seconds, by default an hour ago.
    """
    now = int(time.time())
    start = now - WINDOW_S if since is None else int(since)
    window: Parameters = {"q": query, "start": start, "end": now + 60, "limit": MOST}
    answer = ask(f"{tempo}/api/search", window)
    traces = [trace["traceID"].zfill(32) for trace in answer.get("traces", [])]
    if len(traces) >= MOST:
        raise AssertionError("Tempo holds more than one answer carries")
    return traces


def tempo_trace(tempo: str, trace_id: str, *, ask: Get = get) -> dict[str, Any]:
    """Return one trace as OTLP, empty when there is none; see `tempo_written` first."""
    answer = ask(f"{tempo}/api/v2/traces/{trace_id}", {})
    return answer["trace"] if answer else {}


def tempo_spans(tempo: str, trace_id: str, *, ask: Get = get) -> list[Item]:
    """Return the spans of one trace, each with its service's name as ``service``."""
    return [
        {**span, "service": attribute(resource["resource"], "service.name")}
        for resource in tempo_trace(tempo, trace_id, ask=ask).get("resourceSpans", [])
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def tempo_written(tempo: str, trace_id: str, *, ask: Get = get) -> int:
    """Return how many spans of a trace Tempo has on disk.

    Ask this before `tempo_trace` while more spans may come: Tempo 3.0.3 loses spans of a trace that
    is looked up by its id while a part of it is on disk and another is still in memory.
    """
    now = int(time.time())
    asked: Parameters = {
        "q": f'{{ trace:id = "{trace_id}" }}',
        "start": now - WINDOW_S,
        "end": now + 60,
        "limit": 1,
        "spss": 1,
    }
    answer = ask(f"{tempo}/api/search", asked)
    return sum(
        int(group.get("matched", 0))
        for trace in answer.get("traces", [])
        for group in trace.get("spanSets", [])
    )


def prometheus_query(prometheus: str, query: str, *, ask: Get = get) -> list[dict[str, Any]]:
    """Return the series of an instant query as {"labels": …, "value": float}."""
    answer = ask(f"{prometheus}/api/v1/query", {"query": query})
    return [
        {"labels": series["metric"], "value": float(series["value"][1])}
        for series in answer["data"]["result"]
    ]
