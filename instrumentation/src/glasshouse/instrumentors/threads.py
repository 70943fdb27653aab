"""Carries the context into threads, executors and thread pools.

In place of upstream's instrumentation, which misses threads with a `run` of their own,
`multiprocessing.pool.ThreadPool` and the callbacks of futures, and leaves each thread of an
executor in the context of the call that happened to start it.
"""

import sys
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.instrumentation.utils import unwrap
from wrapt import register_post_import_hook, wrap_function_wrapper

# Imported by few services, and it brings much along.
_POOLS: Final = "multiprocessing.pool"
# Their first argument is called on another thread; so are those of these names and places.
_POOL_METHODS: Final = (
    "apply_async",
    "imap",
    "imap_unordered",
    "map",
    "map_async",
    "starmap",
    "starmap_async",
)
_CALLBACK_NAMES: Final = frozenset({"func", "callback", "error_callback"})
_CALLBACK_PLACES: Final = frozenset({0, 3, 4})


def carrying(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``call``, to run in the context that is current now."""
    context = otel_context.get_current()

    def run(*args: Any, **kwargs: Any) -> Any:
        token = otel_context.attach(context)
        try:
            return call(*args, **kwargs)
        finally:
            otel_context.detach(token)

    return run


def _start(start: Callable[..., Any], thread: Thread, args: Any, kwargs: Any) -> Any:
    if not otel_context.get_current():
        return start(*args, **kwargs)
    own = vars(thread).get("run")
    run = carrying(thread.run)

    def restore() -> None:
        if own is None:
            vars(thread).pop("run", None)
        else:
            vars(thread)["run"] = own

    def run_once() -> None:
        restore()
        run()

    vars(thread)["run"] = run_once
    try:
        return start(*args, **kwargs)
    except BaseException:
        restore()
        raise


def _submit(submit: Callable[..., Any], _executor: object, args: Any, kwargs: Any) -> Any:
    if not args:
        return submit(*args, **kwargs)  # it raises
    call = carrying(args[0])
    # A thread that is started now serves other calls later.
    token = otel_context.attach(Context())
    try:
        return submit(call, *args[1:], **kwargs)
    finally:
        otel_context.detach(token)


def _add_callback(add: Callable[..., Any], _future: object, args: Any, kwargs: Any) -> Any:
    if args:
        return add(carrying(args[0]), *args[1:], **kwargs)
    return add(**{name: carrying(value) for name, value in kwargs.items()})


def _pool(method: Callable[..., Any], _pool: object, args: Any, kwargs: Any) -> Any:
    places = (
        carrying(value) if place in _CALLBACK_PLACES and callable(value) else value
        for place, value in enumerate(args)
    )
    names = {
        name: carrying(value) if name in _CALLBACK_NAMES and callable(value) else value
        for name, value in kwargs.items()
    }
    return method(*places, **names)


class ThreadsInstrumentor(BaseInstrumentor):
    """A request's ids and trace, in whatever runs it on another thread."""

    _active = False
    _awaits_pools = False

    def instrumentation_dependencies(self) -> Collection[str]:
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        wrap_function_wrapper(Thread, "start", _start)
        wrap_function_wrapper(ThreadPoolExecutor, "submit", _submit)
        wrap_function_wrapper(Future, "add_done_callback", _add_callback)
        self._active = True
        if _POOLS in sys.modules:
            self._wrap_pools(sys.modules[_POOLS])
        elif not self._awaits_pools:
            self._awaits_pools = True
            register_post_import_hook(self._wrap_pools, _POOLS)

    def _uninstrument(self, **kwargs: Any) -> None:
        unwrap(Thread, "start")
        unwrap(ThreadPoolExecutor, "submit")
        unwrap(Future, "add_done_callback")
        self._active = False
        if _POOLS in sys.modules:
            for method in _POOL_METHODS:
                unwrap(sys.modules[_POOLS].ThreadPool, method)

    def _wrap_pools(self, module: Any) -> None:
        if self._active:
            for method in _POOL_METHODS:
                wrap_function_wrapper(module.ThreadPool, method, _pool)
