"""The path and the query of a request, which some servers name only in WSGI's own way.

Upstream takes both from `RAW_URI` or `REQUEST_URI`, which gunicorn and uWSGI add. With the stable
names it records neither under servers that add none, such as Python's own, on which Django's
`runserver` builds.
"""

from collections.abc import Callable
from typing import Any, Final

from wrapt import wrap_function_wrapper

_ADDED: Final = ("RAW_URI", "REQUEST_URI")
_ATTRIBUTES: Final = "collect_request_attributes"


def record_paths(module: str = "opentelemetry.instrumentation.wsgi", prefix: str = "") -> None:
    """Record them under every server, where ``module`` reads them."""
    wrap_function_wrapper(module, prefix + _ATTRIBUTES, _with_target)


def record_django_paths() -> None:
    """Do so for Django, whose instrumentation has that function by a name of its own."""
    record_paths("opentelemetry.instrumentation.django.middleware.otel_middleware", "wsgi_")


def _with_target(wrapped: Callable[..., Any], _instance: object, args: Any, kwargs: Any) -> Any:
    environ, *rest = args
    if not any(environ.get(name) for name in _ADDED):
        # A copy: what the application gets stays as it was. Upstream reads only that it is there.
        environ = {**environ, "REQUEST_URI": environ.get("PATH_INFO") or "/"}
    return wrapped(environ, *rest, **kwargs)
