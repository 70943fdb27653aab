"""Whether FastAPI's telemetry is the code that we know.

`glasshouse.instrumentors.fastapi_requests` does what FastAPI's private code does. A release that
changes this code is left to record by itself, until somebody has compared the two and added its
digest here.
"""

import dataclasses
import importlib
import logging
from collections.abc import Callable
from typing import Any, Final

from glasshouse.instrumentors.known import digest, is_own

# SHA-256 of `fastapi/telemetry/_asgi.py` and of `FastAPI.__call__`, as FastAPI 0.143 to 0.165 have
# them.
KNOWN_TELEMETRY: Final = frozenset(
    {"e9207b062712f4c0c9fd41e371755756fe5723c114355a70d45b33f033ad8c2a"}
)
KNOWN_CALL: Final = frozenset({"98e92d3073419c3690d5cb905213576aaf01b9b8d63bd3eea1945f84cd9001aa"})
_CALL: Final = b"    async def __call__("
_NEXT: Final = b"    def add_api_route("

_logger = logging.getLogger("glasshouse")


def telemetry_module() -> Any:
    """Return FastAPI's module that records requests, if it is known; else ``None``.

    One that records, and is not known, gets a line in the log.
    """
    try:
        applications: Any = importlib.import_module("fastapi.applications")
        module: Any = importlib.import_module("fastapi.telemetry._asgi")
    except ImportError:
        # No FastAPI, or one without telemetry.
        return None
    if _is_known(module, applications):
        return module
    _logger.info(
        "FastAPI %s: requests are recorded by FastAPI itself: its telemetry is not the known one",
        module.__version__,
    )
    return None


def _is_known(module: Any, applications: Any) -> bool:
    return (
        digest(module) in KNOWN_TELEMETRY
        and digest(applications, _CALL, _NEXT) in KNOWN_CALL
        and is_own(module.NativeTelemetry.__call__, module.__name__)
        and is_own(applications.FastAPI.__call__, applications.__name__)
    )


# What makes FastAPI's record of a request: the span, the method in its name, what traces and what
# logs within it, and the path under which the application is mounted.
Make = Callable[[Any, str, Any, Any, str], Any]
_FIELDS: Final = (
    "span",
    "span_method",
    "tracer",
    "logger",
    "route",
    "status_code",
    "data",
    "_mount_prefix",
    "_exceptions",
)
_DATA: Final = ("request", "websocket", "body", "values", "errors")
_new: Final[Callable[[Any], Any]] = object.__new__


def record_maker(telemetry: Any) -> Make:
    """Return what makes a record, without the calls of two constructors where they are known."""
    kind: Any = telemetry._RequestTelemetry
    data: Any = None
    try:
        data = kind.__dataclass_fields__["data"].default_factory
        known = _names(kind) == _FIELDS and _names(data) == _DATA and _keeps_defaults(data, _DATA)
        known = known and _keeps_defaults(kind, ("route", "status_code"))
    except (AttributeError, KeyError, TypeError):
        known = False

    def usual(span: Any, method: str, tracer: Any, logger: Any, prefix: str) -> Any:
        return kind(
            span=span, span_method=method, tracer=tracer, logger=logger, _mount_prefix=prefix
        )

    def quick(span: Any, method: str, tracer: Any, logger: Any, prefix: str) -> Any:
        made = _new(kind)
        made.span = span
        made.span_method = method
        made.tracer = tracer
        made.logger = logger
        made.data = _new(data)
        made._mount_prefix = prefix
        made._exceptions = []
        return made

    return quick if known else usual


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _keeps_defaults(kind: Any, names: tuple[str, ...]) -> bool:
    """Return whether these fields are ``None`` in the class itself, and nothing else is done."""
    own: dict[str, Any] = kind.__dict__
    plain = not ({"__slots__", "__post_init__", "__setattr__"} & own.keys())
    return plain and all(own.get(name, _FIELDS) is None for name in names)
