"""Sends one batch by the exporter that the process would use, and keeps what was answered."""

import contextlib
import importlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import requests
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from glasshouse.checking.targets import GRPC, HTTP, LOGS, METRICS, TRACES, Signal, Target
from glasshouse.delivery.token import Metadata, carry
from glasshouse.errors import ConfigurationError

_EXPORTERS: Final = {
    (HTTP, LOGS): ("http._log_exporter", "OTLPLogExporter"),
    (HTTP, TRACES): ("http.trace_exporter", "OTLPSpanExporter"),
    (HTTP, METRICS): ("http.metric_exporter", "OTLPMetricExporter"),
    (GRPC, LOGS): ("grpc._log_exporter", "OTLPLogExporter"),
    (GRPC, TRACES): ("grpc.trace_exporter", "OTLPSpanExporter"),
    (GRPC, METRICS): ("grpc.metric_exporter", "OTLPMetricExporter"),
}
_RESPONSES: Final[dict[Signal, type[Message]]] = {
    LOGS: ExportLogsServiceResponse,
    TRACES: ExportTraceServiceResponse,
    METRICS: ExportMetricsServiceResponse,
}
# The exporter tries these again; the first answer is no verdict.
_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
_CLOSE_S: Final = 1.0
_SUCCESS: Final = "SUCCESS"
_GRPC_PACKAGE: Final = "opentelemetry-exporter-otlp-proto-grpc"


@dataclass(kw_only=True)
class Answer:
    """What came back.

    status: of HTTP, or the name of gRPC's. error: what kept a request from being answered.
    rejected: records that the endpoint took and threw away, with its reason.
    """

    accepted: bool = False
    status: int | str | None = None
    error: BaseException | None = None
    details: str = ""
    location: str = ""
    content_type: str = ""
    rejected: int = 0
    ms: int = 0


class Sending:
    """One batch on its way, on a thread of its own."""

    def __init__(self, target: Target, batch: Any, timeout_s: float) -> None:
        self.target = target
        self._batch = batch
        self._timeout_s = timeout_s
        self._settled = threading.Event()
        self._answer = Answer()
        self._exporter = self._make()
        self._started = time.monotonic()
        # A daemon: an endpoint that never answers does not keep the process.
        self._thread = threading.Thread(target=self._send, daemon=True)

    def start(self) -> None:
        """Send it."""
        self._started = time.monotonic()
        self._thread.start()

    def wait(self, until: float) -> Answer | None:
        """Return the answer, None when there is none at ``until`` (`time.monotonic`)."""
        if self._settled.wait(max(0.0, until - time.monotonic())):
            return self._answer
        return None if self._answer.status is None else self._answer

    def close(self) -> None:
        """End the exporter's tries, as far as it lets itself be ended at once."""
        with contextlib.suppress(Exception):
            self._exporter.shutdown()
        if self._settled.is_set():
            self._thread.join(_CLOSE_S)

    def _make(self) -> Any:
        module, name = _EXPORTERS[self.target.protocol, self.target.signal]
        try:
            cls = getattr(
                importlib.import_module(f"opentelemetry.exporter.otlp.proto.{module}"), name
            )
        except ImportError:
            raise ConfigurationError(
                f"{self.target.protocol_variable}: {self.target.protocol}"
                f" needs a package that is not installed: pip install {_GRPC_PACKAGE}"
            ) from None
        options: dict[str, Any] = {"timeout": self._timeout_s}
        if self.target.protocol == HTTP and not _brings_session(self.target.signal):
            options["session"] = _Watched(self._answered)
        try:
            exporter = cls(**options)
        except Exception as error:  # noqa: BLE001 (a variable of theirs that they cannot use)
            raise ConfigurationError(
                f"the exporter of {self.target.signal.value}: {error}"
            ) from None
        Metadata(exporter).renew()
        return exporter

    def _send(self) -> None:
        try:
            result = self._exporter.export(self._batch)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the answer)
            self._settle(error=error)
            return
        # Anything below 400 is a success for the exporter, a redirect, too, though nothing arrived.
        redirected = isinstance(self._answer.status, int) and self._answer.status >= 300
        self._settle(accepted=result.name == _SUCCESS and not redirected)

    def _answered(self, response: requests.Response | None, error: BaseException | None) -> None:
        if response is None:
            self._settle(error=error)
            return
        self._answer.status = response.status_code
        self._answer.location = response.headers.get("Location", "")
        self._answer.content_type = response.headers.get("Content-Type", "")
        self._answer.ms = self._elapsed_ms()
        if response.ok:
            self._answer.rejected, self._answer.details = _rejected(self.target.signal, response)
        if not response.ok and response.status_code not in _RETRIED:
            self._settle()

    def grpc_said(self, code: str, details: str) -> None:
        """Take what the exporter over gRPC has written about a try."""
        if not self._settled.is_set():
            self._answer.status, self._answer.details = code, details
            self._settle()

    def _settle(self, *, accepted: bool = False, error: BaseException | None = None) -> None:
        if self._settled.is_set():
            return
        self._answer.accepted, self._answer.error = accepted, error
        self._answer.ms = self._answer.ms or self._elapsed_ms()
        self._settled.set()

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


class _Watched(requests.Session):
    """Hands on what each request came to."""

    def __init__(
        self, answered: Callable[[requests.Response | None, BaseException | None], None]
    ) -> None:
        super().__init__()
        carry(self)
        self._answered = answered

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        # SDK 1.44 would follow it, and report what it met there.
        kwargs["allow_redirects"] = False
        try:
            response = super().send(request, **kwargs)
        except Exception as error:
            self._answered(None, error)
            raise
        self._answered(response, None)
        return response


class GrpcLog(logging.Handler):
    """Hands on what the exporters over gRPC write: they return no reason."""

    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter")

    def __init__(self, sendings: Sequence[Sending]) -> None:
        super().__init__()
        self._sendings = sendings

    def __enter__(self) -> None:
        # Its filter would show the reason of one signal of three.
        self._filters = list(self.logger.filters)
        self.logger.filters.clear()
        self.logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self.logger.removeHandler(self)
        self.logger.filters[:] = self._filters

    def emit(self, record: logging.LogRecord) -> None:
        arguments = list(cast(tuple[Any, ...], record.args)) if type(record.args) is tuple else []
        codes = [one.name for one in arguments if type(one).__name__ == "StatusCode"]
        for sending in self._sendings if codes else ():
            if sending.target.protocol == GRPC and sending.target.signal.value in arguments:
                sending.grpc_said(codes[0], str(arguments[-1]))


def _brings_session(signal: Signal) -> bool:
    """Return whether a credential provider makes the exporter's session."""
    general = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_{}CREDENTIAL_{}"
    own = f"{signal.value.upper()}_"
    return any(os.environ.get(general.format(part, "PROVIDER")) for part in ("", own))


def _rejected(signal: Signal, response: requests.Response) -> tuple[int, str]:
    answer = _RESPONSES[signal]()
    try:
        answer.ParseFromString(response.content)
    except DecodeError:
        return 0, ""
    partial: Any = getattr(answer, "partial_success")  # noqa: B009 (each response has its own type)
    counts = [value for field, value in partial.ListFields() if field.name.startswith("rejected")]
    return sum(counts), partial.error_message
