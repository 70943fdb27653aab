"""Business events that are kept until the Collector has acknowledged them.

`emit_event` hands an event to a buffer in memory, which a killed process takes along. A service
with a database of its own can do better: it writes what `prepare_event` returns in the transaction
of the change (an outbox), and another process hands what it finds there to an `EventSender`, and
deletes it once the Collector has taken it. So an event is sent at least once. Its id travels as
``log.record.uid``, by which a repeat is known.
"""

import json
import logging
import math
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal, cast

import requests
from opentelemetry import context, trace
from opentelemetry._logs import get_logger_provider
from opentelemetry.environment_variables import OTEL_LOGS_EXPORTER
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_SDK_DISABLED,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from glasshouse import events
from glasshouse.capture import export
from glasshouse.capture.counting import count_lost
from glasshouse.capture.translate import translate
from glasshouse.context import attributes_of
from glasshouse.delivery.token import Metadata, carry
from glasshouse.events import FieldValue
from glasshouse.installed import entry_points
from glasshouse.redaction import Redactor, repair
from glasshouse.redaction.process import telemetry_redactor

# OpenTelemetry's name for what identifies a record.
ID_ATTRIBUTE: Final = "log.record.uid"
# Of one value. An event carries ids and numbers; what is longer is cut.
LONGEST_TEXT: Final = 4096
# Seconds for one call of `EventSender.send`, with its own short retries.
SEND_TIMEOUT_S: Final = 5.0

_INT64: Final = range(-(2**63), 2**63)
_NANOSECONDS_PER_MICROSECOND: Final = 1000
_NANOSECONDS_PER_SECOND: Final = 10**9
# The Collector has read the request, and will never take it.
_REFUSED: Final = frozenset({400, 413, 422})
_SUCCESS: Final = range(200, 300)
_SCOPE: Final = InstrumentationScope(events.LOGGER)

_logger = logging.getLogger(__name__)

AttributeValue = str | bool | int | float


@dataclass(frozen=True, kw_only=True)
class PreparedEvent:
    """One event as it leaves the process, of values that JSON has.

    ``id`` identifies it, however often it is sent. ``time`` is when it happened: nanoseconds since
    1970, in whole microseconds. ``attributes`` are those of the log record, redacted. ``resource``
    is the process in which it happened. ``traceparent`` is the span in which it happened (W3C), or
    ``None``.
    """

    id: str
    name: str
    message: str
    level: int
    time: int
    attributes: Mapping[str, AttributeValue]
    resource: Mapping[str, Any]
    traceparent: str | None


Outcome = Literal["acknowledged", "refused", "unavailable"]
"""What became of events that were sent.

acknowledged: the Collector has them. refused: it will never take them as they are. unavailable: it
may have them, or not; send them again.
"""


def prepare_event(
    name: str,
    message: str,
    /,
    *,
    level: int | None = None,
    error_type: str | None = None,
    **fields: FieldValue,
) -> PreparedEvent:
    """Return an event of now, of the current span and ids, without emitting it.

    The arguments are those of `emit_event`. A value that no log record can carry is repaired: text
    is made encodable and cut, a number that is none or has over 64 bits becomes text.

    Raises:
        ConfigurationError: the key for pseudonyms is unusable.
    """
    redactor = Redactor.default().for_caller()
    raw = events.attributes(name, error_type=error_type, fields=fields)
    kept = {_text(key): _value(redactor.value(value, key)) for key, value in raw.items()}
    return PreparedEvent(
        id=str(uuid.uuid4()),
        name=_text(name),
        message=_text(redactor.text(message)),
        level=events.level_of(name) if level is None else level,
        time=time.time_ns() // _NANOSECONDS_PER_MICROSECOND * _NANOSECONDS_PER_MICROSECOND,
        attributes={**kept, **attributes_of()},
        resource=_resource(),
        traceparent=_traceparent(),
    )


def announce_event(event: PreparedEvent) -> None:
    """Write the event's line on the console, and send nothing. Call it after the commit.

    Nothing is raised.
    """
    try:
        events.show_event(_console_record(event))
    except Exception:  # noqa: BLE001 (an event never costs the caller its own work)
        count_lost()


def emit_prepared(event: PreparedEvent) -> None:
    """Emit the event as `emit_event` would. For one that cannot be kept. Nothing is raised."""
    try:
        record = _console_record(event)
    except Exception:  # noqa: BLE001 (as above)
        count_lost()
        return
    export(record)
    events.show_event(record)


def is_exported() -> bool:
    """Return whether this process sends its logs over OTLP."""
    if os.environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return False
    names = os.environ.get(OTEL_LOGS_EXPORTER, "otlp").split(",")
    return "otlp" in [name.strip() for name in names] and isinstance(
        get_logger_provider(), LoggerProvider
    )


