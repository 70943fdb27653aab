"""What a Celery worker writes and does by itself: no arguments or results, no housekeeping.

The worker's log lines carry a task's arguments and result, in the text or beside it; both are
replaced. Polling the broker, heartbeats and gossip run suppressed: each call would be a trace of
its own. So does sending a task, which has its span. A task's own calls are recorded, and so is what
stores its result.

The spans of tasks are those of OpenTelemetry's instrumentation.
"""

import logging
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, cast

from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.instrumentation.utils import suppress_instrumentation, unwrap
from wrapt import register_post_import_hook, wrap_function_wrapper

from glasshouse.instrumentors.library import require

ARGUMENTS: Final = "[arguments]"
RESULT: Final = "[result]"
_SHOWN_AS: Final = {
    "args": ARGUMENTS,
    "argsrepr": ARGUMENTS,
    "kwargs": ARGUMENTS,
    "kwargsrepr": ARGUMENTS,
    "return_value": RESULT,
}
_LOGGERS: Final = (
    "celery.app.trace",
    "celery.worker.consumer.consumer",
    "celery.worker.request",
    "celery.worker.strategy",
)
# Where the worker's own attribute of a record holds the same again.
_DATA: Final = "data"


class CeleryWorkerInstrumentor(BaseInstrumentor):
    """Keeps arguments, results and housekeeping of a Celery worker out of telemetry."""

    _active = False

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("celery >= 5.3, < 6",)

    def _instrument(self, **kwargs: Any) -> None:
        require("celery", self.instrumentation_dependencies())
        self._active = True
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_without_values)
        for module in _WRAPPERS:
            register_post_import_hook(self._patch, module)

    def _uninstrument(self, **kwargs: Any) -> None:
        self._active = False
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(_without_values)
        for module, (name, _) in _WRAPPERS.items():
            if module in sys.modules:
                owner, _, method = name.rpartition(".")
                found = sys.modules[module]
                unwrap(getattr(found, owner) if owner else found, method)

    def _patch(self, module: Any) -> None:
        if self._active:
            name, wrapper = _WRAPPERS[module.__name__]
            wrap_function_wrapper(module, name, wrapper)


def _without_values(record: logging.LogRecord) -> bool:
    """Replace arguments and results in what a record is made of; keep every record."""
    args: Any = record.args
    if isinstance(args, tuple):
        record.args = tuple(_replaced(one) for one in cast("tuple[Any, ...]", args))
    else:
        record.args = _replaced(args)
    fields = vars(record)
    if _DATA in fields:
        fields[_DATA] = _replaced(fields[_DATA])
    return True


def _replaced(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    members = cast("Mapping[Any, Any]", value)
    return {key: _SHOWN_AS.get(key, item) for key, item in members.items()}


def _without_body(_dump: Callable[..., str], _none: Any, args: Any, kwargs: Any) -> str:
    """Stand in for the dump of a message that the worker cannot use."""
    return ARGUMENTS


def _suppressed(wrapped: Callable[..., Any], _none: Any, args: Any, kwargs: Any) -> Any:
    # A task runs in the context that came with it, not in this one.
    with suppress_instrumentation():
        return wrapped(*args, **kwargs)


_WRAPPERS: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "celery.worker.worker": ("WorkController.start", _suppressed),
    "celery.worker.consumer.consumer": ("dump_body", _without_body),
    "kombu.messaging": ("Producer.publish", _suppressed),
}
