"""Sets everything up by one call, for services that do not start by `opentelemetry-instrument`."""

import os
import threading
from typing import Final

from glasshouse import settings
from glasshouse.installed import entry_points

_lock: Final = threading.Lock()
_configured: Final[list[bool]] = []


def configure(
    *,
    service_name: str | None = None,
    endpoint: str | None = None,
    instrument: bool = True,
    **variables: str,
) -> None:
    """Do what `opentelemetry-instrument` does with this distro, in the running process.

    Call it first, before the libraries that are to be instrumented are used:

    import glasshouse

    glasshouse.configure(service_name="shop", endpoint="http://collector:4318")

    Args:
        service_name: as `OTEL_SERVICE_NAME`.
        endpoint: the Collector's, as `OTEL_EXPORTER_OTLP_ENDPOINT`.
        instrument: whether the installed instrumentations are switched on.
        variables: any other environment variable by its name, such as `LOG_FORMAT="text"`. What is
            given here is put into the environment and wins over what stands there.

    A second call, or one in a process that `opentelemetry-instrument` has started, does nothing.

    Raises:
        ConfigurationError: a setting is unusable; nothing has been set up.
    """
    with _lock:
        if _configured:
            return
        named = {"OTEL_SERVICE_NAME": service_name, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        given = {name: value for name, value in named.items() if value is not None}
        before = dict(os.environ)
        os.environ.update({**given, **variables})
        try:
            settings.prepare(os.environ)
            # The SDK reads variables while it is imported.
            from glasshouse.configurator import GlasshouseConfigurator
            from glasshouse.distro import GlasshouseDistro, announce

            if GlasshouseConfigurator.is_done:
                _restore(before)
                return
            distro = GlasshouseDistro()
            distro.configure()  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped
            GlasshouseConfigurator().set_up()
        except BaseException:
            _restore(before)
            raise
        _configured.append(True)
        if not instrument:
            return
        for entry in entry_points(group="opentelemetry_instrumentor"):
            distro.load_instrumentor(entry)
        announce()


def _restore(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
