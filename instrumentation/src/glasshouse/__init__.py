"""OpenTelemetry for Python services: correlated, flushed, and mindful of people.

Install the package, set ``OTEL_PYTHON_DISTRO=glasshouse`` and start the service with
``opentelemetry-instrument``. Nothing needs to be imported for that; what is exported here
is for code that emits business events or wants the current request's id.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from glasshouse.asgi import EdgeMiddleware, RequestContextMiddleware
    from glasshouse.context import correlation_id, request_id
    from glasshouse.errors import ConfigurationError, GlasshouseError
    from glasshouse.events import emit_event
    from glasshouse.logs import configure_logging
    from glasshouse.one_call import configure
    from glasshouse.pseudonym import user_pseudonym
    from glasshouse.tracing import traced

__all__ = [
    "ConfigurationError",
    "EdgeMiddleware",
    "GlasshouseError",
    "RequestContextMiddleware",
    "configure",
    "configure_logging",
    "correlation_id",
    "emit_event",
    "request_id",
    "traced",
    "user_pseudonym",
]

# Imported when they are asked for: the SDK reads variables while it is imported, which have to be
# checked first, and not every service has Starlette.
_MODULES: Final = {
    "ConfigurationError": "errors",
    "EdgeMiddleware": "asgi",
    "GlasshouseError": "errors",
    "RequestContextMiddleware": "asgi",
    "configure": "one_call",
    "configure_logging": "logs",
    "correlation_id": "context",
    "emit_event": "events",
    "request_id": "context",
    "traced": "tracing",
    "user_pseudonym": "pseudonym",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
