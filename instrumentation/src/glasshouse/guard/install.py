"""Puts the guard where the SDK takes in processors and readers. For the whole process, once."""

import functools
import threading
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.sdk._logs._internal import (
    ConcurrentMultiLogRecordProcessor,
    SynchronousMultiLogRecordProcessor,
)
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    SynchronousMultiSpanProcessor,
)
from wrapt import wrap_function_wrapper

from glasshouse.guard.endpoints import is_second
from glasshouse.guard.logs import LogGuard
from glasshouse.guard.spans import SpanGuard
from glasshouse.guard.trusted import Trusted
from glasshouse.redaction.process import telemetry_redactor

_lock: Final = threading.Lock()
_installed: Final[list[bool]] = []

Call = Callable[..., Any]


def install() -> None:
    """Guard every provider of this process, also those that are made later."""
    with _lock:
        if _installed:
            return
        _installed.append(True)
    for kind in (SynchronousMultiSpanProcessor, ConcurrentMultiSpanProcessor):
        wrap_function_wrapper(kind, "add_span_processor", _add_span_processor)
    for kind in (SynchronousMultiLogRecordProcessor, ConcurrentMultiLogRecordProcessor):
        wrap_function_wrapper(kind, "add_log_record_processor", _add_log_record_processor)
    wrap_function_wrapper(MetricReader, "_set_collect_callback", _set_collect_callback)


def _only(args: Any, kwargs: dict[str, Any]) -> Any:
    return args[0] if args else next(iter(kwargs.values()))


def _add_span_processor(add: Call, owner: Any, args: Any, kwargs: dict[str, Any]) -> None:
    processor = _only(args, kwargs)
    if isinstance(processor, Trusted | SpanGuard):
        add(processor)
    elif not is_second(owner, processor):
        add(SpanGuard(processor))


def _add_log_record_processor(add: Call, owner: Any, args: Any, kwargs: dict[str, Any]) -> None:
    processor = _only(args, kwargs)
    if isinstance(processor, Trusted | LogGuard):
        add(processor)
    elif not is_second(owner, processor):
        add(LogGuard(processor))


def _set_collect_callback(put: Call, reader: Any, args: Any, kwargs: dict[str, Any]) -> None:
    collect = _only(args, kwargs)
    if collect is None:
        put(None)
    elif is_second(getattr(collect, "__self__", reader), reader):
        put(_nothing)
    else:
        put(functools.partial(_redacted, collect))


def _redacted(collect: Call, *args: Any, **kwargs: Any) -> MetricsData | None:
    found = collect(*args, **kwargs)
    return found if found is None else telemetry_redactor().metrics(found)


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    return None
