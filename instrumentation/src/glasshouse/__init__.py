"""OpenTelemetry for Python services: correlated, flushed, and mindful of people.

Install the package, set ``OTEL_PYTHON_DISTRO=glasshouse`` and start the service with
``opentelemetry-instrument``. Nothing needs to be imported for that; what is exported here
is for code that emits business events or wants the current request's id.
"""

from glasshouse.asgi import RequestContextMiddleware
from glasshouse.configure import configure
from glasshouse.context import correlation_id, request_id
from glasshouse.errors import ConfigurationError, GlasshouseError
from glasshouse.events import emit_event
from glasshouse.logs import configure_logging
from glasshouse.pseudonym import user_pseudonym
from glasshouse.tracing import traced

__all__ = [
    "ConfigurationError",
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
