"""OTLP that a real service of another language sent once, sent again as if it ran now.

What is in a recording and how it was made: tests/data/otlp/README.md.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.otlp import OUTER, Sender

FOLDER = Path(__file__).parents[1] / "data" / "otlp"
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
_NAME = "service.name"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One export, as it was sent. signal: "logs", "traces" or "metrics"."""

    signal: str
    body: dict[str, Any]


def load(name: str) -> list[Request]:
    """Return the exports of a recording, in their order."""
    text = gzip.decompress((FOLDER / f"{name}.jsonl.gz").read_bytes()).decode()
    return [Request(**json.loads(line)) for line in text.splitlines()]


def again(requests: list[Request], *, run: str, now: float) -> list[Request]:
    """Return the exports as those of another run, whose last moment is ``now`` (Unix seconds).

    run: goes behind the name of each service, and makes ids of its own.
    """
    last = max(_times(request.body) for request in requests)
    moved = int(now * 10**9) - last
    return [
        Request(signal=one.signal, body=_changed(one.body, run=run, moved=moved))
        for one in requests
    ]


def send(requests: list[Request], endpoint: str, headers: Mapping[str, str]) -> None:
    """Send them to a Collector, traces first: what reads them takes none that is half a minute old.

    Raises httpx.HTTPStatusError when one is refused.
    """
    with Sender(endpoint, "unused", headers) as sender:
        for one in sorted(requests, key=lambda one: one.signal != "traces"):
            sender.entries(one.signal, one.body[OUTER[one.signal]])


def points(requests: list[Request], service: str, metric: str) -> Iterator[dict[str, Any]]:
    """Yield the data points of a service's metric, in the order in which they were sent."""
    for request in requests:
        for entry in request.body.get("resourceMetrics", []):
            if _attribute(entry["resource"], _NAME) != service:
                continue
            for scope in entry["scopeMetrics"]:
                for one in scope["metrics"]:
                    if one["name"] == metric:
                        [kind] = {"sum", "gauge", "histogram"} & one.keys()
                        yield from one[kind]["dataPoints"]


def spans(requests: list[Request], service: str) -> Iterator[dict[str, Any]]:
    """Yield the spans of a service."""
    for request in requests:
        for entry in request.body.get("resourceSpans", []):
            if _attribute(entry["resource"], _NAME) == service:
                for scope in entry["scopeSpans"]:
                    yield from scope["spans"]


def labels(point: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes of a data point as text."""
    return {
        item["key"]: str(next(iter(item["value"].values()))) for item in point.get("attributes", [])
    }


def _attribute(holder: Mapping[str, Any], key: str) -> str:
    return labels(holder)[key]


def _is_time(key: str, value: Any) -> bool:
    return key.endswith("UnixNano") and int(value) > 0


def _times(item: Any) -> int:
    """Return the latest time in it."""
    if isinstance(item, dict):
        found: dict[str, Any] = item
        return max(
            (int(value) if _is_time(key, value) else _times(value) for key, value in found.items()),
            default=0,
        )
    if isinstance(item, list):
        values: list[Any] = item
        return max((_times(value) for value in values), default=0)
    return 0


def _changed(item: Any, *, run: str, moved: int) -> Any:
    if isinstance(item, list):
        values: list[Any] = item
        return [_changed(value, run=run, moved=moved) for value in values]
    if not isinstance(item, dict):
        return item
    found: dict[str, Any] = item
    if found.get("key") == _NAME:
        return {"key": _NAME, "value": {"stringValue": f"{found['value']['stringValue']}-{run}"}}
    made: dict[str, Any] = {}
    for key, value in found.items():
        if _is_time(key, value):
            made[key] = str(int(value) + moved)
        elif key in _IDS and value:
            made[key] = hashlib.sha256(f"{run}{value}".encode()).hexdigest()[: len(value)]
        else:
            made[key] = _changed(value, run=run, moved=moved)
    return made
