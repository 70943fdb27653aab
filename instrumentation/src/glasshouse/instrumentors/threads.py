"""Carries the context into what upstream's instrumentation of threads leaves out.

Upstream wraps `Thread.run`, so a class with a `run` of its own starts without context. It leaves
out `multiprocessing.pool.ThreadPool` and the callbacks of futures, which would run in the context
of whichever call first started their thread.
"""

from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.pool import ThreadPool
from threading import Thread, Timer
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import unwrap
from wrapt import wrap_function_wrapper

_POOL_METHODS: Final = (
    "apply_async",
    "imap",
    "imap_unordered",
    "map",
    "map_async",
    "starmap",
    "starmap_async",
)


def carrying(call: Callable[..., Any], context: Context | None = None) -> Callable[..., Any]:
    """Return ``call``, to run in ``context``, by default in the one that is current now."""
    wanted = otel_context.get_current() if context is None else context

    def run(*args: Any, **kwargs: Any) -> Any:
        token = otel_context.attach(wanted)
        try:
            return call(*args, **kwargs)
        finally:
            otel_context.detach(token)

    return run


def _start(start: Callable[..., Any], thread: Thread, args: Any, kwargs: Any) -> Any:
    if "run" in vars(thread) or type(thread).run.__qualname__ not in ("Thread.run", "Timer.run"):
        thread.run = carrying(thread.run)
    return start(*args, **kwargs)


def _call_first(method: Callable[..., Any], _owner: object, args: Any, kwargs: Any) -> Any:
    """Run ``method`` with each function that it is given carrying the context."""
    named = {name: carrying(value) if callable(value) else value for name, value in kwargs.items()}
    return method(*(carrying(value) if callable(value) else value for value in args), **named)


def instrument_threads() -> None:
    """Fill the gaps. Safe to call once, after upstream's instrumentation is on."""
    # Upstream's wrapper of the timer calls the thread's as it was before.
    for cls in (Thread, Timer):
        wrap_function_wrapper(cls, "start", _start)
    wrap_function_wrapper(Future, "add_done_callback", _call_first)
    for method in _POOL_METHODS:
        wrap_function_wrapper(ThreadPool, method, _call_first)


def uninstrument_threads() -> None:
    """Leave the gaps open again."""
    for cls in (Thread, Timer):
        unwrap(cls, "start")
    unwrap(Future, "add_done_callback")
    for method in _POOL_METHODS:
        unwrap(ThreadPool, method)
