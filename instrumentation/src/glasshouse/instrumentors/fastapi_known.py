"""Whether FastAPI's telemetry is the code that we know.

`glasshouse.instrumentors.fastapi_requests` does what FastAPI's private code does. A release that
changes this code is left to record by itself, until somebody has compared the two and added its
digest here.
"""

import hashlib
import importlib
import logging
from pathlib import Path
from typing import Any, Final

# SHA-256 of `fastapi/telemetry/_asgi.py` and of `FastAPI.__call__`, as FastAPI 0.143 to 0.165 have
# them.
KNOWN_TELEMETRY: Final = frozenset(
    {"e9207b062712f4c0c9fd41e371755756fe5723c114355a70d45b33f033ad8c2a"}
)
KNOWN_CALL: Final = frozenset({"98e92d3073419c3690d5cb905213576aaf01b9b8d63bd3eea1945f84cd9001aa"})
_CALL: Final = b"    async def __call__("
_NEXT: Final = b"\n    def "

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
    try:
        telemetry = Path(str(module.__file__)).read_bytes()
        call = _call(Path(str(applications.__file__)).read_bytes())
    except OSError:
        # Installed without its source.
        return False
    return (
        _digest(telemetry) in KNOWN_TELEMETRY
        and _digest(call) in KNOWN_CALL
        and _is_own(module.NativeTelemetry.__call__, module.__name__)
        and _is_own(applications.FastAPI.__call__, applications.__name__)
    )


def _call(source: bytes) -> bytes:
    start = source.find(_CALL)
    return source[start : source.find(_NEXT, start) + 1]


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def _is_own(function: Any, module: str) -> bool:
    """Return whether nobody has put another function in its place."""
    code = getattr(function, "__code__", None)
    return (
        code is not None
        and not hasattr(function, "__wrapped__")
        and getattr(function, "__globals__", {}).get("__name__") == module
    )
