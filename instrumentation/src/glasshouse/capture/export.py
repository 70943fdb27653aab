"""Sends records of the standard library over OTLP. Never raises, never waits."""

import contextvars
import logging
import os
import threading
from typing import Final

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from glasshouse.capture.counting import count_lost
from glasshouse.capture.loggers import emit
from glasshouse.capture.talkative import is_talkative
from glasshouse.capture.translate import level_of

_LEVEL: Final = "OTEL_PYTHON_LOG_HANDLER_LEVEL"
_CODE: Final = "OTEL_PYTHON_LOG_CODE_ATTRIBUTES"
# What an export logs would be exported in turn, and so on: at DEBUG each request of a client, and
# at WARNING the failure of one, for as long as the Collector is unavailable.
_OF_THE_SDK: Final = "opentelemetry"
_CLIENTS: Final = ("charset_normalizer", "grpc", "httpcore", "httpx", "requests", "urllib3")
_THREADS: Final = ("Otel", "glasshouse")
# Set while a record is on its way, because what the SDK says about it is a record, too.
_busy: Final = contextvars.ContextVar("glasshouse.capture", default=False)


def _is_about_an_export(name: str) -> bool:
    library = name.partition(".")[0]
    if library == _OF_THE_SDK:
        return True
    # Applications suppress instrumentation, too; what they log then is theirs.
    return (
        library in _CLIENTS or threading.current_thread().name.startswith(_THREADS)
    ) and not is_instrumentation_enabled()


def _was_exported_elsewhere(record: logging.LogRecord) -> bool:
    """Return whether a child of this process made the record and handed it over to be written."""
    return record.process not in (None, os.getpid()) and record.processName != "MainProcess"


class _Settings:
    """What OpenTelemetry's variables say about logs."""

    def __init__(self) -> None:
        level = logging.getLevelNamesMapping().get(os.environ.get(_LEVEL, "notset").strip().upper())
        self.level = level or logging.NOTSET
        self.with_code = os.environ.get(_CODE, "false").strip().lower() == "true"


_settings: Final = _Settings()


def export(record: logging.LogRecord) -> None:
    """Hand a record to the logger provider, unless it is about an export itself."""
    if _busy.get():
        return
    token = _busy.set(True)
    try:
        name = str(record.name)
        if not _is_wanted(name, record):
            return
        emit(name, record, with_code=_settings.with_code)
    except Exception:  # noqa: BLE001 (a log call never raises into the application)
        count_lost()
    finally:
        _busy.reset(token)


def _is_wanted(name: str, record: logging.LogRecord) -> bool:
    level = level_of(record)
    return (
        level >= _settings.level
        and not (level < logging.WARNING and is_talkative(name))
        and not _is_about_an_export(name)
        and not _was_exported_elsewhere(record)
    )
