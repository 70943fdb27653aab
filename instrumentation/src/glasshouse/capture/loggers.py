"""Hands translated records to the SDK at little cost.

The SDK looks its logger up for each record, and copies all attributes to bound and clean them.
Here loggers are remembered, and attributes that no bound touches are handed over as they are.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from opentelemetry._logs import (
    LoggerProvider,
    NoOpLogger,
    get_logger,
    get_logger_provider,
)
from opentelemetry._logs._internal import ProxyLogger
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs import ReadWriteLogRecord

from glasshouse.capture.translate import Said, said, translate

# Names come from code, so they are few; some libraries name one for each connection.
_MOST_REMEMBERED: Final = 1024
_LIMITS: Final = "_log_record_limits"


class Way(Protocol):
    """A way around the SDK's parts, which does as they do.

    is_open: whether it can be taken.
    """

    is_open: bool

    def is_current(self) -> bool:
        """Return whether the SDK's parts still are those that it was made for."""
        ...

    def put(self, record: logging.LogRecord, given: Said) -> None:
        """Queue a record, unless its logger is switched off."""
        ...


# What makes the way of a logger; at most one.
shortcuts: Final[list[Callable[[Any], Way]]] = []


class _Known(NamedTuple):
    """A logger, and how many attributes it takes as they are."""

    logger: Any
    limits: Any
    most: int
    way: Way | None


class _Remembered:
    """The loggers of one provider."""

    def __init__(self, provider: LoggerProvider | None) -> None:
        self.provider = provider
        self.loggers: dict[str, _Known] = {}


_of_provider: list[_Remembered] = [_Remembered(None)]


def emit(name: str, record: logging.LogRecord, *, with_code: bool) -> None:
    """Emit a record by the logger of this name, if the process has a provider."""
    provider = get_logger_provider()
    remembered = _of_provider[0]
    if remembered.provider is not provider:
        remembered = _Remembered(provider)
        # Others' loggers may be stand-ins for those that a later provider makes.
        if isinstance(provider, SdkLoggerProvider):
            _of_provider[0] = remembered
    known = remembered.loggers.get(name)
    if known is None or (known.way is not None and not known.way.is_current()):
        known = _look_up(name)
        if len(remembered.loggers) >= _MOST_REMEMBERED:
            remembered.loggers = {}
        remembered.loggers[name] = known
    logger, limits, most, way = known
    if logger is None:
        return
    given = said(record, with_code=with_code)
    fits = given.is_plain and len(given.attributes) <= most
    if fits and way is not None and way.is_open:
        way.put(record, given)
        return
    log = translate(record, given)
    if not fits:
        logger.emit(log)
        return
    # Not by the constructor, which copies the attributes.
    made = ReadWriteLogRecord.__new__(ReadWriteLogRecord)
    vars(made).update(
        log_record=log,
        resource=logger.resource,
        instrumentation_scope=logger.instrumentation_scope,
        limits=limits,
    )
    logger.emit(made)


def _look_up(name: str) -> _Known:
    logger: Any = get_logger(name)
    if isinstance(logger, NoOpLogger | ProxyLogger):
        return _Known(None, None, -1, None)
    limits = getattr(logger, _LIMITS, None)
    if limits is None or limits.max_log_record_attribute_length is not None:
        return _Known(logger, limits, -1, None)
    most = limits.max_log_record_attributes
    way = shortcuts[0](logger) if shortcuts else None
    return _Known(logger, limits, 1 << 30 if most is None else most, way)
