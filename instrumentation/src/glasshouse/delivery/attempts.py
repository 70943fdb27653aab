"""One try to hand an export to an exporter, and what came of it."""

import functools
import importlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import NoOpMeterProvider

from glasshouse.delivery.kinds import Kind
from glasshouse.delivery.token import Metadata

if TYPE_CHECKING:
    from glasshouse.delivery.session import Answer, OneTrySession

# What a later try may change: https://opentelemetry.io/docs/specs/otlp/#failures
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_TOO_LARGE: Final = 413
# Passing where the token comes from a file: one of the two files is about to follow the other.
_NO_TOKEN: Final = 401
NOT_ENCODABLE: Final = "not_encodable"
REJECTED: Final = "rejected"
UNKNOWN: Final = "export_failed"

_HTTP: Final = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter:OTLPLogExporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter:OTLPMetricExporter",
)
_GRPC: Final = (
    "opentelemetry.exporter.otlp.proto.grpc.trace_exporter:OTLPSpanExporter",
    "opentelemetry.exporter.otlp.proto.grpc._log_exporter:OTLPLogExporter",
    "opentelemetry.exporter.otlp.proto.grpc.metric_exporter:OTLPMetricExporter",
)
_COLLECTOR: Final = "opentelemetry.proto.collector"
_RESPONSES: Final = {
    "traces": (f"{_COLLECTOR}.trace.v1.trace_service_pb2:ExportTraceServiceResponse", "spans"),
    "logs": (f"{_COLLECTOR}.logs.v1.logs_service_pb2:ExportLogsServiceResponse", "log_records"),
    "metrics": (
        f"{_COLLECTOR}.metrics.v1.metrics_service_pb2:ExportMetricsServiceResponse",
        "data_points",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one try.

    reason: why it failed, for `error.type`; empty if it did not. passing: whether a later try
    may succeed. divisible: whether a part of it may. rejected: items that the receiver did not
    take although it took the rest.
    """

    reason: str = ""
    passing: bool = False
    divisible: bool = False
    timed_out: bool = False
    wait_s: float | None = None
    rejected: int = 0


@functools.cache
def _sessions() -> "dict[type[Any], OneTrySession]":
    return {}


class _ExporterArguments(Mapping[type[Any], dict[str, Any]]):
    """Arguments that are made when an exporter is asked for.

    Whatever would be imported to name its class here would be imported whichever is chosen.
    """

    def __getitem__(self, exporter: type[Any]) -> dict[str, Any]:
        path = f"{exporter.__module__}:{exporter.__qualname__}"
        if path not in (*_HTTP, *_GRPC):
            raise KeyError(exporter)
        made: dict[str, Any] = {"meter_provider": NoOpMeterProvider()}
        # Somebody's own session, with credentials, is chosen by a variable of this form.
        is_given = any(name.endswith("_CREDENTIAL_PROVIDER") for name in os.environ)
        if path in _HTTP and not is_given:
            # Upstream's exporter has imported what this imports.
            from glasshouse.delivery.session import OneTrySession

            if exporter not in _sessions():
                _sessions()[exporter] = OneTrySession()
            made["session"] = _sessions()[exporter]
        return made

    def __iter__(self) -> Iterator[type[Any]]:
        for path in (*_HTTP, *_GRPC):
            try:
                yield _found(path)
            except ImportError:
                continue

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return True


def exporter_arguments() -> Mapping[type[Any], dict[str, Any]]:
    """Return the arguments for the constructors of OpenTelemetry's own exporters, by class.

    With them an exporter reports how a try went, and does not count what is counted here. To read
    those of one over HTTP raises ConfigurationError where the file of the token is unusable.
    """
    return _ExporterArguments()


def _found(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


class Attempts:
    """Tries exports on one exporter, silently: the exporter's own log lines are dropped."""

    def __init__(self, kind: Kind, exporter: Any, succeeded: Any) -> None:
        self._kind = kind
        self._exporter = exporter
        self._succeeded = succeeded
        kind_of: Any = exporter.__class__
        self._session = _sessions().get(kind_of)
        self._metadata = Metadata(exporter)
        self._thread = 0
        logging.getLogger(kind_of.__module__).addFilter(self._is_not_ours)

    def _is_not_ours(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread

    def attempt(self, batch: Any, timed_out: int) -> Outcome:
        """Try once. Never raises. timed_out: how many tries of this batch have timed out."""
        session = self._session
        if session is not None:
            session.answer, session.stretch = None, timed_out
        self._thread = threading.get_ident()
        error = ""
        try:
            self._metadata.renew()
            succeeded = self._exporter.export(batch) is self._succeeded
        except Exception as raised:  # noqa: BLE001  # whatever it is, the thread goes on
            succeeded, error = False, type(raised).__qualname__
        finally:
            self._thread = 0
        if session is None or not session.was_used:
            # An exporter that says nothing more: try again, as it may be the network.
            passing = not error
            return Outcome() if succeeded else Outcome(reason=error or UNKNOWN, passing=passing)
        if session.answer is None:
            # It failed before anything was sent.
            return Outcome(reason=NOT_ENCODABLE, divisible=True)
        return self._judged(session.answer, succeeded=succeeded)

    def _has_token(self) -> bool:
        return self._session is not None and self._session.has_token

    def _judged(self, answer: "Answer", *, succeeded: bool) -> Outcome:
        if succeeded:
            return Outcome(rejected=_rejected(self._kind, answer.body))
        if answer.status is None:
            return Outcome(reason=answer.error, passing=True, timed_out=answer.timed_out)
        return Outcome(
            reason=str(answer.status),
            passing=answer.status in _PASSING or (answer.status == _NO_TOKEN and self._has_token()),
            divisible=answer.status == _TOO_LARGE,
            wait_s=answer.wait_s,
        )


def _rejected(kind: Kind, body: bytes) -> int:
    """Read how many items the receiver did not take, from an answer that is a success."""
    if not body:
        return 0
    response, items = _RESPONSES[kind.signal]
    try:
        # Imported before, by upstream's exporter.
        message = _found(response)()
        message.ParseFromString(body)
        return max(0, int(getattr(message.partial_success, f"rejected_{items}")))
    except Exception:  # noqa: BLE001  # somebody's own form of a success
        return 0
