"""Whether FastAPI's telemetry is the code that we know.

`glasshouse.instrumentors.fastapi_requests` does what FastAPI's private code does. A release that
changes this code is left to record by itself, until somebody has compared the two and added its
digest here.
"""

import importlib
import logging
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
