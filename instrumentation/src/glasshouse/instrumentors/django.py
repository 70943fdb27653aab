"""Instruments Django when it builds its middleware, not before.

Upstream's instrumentation reads the settings at once. Python has only just started then: the
settings are named later, by `manage.py` or `wsgi.py`, or cannot be imported yet, and upstream
would configure empty ones that the application cannot replace.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from wrapt import wrap_function_wrapper

_logger: Final = logging.getLogger("glasshouse")


def when_middleware_loads(instrumentor: BaseInstrumentor, **options: Any) -> None:
    """Instrument before the first handler of this process reads `MIDDLEWARE`."""

    def load(wrapped: Callable[..., Any], _handler: object, args: Any, kwargs: Any) -> Any:
        if not instrumentor.is_instrumented_by_opentelemetry:
            try:
                instrumentor.instrument(**options)  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped
            except Exception:  # the application starts without telemetry, not at all
                _logger.warning("Django is not instrumented", exc_info=True)
        return wrapped(*args, **kwargs)

    wrap_function_wrapper("django.core.handlers.base", "BaseHandler.load_middleware", load)
