"""Exceptions that the standard library would print by itself, past `logging`.

A child of `multiprocessing` (and of billiard, Celery's copy of it) that ends by an exception prints
its traceback, and so do the servers of `socketserver` and `wsgiref` for a request that fails. Here
they become log records: exported, and redacted on the console. How the process ends stays the same.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.instrumentation.utils import unwrap
from wrapt import register_post_import_hook, wrap_function_wrapper

_logger: Final = logging.getLogger("glasshouse.uncaught")


_installed: Final[list[bool]] = []


def install() -> None:
    """Send through `logging` what the standard library prints of exceptions. Safe to call twice."""
    if not _installed:
        _installed.append(True)
        for module in _WRAPPERS:
            register_post_import_hook(_patch, module)


def uninstall() -> None:
    """Let the standard library print again."""
    _installed.clear()
    for module, (owner, method, _) in _WRAPPERS.items():
        if module in sys.modules:
            unwrap(getattr(sys.modules[module], owner), method)


def _patch(module: Any) -> None:
    if _installed:
        owner, method, wrapper = _WRAPPERS[module.__name__]
        wrap_function_wrapper(module, f"{owner}.{method}", wrapper)


def _child(bootstrap: Callable[..., int], process: Any, args: Any, kwargs: Any) -> int:
    run = process.run

    def run_logged() -> None:
        try:
            run()
        except Exception:
            _logger.exception("Uncaught exception in %s", process.name)
            # As without us: the code of a child that failed.
            raise SystemExit(1) from None

    process.run = run_logged
    return bootstrap(*args, **kwargs)


def _request(_handle: Callable[..., None], _server: Any, _args: Any, _kwargs: Any) -> None:
    _logger.error("Uncaught exception in a request", exc_info=True)


_WRAPPERS: Final[dict[str, tuple[str, str, Callable[..., Any]]]] = {
    "multiprocessing.process": ("BaseProcess", "_bootstrap", _child),
    "billiard.process": ("BaseProcess", "_bootstrap", _child),
    "socketserver": ("BaseServer", "handle_error", _request),
    "wsgiref.handlers": ("BaseHandler", "log_exception", _request),
}
