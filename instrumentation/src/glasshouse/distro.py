"""The OpenTelemetry distro: defaults, and which instrumentations may run."""

import logging
import os
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from opentelemetry.distro import OpenTelemetryDistro
from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

from glasshouse.errors import ConfigurationError
from glasshouse.propagation import hosts_from

ALLOWED_VARIABLE: Final = "GLASSHOUSE_INSTRUMENTATIONS"
ALLOWED_BY_DEFAULT: Final = ("httpx", "logging", "procrastinate", "psycopg", "request_context")

DEFAULTS: Final = {
    # By name, because opentelemetry-distro brings a configurator of its own.
    "OTEL_PYTHON_CONFIGURATOR": "glasshouse",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    # Seconds. The default of 10 is what delays the exit when the Collector is dead.
    "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
    # The stable names; the contrib packages still default to the old ones.
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    # Milliseconds. A span or log is on its way within half a second.
    "OTEL_BSP_SCHEDULE_DELAY": "500",
    "OTEL_BLRP_SCHEDULE_DELAY": "500",
    # `glasshouse.capture` exports what is logged, once.
    "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false",
    # The providers are set up; FastAPI would add a second exporter to each.
    "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
}

# FastAPI records its requests itself; a second layer would count each of them twice.
_NATIVE: Final = {"fastapi": "FastAPI has its own", "asgi": "FastAPI has its own"}

_logger = logging.getLogger("glasshouse")
# It warns about each configurator and package that is not used; the start-up line says that.
_LOADER: Final = "opentelemetry.instrumentation.auto_instrumentation._load"


class GlasshouseDistro(OpenTelemetryDistro):
    """The distro that ``OTEL_PYTHON_DISTRO=glasshouse`` selects.

    ``GLASSHOUSE_INSTRUMENTATIONS`` (names with commas) replaces the list of allowed
    instrumentations. What is installed but not on it stays off: an instrumentation decides
    what leaves the process, so each one is let in by name.
    """

    active: Final[list[str]] = []

    def _configure(self, **kwargs: Any) -> None:
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        logging.getLogger(_LOADER).setLevel(logging.ERROR)
        super()._configure(**kwargs)  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # upstream has its own alias of EntryPoint
        """Activate one instrumentation, if it is allowed."""
        if entry_point.name not in allowed():
            return
        super().load_instrumentor(entry_point, **kwargs)  # pyright: ignore[reportUnknownMemberType]  # as above
        self.active.append(entry_point.name)


def allowed() -> tuple[str, ...]:
    """Return the names of the instrumentations that may run."""
    names = os.environ.get(ALLOWED_VARIABLE)
    if names is None:
        return ALLOWED_BY_DEFAULT
    return tuple(name.strip() for name in names.split(",") if name.strip())


def check_allowed() -> None:
    """Refuse a name in ``GLASSHOUSE_INSTRUMENTATIONS`` that no installed package provides.

    Raises:
        ConfigurationError: names the unknown ones and those there are.
    """
    known = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")}
    unknown = sorted(set(allowed()) - known) if ALLOWED_VARIABLE in os.environ else []
    if unknown:
        message = f"{ALLOWED_VARIABLE}: no such instrumentation: {', '.join(unknown)}"
        raise ConfigurationError(f"{message}; installed are {', '.join(sorted(known))}")


def announce() -> None:
    """Write the one start-up line: what records, what does not, and why."""
    skipped: list[str] = []
    for entry in sorted(entry_points(group="opentelemetry_instrumentor"), key=lambda e: e.name):
        if entry.name in GlasshouseDistro.active:
            continue
        skipped.append(f"{entry.name} ({_why_skipped(entry)})")
    _logger.info(
        "Telemetry started",
        extra={
            "instrumentations.active": sorted(GlasshouseDistro.active),
            "instrumentations.skipped": skipped,
            "propagation.hosts": list(hosts_from().names),
        },
    )


def _why_skipped(entry: EntryPoint) -> str:
    if entry.name in _NATIVE:
        return _NATIVE[entry.name]
    if entry.name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(","):
        return "disabled by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
    if entry.name not in allowed():
        return "not on the allow-list"
    conflict = entry.dist and get_dist_dependency_conflicts(entry.dist)
    if conflict:
        return f"wants {conflict.required}, found {conflict.found or 'nothing'}"
    return "its library is not installed"