class EventSender:
    """Sends prepared events over OTLP, and returns what became of them.

    It is configured by the variables of OpenTelemetry's exporter, and
    `GLASSHOUSE_OTLP_TOKEN_FILE`. For one thread at a time. Over
    gRPC, whose exporter does not show the answer, what is not acknowledged counts as unavailable.
    """

    def __init__(self, timeout: float = SEND_TIMEOUT_S) -> None:
        self._session = _Session()
        over_grpc = _grpc_exporter(timeout)
        self._is_http = over_grpc is None
        self._exporter = over_grpc or OTLPLogExporter(timeout=timeout, session=self._session)
        self._metadata = Metadata(self._exporter)

    def send(self, batch: Sequence[PreparedEvent]) -> Outcome:
        """Send a batch, as one request. Raises nothing."""
        self._session.begin()
        try:
            # A span of each request would be one of every round.
            with suppress_instrumentation():
                self._metadata.renew()
                result = self._exporter.export([_record(event) for event in batch])
        # Whatever it is, a repeat meets it again.
        except Exception as error:  # noqa: BLE001 (see above)
            _logger.error(
                "Events cannot be encoded", extra={"error.type": type(error).__qualname__}
            )
            return "refused"
        if self._is_http:
            return self._session.outcome()
        return "acknowledged" if result is LogRecordExportResult.SUCCESS else "unavailable"

    def close(self) -> None:
        """End the retries of a call that is under way, and close the connection."""
        self._exporter.shutdown()


def _grpc_exporter(timeout: float) -> LogRecordExporter | None:
    """Return the exporter over gRPC, where the variables ask for it."""
    names = (OTEL_EXPORTER_OTLP_LOGS_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL)
    protocol = next((found for name in names if (found := os.environ.get(name))), "")
    if protocol.strip() != "grpc":
        return None
    found = entry_points(group="opentelemetry_logs_exporter", name="otlp_proto_grpc")
    return next((entry.load()(timeout=timeout) for entry in found), None)


class _Session(requests.Session):
    """Keeps the status of the last answer, which the exporter does not return."""

    def __init__(self) -> None:
        super().__init__()
        self._token = carry(self)

    def begin(self) -> None:
        self._asked = False
        self._status: int | None = None

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # pyright: ignore[reportIncompatibleMethodOverride]  # passes all on
        self._asked, self._status = True, None
        answer = super().request(*args, **kwargs)
        self._status = answer.status_code
        if self._token is not None and self._status == HTTPStatus.UNAUTHORIZED:
            self._token.refused()
        return answer

    def outcome(self) -> Outcome:
        """Return what became of the request since `begin`."""
        # Nothing was asked: the exporter could not encode it, or found it too large.
        if not self._asked or self._status in _REFUSED:
            return "refused"
        acknowledged = self._status is not None and self._status in _SUCCESS
        return "acknowledged" if acknowledged else "unavailable"


def _console_record(event: PreparedEvent) -> logging.LogRecord:
    # The console and the log processors add the ids themselves.
    own = attributes_of()
    kept = {name: value for name, value in event.attributes.items() if name not in own}
    record = events.record_of(event.name, event.message, event.level, kept)
    record.created = event.time / _NANOSECONDS_PER_SECOND
    return record


def _value(value: object) -> AttributeValue:
    match value:
        case bool():
            return value
        case int() if value in _INT64:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    """Return text that every encoding and Postgres can hold."""
    return repair.text(text[:LONGEST_TEXT]).replace("\0", "\N{REPLACEMENT CHARACTER}")


def _resource() -> Mapping[str, Any]:
    provider = get_logger_provider()
    resource = provider.resource if isinstance(provider, LoggerProvider) else Resource.create()
    # Sequences become lists, and stay it.
    return cast(dict[str, Any], json.loads(json.dumps(dict(resource.attributes), default=str)))


def _traceparent() -> str | None:
    span = trace.get_current_span().get_span_context()
    # A trace that is not sampled exists nowhere, as for all log records.
    if not (span.is_valid and span.trace_flags.sampled):
        return None
    ids = f"{trace.format_trace_id(span.trace_id)}-{trace.format_span_id(span.span_id)}"
    return f"00-{ids}-{span.trace_flags:02x}"


def _span_context(traceparent: str | None) -> SpanContext:
    if traceparent is None:
        return trace.INVALID_SPAN_CONTEXT
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(int(flags, 16))
    )


def _record(event: PreparedEvent) -> ReadableLogRecord:
    span = NonRecordingSpan(_span_context(event.traceparent))
    attributes = {**event.attributes, ID_ATTRIBUTE: event.id}
    token = context.attach(trace.set_span_in_context(span, context.Context()))
    try:
        log = translate(events.record_of(event.name, event.message, event.level, attributes))
    finally:
        context.detach(token)
    # Observed when it happened, too: nothing in a repeat is new.
    log.timestamp = log.observed_timestamp = event.time
    # Not behind a provider, whose guard redacts for everybody else.
    redactor = telemetry_redactor()
    resource = redactor.resource(Resource(dict(event.resource)), "logs")
    return ReadableLogRecord(redactor.log(log), resource, _SCOPE)
