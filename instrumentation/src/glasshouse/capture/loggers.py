"""Hands translated records to the SDK at little cost.

The SDK looks its logger up for each record, and copies all attributes to bound and clean them.
Here loggers are remembered, and attributes that no bound touches are handed over as they are.
"""

from collections.abc import Callable
from typing import Any, Final

from opentelemetry._logs import (
    LoggerProvider,
    LogRecord,
    NoOpLogger,
    get_logger,
    get_logger_provider,
)
from opentelemetry._logs._internal import ProxyLogger
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs import ReadWriteLogRecord

# Names come from code, so they are few; some libraries name one for each connection.
_MOST_REMEMBERED: Final = 1024
_LIMITS: Final = "_log_record_limits"
# What the SDK takes into its attributes without a change.
_KEPT: Final = frozenset((str, int, float, bool, bytes, type(None)))


class _Remembered:
    """The loggers of one provider, and how many attributes each takes as they are."""

    def __init__(self, provider: LoggerProvider | None) -> None:
        self.provider = provider
        self.loggers: dict[str, tuple[Any, Any, int]] = {}


_of_provider: list[_Remembered] = [_Remembered(None)]


def emit(name: str, translated: Callable[[], LogRecord]) -> None:
    """Emit a record by the logger of this name, if the process has a provider."""
    provider = get_logger_provider()
    remembered = _of_provider[0]
    if remembered.provider is not provider:
        remembered = _Remembered(provider)
        # Others' loggers may be stand-ins for those that a later provider makes.
        if isinstance(provider, SdkLoggerProvider):
            _of_provider[0] = remembered
    known = remembered.loggers.get(name)
    if known is None:
        known = _look_up(name)
        if len(remembered.loggers) >= _MOST_REMEMBERED:
            remembered.loggers = {}
        remembered.loggers[name] = known
    logger, limits, most = known
    if logger is None:
        return
    log = translated()
    attributes: Any = log.attributes
    if len(attributes) <= most and all(type(one) in _KEPT for one in attributes.values()):
        # Not by the constructor, which copies the attributes.
        made = ReadWriteLogRecord.__new__(ReadWriteLogRecord)
        vars(made).update(
            log_record=log,
            resource=logger.resource,
            instrumentation_scope=logger.instrumentation_scope,
            limits=limits,
        )
        logger.emit(made)
    else:
        logger.emit(log)


def _look_up(name: str) -> tuple[Any, Any, int]:
    logger: Any = get_logger(name)
    if isinstance(logger, NoOpLogger | ProxyLogger):
        return None, None, -1
    limits = getattr(logger, _LIMITS, None)
    if limits is None or limits.max_log_record_attribute_length is not None:
        return logger, limits, -1
    most = limits.max_log_record_attributes
    return logger, limits, 1 << 30 if most is None else most
