"""Puts a processor in memory behind the providers of this process, whoever set them up.

A provider can be set only once, so nothing is replaced: providers that are there get one more
processor, once, which costs nothing while no test captures; where there are none, some without an
exporter are set, and stay. The reader of metrics is taken away again.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Generator
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.context import Context
from opentelemetry.sdk._logs import (
    LoggerProvider,
    LogRecordProcessor,
    ReadableLogRecord,
    ReadWriteLogRecord,
)
from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from glasshouse import capture as logging_capture
from glasshouse.errors import GlasshouseError
from glasshouse.guard.trusted import Trusted
from glasshouse.processors import IdsLogRecordProcessor, IdsSpanProcessor
from glasshouse.testing.telemetry import Telemetry


class CaptureError(GlasshouseError):
    """Nothing can be captured in this process; the message says why and what to do."""


_lock: Final = threading.RLock()
_active: Final[list[Telemetry]] = []
# Providers that have our processor, by identity: they live as long as the process.
_joined: Final[dict[int, object]] = {}


# Redacted where they are taken, whether or not a guard stands before them.
class _Spans(Trusted, SpanProcessor):
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to do: a span is taken when it ends."""

    def on_end(self, span: ReadableSpan) -> None:
        for one in tuple(_active):
            one.add_span(span)


class _Logs(Trusted, LogRecordProcessor):
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        for one in tuple(_active):
            one.add_log(
                ReadableLogRecord(
                    log_record=log_record.log_record,
                    resource=log_record.resource or Resource({}),
                    instrumentation_scope=log_record.instrumentation_scope,
                    limits=log_record.limits,
                )
            )

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held, so everything is flushed."""
        return True


@contextlib.contextmanager
def capture() -> Generator[Telemetry]:
    """Capture what this process records until the end of the block. May be nested.

    Log records of the standard library are captured from level INFO on, or from the root logger's
    level where that is lower.

    Raises:
        CaptureError: the providers of this process are of a kind that takes no processor, or the
            SDK was switched off when they were made.
    """
    telemetry = Telemetry()
    with _lock:
        _join_tracing()
        _join_logs()
        metering = _metering()
    metering.add_metric_reader(telemetry.reader)
    _active.append(telemetry)
    try:
        with _bridge:
            yield telemetry
    finally:
        _active.remove(telemetry)
        telemetry.finish()
        metering.remove_metric_reader(telemetry.reader)


def replaced(reader: InMemoryMetricReader) -> InMemoryMetricReader:
    """Return a new reader in the place of ``reader``: the SDK offers no way to set one back."""
    new, metering = InMemoryMetricReader(), _metering()
    metering.remove_metric_reader(reader)
    metering.add_metric_reader(new)
    return new


def _join_tracing() -> None:
    provider = trace.get_tracer_provider()
    if _unset(provider):
        with _switched_on():
            own = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
        own.add_span_processor(IdsSpanProcessor())
        trace.set_tracer_provider(own)
        provider = trace.get_tracer_provider()
    _join(provider, "add_span_processor", _Spans())


def _join_logs() -> None:
    provider = get_logger_provider()
    if _unset(provider):
        with _switched_on():
            own = LoggerProvider(shutdown_on_exit=False)
        own.add_log_record_processor(IdsLogRecordProcessor())
        set_logger_provider(own)
        provider = get_logger_provider()
    _join(provider, "add_log_record_processor", _Logs())


def _metering() -> MeterProvider:
    provider = metrics.get_meter_provider()
    if _unset(provider):
        with _switched_on():
            own = MeterProvider(shutdown_on_exit=False)
        metrics.set_meter_provider(own)
        provider = metrics.get_meter_provider()
    if not isinstance(provider, MeterProvider):
        raise _unfit(provider)
    return provider


def _join(provider: object, method: str, processor: object) -> None:
    if _joined.get(id(provider)) is provider:
        return
    add = getattr(provider, method, None)
    if not callable(add):
        raise _unfit(provider)
    add(processor)
    _joined[id(provider)] = provider


def _unset(provider: object) -> bool:
    """Return whether it is the API's stand-in for a provider that nobody has set yet."""
    kind = type(provider)
    return kind.__name__.lstrip("_").startswith("Proxy") and kind.__module__.startswith(
        ("opentelemetry.trace", "opentelemetry.metrics", "opentelemetry._logs")
    )


def _unfit(provider: object) -> CaptureError:
    kind = type(provider)
    return CaptureError(
        f"{kind.__module__}.{kind.__qualname__} is set as a provider and takes no processor:"
        " start the test process without it"
    )


@contextlib.contextmanager
def _switched_on() -> Generator[None]:
    """Make providers that record: many test runs switch the SDK off to send nothing."""
    before = os.environ.pop(OTEL_SDK_DISABLED, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[OTEL_SDK_DISABLED] = before


class _Bridge:
    """Hands on what the standard library logs, while something captures and nothing else does."""

    def __init__(self) -> None:
        self._users = 0
        self._undo: contextlib.ExitStack | None = None

    def __enter__(self) -> None:
        with _lock:
            self._users += 1
            if self._users == 1 and not _is_bridged():
                self._undo = contextlib.ExitStack()
                self._undo.callback(_hand_on())
                self._undo.callback(_lower(logging.getLogger(), logging.INFO))

    def __exit__(self, *_: object) -> None:
        with _lock:
            self._users -= 1
            if self._users == 0 and self._undo is not None:
                self._undo.close()
                self._undo = None


_bridge: Final = _Bridge()


def _is_bridged() -> bool:
    """Return whether the distro, or upstream's handler, hands log records on already."""
    handlers = [type(handler) for handler in logging.getLogger().handlers]
    return logging_capture.is_installed() or any(
        kind.__name__ == "LoggingHandler" and kind.__module__.startswith("opentelemetry.")
        for kind in handlers
    )


def _hand_on() -> Callable[[], object]:
    """Hand on every record of every logger, whatever handlers it has; return how to end it."""
    original = logging.Logger.callHandlers

    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        logging_capture.export(record)
        original(self, record)

    def undo() -> None:
        # The service may have set the distro up meanwhile, which stays.
        if logging.Logger.callHandlers is call_handlers:
            _put(original)

    _put(call_handlers)
    return undo


def _put(function: Callable[[logging.Logger, logging.LogRecord], None]) -> None:
    setattr(logging.Logger, "callHandlers", function)  # noqa: B010 (as pyright wants it)


def _lower(logger: logging.Logger, level: int) -> Callable[[], object]:
    """Let a level through, as the distro does; return how to set it back, if nobody else has."""
    before = logger.level
    lowered = min(before, level)
    logger.setLevel(lowered)

    def undo() -> None:
        if logger.level == lowered and not logging_capture.is_installed():
            logger.setLevel(before)

    return undo
