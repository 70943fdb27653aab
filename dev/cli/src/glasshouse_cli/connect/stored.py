"""What Loki, Tempo and Prometheus have of a service: asked as the doctor asks them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote

import httpx

from glasshouse_cli.errors import StackError
from glasshouse_cli.letters.letter import Signal

Json: TypeAlias = dict[str, Any]

BACKENDS: Final = {Signal.LOGS: "Loki", Signal.TRACES: "Tempo", Signal.METRICS: "Prometheus"}
# A service is new when none of its records is younger, by their own times.
NEW_WITHIN_S: Final = 24 * 3600.0
# How far back an instant query of Prometheus goes. The other two are asked for as much.
RECENT_S: Final = 300.0
# What the Collector takes of a clock that is fast.
_AHEAD_S: Final = 600.0
_NANOSECONDS: Final = 10**9
# Of which the one that began first is taken.
_TRACES: Final = 20
_SERIES: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HIDDEN: Final = "[otlp_token]"


class Unanswered(StackError):
    """A backend gave no answer that can be used; the text names it and says why."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """The first record of a signal, as its backend has it.

    time: when it was made, None where that is not stored. fields: what it says, by name, in order:
    text, numbers, booleans, lists or maps.
    """

    signal: Signal
    service: str
    time: datetime | None
    fields: Mapping[str, Any]

    def as_dict(self) -> Json:
        """For scripts."""
        return {
            "backend": BACKENDS[self.signal],
            "time": self.time.isoformat() if self.time else None,
            "record": dict(self.fields),
        }


class Stored:
    """The three backends.

    http: opens what asks for a password. urls: base addresses. secrets: what no record may show,
    whatever was stored.
    """

    def __init__(
        self, http: httpx.Client, urls: Mapping[Signal, str], secrets: Sequence[str] = ()
    ) -> None:
        self._http = http
        self._urls = dict(urls)
        # As it stands in a header, and as it stands in a variable.
        self._secrets = sorted({form for one in secrets for form in (one, quote(one, safe=""))})

    def services(self, signal: Signal) -> set[str]:
        """The services of which there are records of the last day. Raises Unanswered."""
        start, end = time.time() - NEW_WITHIN_S, time.time() + _AHEAD_S
        match signal:
            case Signal.LOGS:
                path, scale = "/loki/api/v1/label/service_name/values", _NANOSECONDS
            case Signal.TRACES:
                path, scale = "/api/v2/search/tag/resource.service.name/values", 1
            case Signal.METRICS:
                path, scale = "/api/v1/label/service_name/values", 1
        found = self._ask(signal, path, start=int(start * scale), end=int(end * scale))
        if signal is Signal.TRACES:
            return {str(one["value"]) for one in _items(found, "tagValues")}
        return {str(one) for one in _items(found, "data")}

    def first(self, signal: Signal, service: str, *, since_s: float) -> Record | None:
        """The first record of a service that is `since_s` seconds old or less; None without one.

        Of metrics it is one series that still has a value. Raises Unanswered.
        """
        try:
            match signal:
                case Signal.LOGS:
                    found = self._log(service, since_s)
                case Signal.TRACES:
                    found = self._span(service, since_s)
                case Signal.METRICS:
                    found = self._series(service)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise self._fault(signal, "an answer that cannot be read") from error
        if found is None:
            return None
        made, fields = found
        shown = cast("Json", self._hide(fields))
        return Record(signal=signal, service=service, time=made, fields=shown)

    def query(self, query: str) -> list[Json]:
        """The series of an instant query of Prometheus. Raises Unanswered."""
        found = self._ask(Signal.METRICS, "/api/v1/query", query=query)
        data = found.get("data")
        if not isinstance(data, dict):
            raise self._fault(Signal.METRICS, "an answer that cannot be read")
        return cast("list[Json]", _items(cast("Json", data), "result"))

    def _log(self, service: str, since_s: float) -> tuple[datetime, Json] | None:
        now = time.time()
        found = self._ask(
            Signal.LOGS,
            "/loki/api/v1/query_range",
            query=f"{{service_name={_quoted(service)}}}",
            start=int((now - since_s) * _NANOSECONDS),
            end=int((now + _AHEAD_S) * _NANOSECONDS),
            direction="forward",
            limit=1,
        )
        lines = [
            (int(moment), line, stream["stream"])
            for stream in found["data"]["result"]
            for moment, line, *_ in stream["values"]
        ]
        if not lines:
            return None
        moment, line, labels = min(lines, key=lambda one: one[0])
        return _moment(moment), {"body": line, **dict(sorted(labels.items()))}

    def _span(self, service: str, since_s: float) -> tuple[datetime, Json] | None:
        now = time.time()
        found = self._ask(
            Signal.TRACES,
            "/api/search",
            q=f"{{ resource.service.name = {_quoted(service)} }}",
            start=int(now - since_s),
            end=int(now + _AHEAD_S),
            limit=_TRACES,
        )
        traces = found.get("traces") or []
        if not traces:
            return None
        first = min(traces, key=lambda one: int(one.get("startTimeUnixNano", 0)))
        trace = self._ask(Signal.TRACES, f"/api/v2/traces/{first['traceID']}")
        spans = [
            (int(span["startTimeUnixNano"]), span, resource["resource"])
            for resource in trace.get("trace", {}).get("resourceSpans", [])
            if attributes(resource["resource"]).get("service.name") == service
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
        if not spans:  # found, and not yet to be read
            return None
        began, span, resource = min(spans, key=lambda one: one[0])
        return _moment(began), _span_fields(span, resource)

    def _series(self, service: str) -> tuple[datetime | None, Json] | None:
        name = _quoted(service)
        found = self._ask(
            Signal.METRICS,
            "/api/v1/query",
            # Made by Prometheus of the resource, not measured by anybody.
            query=f'{{service_name={name},__name__!="target_info"}}',
            limit=_SERIES,
        )
        series = found["data"]["result"]
        if not series:
            return None
        # A bucket of a histogram says least.
        first = min(series, key=lambda one: ("le" in one["metric"], json.dumps(one["metric"])))
        labels = dict(sorted(first["metric"].items()))
        _, value = first["value"] if "value" in first else first["histogram"]
        # Its time is the query's: the sample's own is not in the answer.
        return None, {"name": labels.pop("__name__", ""), "value": value, **labels}

    def _ask(self, signal: Signal, path: str, **parameters: str | int) -> Json:
        try:
            answer = self._http.get(self._urls[signal] + path, params=parameters)
        except httpx.ConnectError as error:
            raise self._fault(signal, "no connection") from error
        except httpx.TimeoutException as error:
            raise self._fault(signal, "no answer in time") from error
        except httpx.HTTPError as error:
            raise self._fault(signal, type(error).__name__) from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise self._fault(
                signal,
                "HTTP 401: the proxy does not take the password in secrets/operator_password",
            )
        if not answer.is_success:
            raise self._fault(signal, f"HTTP {answer.status_code}")
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._fault(signal, "an answer that cannot be read")
        return cast("Json", found)

    def _fault(self, signal: Signal, what: str) -> Unanswered:
        return Unanswered(f"{BACKENDS[signal]} at {self._urls[signal]}: {what}")

    def _hide(self, value: Any) -> Any:
        match value:
            case str():
                for secret in self._secrets:
                    value = value.replace(secret, _HIDDEN)
                return value
            case dict():
                items = cast("Json", value).items()
                return {self._hide(key): self._hide(item) for key, item in items}
            case list():
                return [self._hide(item) for item in cast("list[Any]", value)]
            case _:
                return value


def _span_fields(span: Json, resource: Json) -> Json:
    fields: Json = {
        "name": span.get("name", ""),
        "trace_id": _id(span.get("traceId", "")),
        "span_id": _id(span.get("spanId", "")),
        "kind": span.get("kind", ""),
        "duration_ms": (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e6,
    }
    if status := span.get("status"):
        fields["status"] = status
    fields |= attributes(span)
    if events := span.get("events"):
        fields["events"] = [
            {"name": event.get("name", ""), **attributes(event)} for event in events
        ]
    return fields | {f"resource.{key}": value for key, value in attributes(resource).items()}


def attributes(of: Json) -> Json:
    return dict(sorted(_pairs(of.get("attributes")).items()))


def _pairs(pairs: list[Json] | None) -> Json:
    return {one["key"]: _value(one.get("value") or {}) for one in pairs or []}


def _value(value: Json) -> Any:
    """What an AnyValue of OTLP's JSON form says."""
    match value:
        case {"arrayValue": values}:
            return [_value(one) for one in values.get("values") or []]
        case {"kvlistValue": values}:
            return {
                one["key"]: _value(one.get("value") or {}) for one in values.get("values") or []
            }
        case {"intValue": number}:  # 64 bits: text in JSON
            return int(number)
        case _:
            return next(iter(value.values()), None)


def _id(text: str) -> str:
    """An id in hex; Tempo has it in base64."""
    try:
        return base64.b64decode(text, validate=True).hex()
    except ValueError:
        return text


def _items(found: Json, key: str) -> list[Any]:
    items = found.get(key)
    return cast("list[Any]", items) if isinstance(items, list) else []


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _quoted(text: str) -> str:
    """As LogQL, TraceQL and PromQL write a string."""
    return json.dumps(text, ensure_ascii=False)
