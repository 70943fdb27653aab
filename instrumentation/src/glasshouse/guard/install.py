"""Puts the guard where the SDK takes in processors and readers. For the whole process, once."""

import functools
import threading
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.instrumentation.utils import unwrap
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
    """Guard every provider of this process, also those that are made later. Safe to call twice."""
    with _lock:
        if not _installed:
            _installed.append(True)
            for kind, name, wrapper in _PLACES:
                wrap_function_wrapper(kind, name, wrapper)


def uninstall() -> None:
    """Guard no part that is added from now on; those that were added stay guarded."""
    with _lock:
        if _installed:
            _installed.clear()
            for kind, name, _ in _PLACES:
                unwrap(kind, name)


def _only(args: Any, kwargs: dict[str, Any]) -> Any:
    return args[0] if args else next(iter(kwargs.values()))


def _guarding(guard: type[SpanGuard] | type[LogGuard]) -> Call:
    """Return what puts ``guard`` before each processor that is added."""

    def wrapper(add: Call, owner: Any, args: Any, kwargs: dict[str, Any]) -> None:
        processor = _only(args, kwargs)
        if isinstance(processor, Trusted | guard):
            add(processor)
        elif not is_second(owner, processor):
            add(guard(processor))

    return wrapper


def _guard_reader(put: Call, reader: Any, args: Any, kwargs: dict[str, Any]) -> None:
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


_PLACES: Final[tuple[tuple[type, str, Call], ...]] = (
    (SynchronousMultiSpanProcessor, "add_span_processor", _guarding(SpanGuard)),
    (ConcurrentMultiSpanProcessor, "add_span_processor", _guarding(SpanGuard)),
    (SynchronousMultiLogRecordProcessor, "add_log_record_processor", _guarding(LogGuard)),
    (ConcurrentMultiLogRecordProcessor, "add_log_record_processor", _guarding(LogGuard)),
    (MetricReader, "_set_collect_callback", _guard_reader),
)
