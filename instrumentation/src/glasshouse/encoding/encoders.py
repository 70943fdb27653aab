"""Encodes what an exporter is given. A record that cannot be encoded costs itself alone."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from glasshouse.encoding.batches import Batch
from glasshouse.encoding.logs import LogEncoder
from glasshouse.encoding.origins import Origin
from glasshouse.encoding.spans import SpanEncoder
from glasshouse.encoding.wire import sized
from glasshouse.guard import logs, spans
from glasshouse.guard.queued import QueuedLog
from glasshouse.redaction import budget
from glasshouse.redaction.process import telemetry_redactor

# How long to hold the interpreter.
_SLICE_S: Final = 0.001

Encode = Callable[[Any], tuple[Origin, bytes]]


class Spans:
    """Encodes spans; those that the guard has copied are redacted on the way."""

    def __init__(self) -> None:
        self._as_they_are = SpanEncoder(None)
        self._redacting: SpanEncoder | None = None

    def encode(self, batch: Sequence[Any]) -> tuple[Batch, int]:
        """Return the spans, and how many could not be encoded. Never raises."""
        return _encoded(batch, self._one, _span_by_upstream)

    def _one(self, span: Any) -> tuple[Origin, bytes]:
        raw: Any = spans.raw_of(span)
        if raw is None:
            return self._as_they_are.encode(span)
        if self._redacting is None:
            self._redacting = SpanEncoder(telemetry_redactor())
        found = self._redacting.encode(raw)
        # Two that hold each other wait for the garbage collector.
        raw._glasshouse_copy = None
        return found


class Logs:
    """Encodes log records; those that the guard has copied are redacted on the way."""

    def __init__(self) -> None:
        self._as_they_are = LogEncoder(None)
        self._redacting: LogEncoder | None = None

    def encode(self, batch: Sequence[Any]) -> tuple[Batch, int]:
        """Return the log records, and how many could not be encoded. Never raises."""
        return _encoded(batch, self._one, _log_by_upstream)

    def _one(self, record: Any) -> tuple[Origin, bytes]:
        if type(record) is QueuedLog:
            log: Any = record
            raw: Any = record
        else:
            log = record.log_record
            raw = logs.raw_of(log)
        if raw is None:
            return self._as_they_are.encode(record, log, log)
        if self._redacting is None:
            self._redacting = LogEncoder(telemetry_redactor())
        return self._redacting.encode(record, raw, log)


def _encoded(batch: Sequence[Any], encode: Encode, slowly: Encode) -> tuple[Batch, int]:
    origins: list[Origin] = []
    records: list[bytes] = []
    clock = time.perf_counter
    started = clock()
    for item in batch:
        try:
            try:
                origin, record = encode(item)
            # Hostile values run code of their own: they may raise anything.
            except Exception:  # noqa: BLE001 (see above)
                origin, record = slowly(item)
        except Exception:  # noqa: BLE001, S112 (counted by the caller)
            continue
        origins.append(origin)
        records.append(record)
        if clock() - started > _SLICE_S:
            budget.hand_over()
            started = clock()
    return Batch(origins, records), len(batch) - len(records)


# Upstream's are imported with its exporter, before anything is encoded.
def _span_by_upstream(span: Any) -> tuple[Origin, bytes]:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    resource = encode_spans([span]).resource_spans[0]
    scope = resource.scope_spans[0]
    return _origin(resource, scope), b"\x12" + sized(scope.spans[0].SerializePartialToString())


def _log_by_upstream(record: Any) -> tuple[Origin, bytes]:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

    readable = record.readable() if type(record) is QueuedLog else record
    resource = encode_logs([readable]).resource_logs[0]
    scope = resource.scope_logs[0]
    return _origin(resource, scope), b"\x12" + sized(scope.log_records[0].SerializeToString())


def _origin(resource: Any, scope: Any) -> Origin:
    return Origin(
        b"\x0a" + sized(resource.resource.SerializeToString()) + _schema(resource.schema_url),
        b"\x0a" + sized(scope.scope.SerializeToString()) + _schema(scope.schema_url),
    )


def _schema(url: str) -> bytes:
    return b"\x1a" + sized(url.encode()) if url else b""
