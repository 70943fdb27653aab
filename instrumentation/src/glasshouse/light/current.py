"""A span for the length of a ``with`` block, or of a decorated function."""

import contextlib
import functools
import inspect
from types import TracebackType
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.trace.propagation import _SPAN_KEY  # pyright: ignore[reportPrivateUsage]

from glasshouse.runtime_context import attach, detach, get_current

# The class of contexts refuses to be changed, and this one is not shared yet.
_put: Final = dict[str, object].__setitem__


class CurrentSpan(contextlib.ContextDecorator):
    """What `Tracer.start_as_current_span` returns."""

    def __init__(
        self,
        tracer: Any,
        given: tuple[Any, ...],
        record_exception: bool,
        set_status_on_exception: bool,
        end_on_exit: bool,
    ) -> None:
        self._tracer = tracer
        self._given = given
        self._record = record_exception
        self._set_status = set_status_on_exception
        self._end = end_on_exit

    def _recreate_cm(self) -> "CurrentSpan":
        return CurrentSpan(self._tracer, self._given, self._record, self._set_status, self._end)

    def __enter__(self) -> Span:
        span = self._tracer.start_span(*self._given, self._record, self._set_status)
        context = Context(get_current())
        _put(context, _SPAN_KEY, span)
        self._span = span
        self._token = attach(context)
        return span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        detach(self._token)
        span = self._span
        try:
            # Others, such as a cancelled task, are no errors.
            if isinstance(error, Exception) and isinstance(span, Span) and span.is_recording():
                if self._record:
                    span.record_exception(error)
                if self._set_status:
                    text = f"{type(error).__name__}: {error}"
                    span.set_status(Status(StatusCode.ERROR, text))
        finally:
            if self._end:
                span.end()

    def __call__(self, func: Any) -> Any:
        if not inspect.iscoroutinefunction(func):
            return super().__call__(func)

        @functools.wraps(func)
        async def run(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await func(*args, **kwargs)

        return run
