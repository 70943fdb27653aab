"""What is in one line of the dead letters, and how it is sent again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias, cast

# On a log record that is sent again. The connector event_metrics does not count such events.
REASON_ATTRIBUTE = "dead_letter.reason"
# A longer request is sent in parts. The Collector takes 20 MiB.
REQUEST_BYTES = 4 << 20

Json: TypeAlias = dict[str, Any]


class Signal(StrEnum):
    """The three kinds of telemetry, as they stand in a file's name and in a URL."""

    LOGS = "logs"
    TRACES = "traces"
    METRICS = "metrics"


# Where a signal's records are: of a resource, of its scopes, of each.
_FIELDS = {
    Signal.LOGS: ("resourceLogs", "scopeLogs", "logRecords"),
    Signal.TRACES: ("resourceSpans", "scopeSpans", "spans"),
    Signal.METRICS: ("resourceMetrics", "scopeMetrics", "metrics"),
}
_POINTS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
_OTLP = b',"otlp":'


class UnreadableError(Exception):
    """Why a line is no letter; never with anything of what is in it."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """What is known of a letter without its records. time: when it was set aside."""

    time: datetime
    reason: str
    source: str
    signal: Signal
    items: int


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One line: its head, and the records as OTLP JSON."""

    head: Head
    otlp: Json

    def requests(self) -> Iterator[bytes]:
        """The requests to send, each of one resource.

        One resource is one service: with two in a request, of which one is over its bound, the
        Collector would shed its records and take the others'.
        """
        outer, *path = _FIELDS[self.head.signal]
        for entry in self.otlp[outer]:
            if self.head.signal is Signal.LOGS:
                _mark(entry, self.head.reason)
            yield from _requests(entry, outer, path)


def read_head(content: bytes) -> Head:
    """The head of a line, of which the end may be missing. Raises UnreadableError."""
    begin, found, _ = content.partition(_OTLP)
    if found:
        try:
            return _head(_object(begin + b"}"))
        except UnreadableError:
            pass  # written by hand, in another order
    return _head(_object(content))


def read(content: bytes) -> Letter:
    """A whole line. Raises UnreadableError."""
    document = _object(content)
    head = _head(document)
    otlp = document.get("otlp")
    outer = _FIELDS[head.signal][0]
    if not isinstance(otlp, dict) or not _is_objects(cast(Json, otlp).get(outer)):
        raise UnreadableError(f"otlp.{outer} is missing or empty")
    return Letter(head=head, otlp=cast(Json, otlp))


def _object(content: bytes) -> Json:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise UnreadableError("no JSON") from None
    if not isinstance(document, dict):
        raise UnreadableError("no JSON object")
    return cast(Json, document)


def _head(document: Json) -> Head:
    texts: dict[str, str] = {}
    for key in ("time", "reason", "source", "signal"):
        value = document.get(key)
        if not isinstance(value, str):
            raise UnreadableError(f"{key} is missing")
        texts[key] = value
    items = document.get("items")
    if not isinstance(items, int) or isinstance(items, bool) or items < 0:
        raise UnreadableError("items is no number")
    try:
        time = datetime.fromisoformat(texts["time"])
    except ValueError:
        raise UnreadableError("time is none") from None
    if time.tzinfo is None:
        raise UnreadableError("time has no zone")
    if texts["signal"] not in tuple(Signal):
        raise UnreadableError("signal is none of logs, traces and metrics")
    return Head(
        time=time,
        reason=texts["reason"],
        source=texts["source"],
        signal=Signal(texts["signal"]),
        items=items,
    )


def _mark(resource: Json, reason: str) -> None:
    """Put the reason on each record, in place of one from an earlier time."""
    for scope in _objects(resource.get("scopeLogs")):
        for record in _objects(scope.get("logRecords")):
            own = record.get("attributes", [])
            if isinstance(own, list):  # else the Collector refuses it
                others = [one for one in cast("list[Any]", own) if not _is_mark(one)]
                mark = {"key": REASON_ATTRIBUTE, "value": {"stringValue": reason}}
                record["attributes"] = [*others, mark]


def _is_mark(attribute: object) -> bool:
    return isinstance(attribute, dict) and cast(Json, attribute).get("key") == REASON_ATTRIBUTE


def _requests(entry: Json, outer: str, path: Sequence[str]) -> Iterator[bytes]:
    """One resource as a request, halved until each part is short enough or a record alone."""
    body = json.dumps({outer: [entry]}, separators=(",", ":")).encode("ascii")
    if len(body) <= REQUEST_BYTES or (halves := _halves(entry, path)) is None:
        yield body
        return
    for half in halves:
        yield from _requests(half, outer, path)


def _halves(entry: Json, path: Sequence[str]) -> tuple[Json, Json] | None:
    """Two entries that have what this one has; None when it is one record."""
    if not path:
        return _halves_of_points(entry)
    field, *rest = path
    inner = entry.get(field)
    if not _is_objects(inner):
        return None
    items = cast("list[Json]", inner)
    if len(items) > 1:
        middle = len(items) // 2
        return _pair(entry, field, items[:middle], items[middle:])
    halves = _halves(items[0], rest)
    return None if halves is None else _pair(entry, field, [halves[0]], [halves[1]])


def _halves_of_points(metric: Json) -> tuple[Json, Json] | None:
    for kind in _POINTS:
        data = metric.get(kind)
        if isinstance(data, dict):
            halves = _halves(cast(Json, data), ("dataPoints",))
            return None if halves is None else _pair(metric, kind, *halves)
    return None


def _pair(entry: Json, field: str, one: object, other: object) -> tuple[Json, Json]:
    return {**entry, field: one}, {**entry, field: other}


def _is_objects(value: object) -> bool:
    """Whether it is a list of objects, with one at least."""
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(one, dict) for one in cast("list[Any]", value))


def _objects(value: object) -> list[Json]:
    if not isinstance(value, list):
        return []
    return [cast(Json, one) for one in cast("list[Any]", value) if isinstance(one, dict)]
