"""Where `opentelemetry-instrument` enters: the variables are checked before the SDK is imported.

Parts of the SDK read variables while they are imported, and an exception there would leave the
service running without telemetry.
"""

import os
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, NoReturn

from glasshouse.errors import ConfigurationError

if TYPE_CHECKING:
    from glasshouse.configurator import GlasshouseConfigurator
    from glasshouse.distro import GlasshouseDistro


def distro() -> "GlasshouseDistro":
    """Make the distro that ``OTEL_PYTHON_DISTRO=glasshouse`` selects, or end the process."""
    _prepare()
    from glasshouse.distro import GlasshouseDistro

    return GlasshouseDistro()


def configurator() -> "GlasshouseConfigurator":
    """Make the configurator ``glasshouse``, or end the process."""
    _prepare()
    from glasshouse.configurator import GlasshouseConfigurator

    return GlasshouseConfigurator()


def check_distro() -> None:
    """Refuse a distro that is not installed: upstream would go on with one that does nothing."""
    from glasshouse import settings

    name = "OTEL_PYTHON_DISTRO"
    try:
        settings.check({name: os.environ.get(name, "")})
    except ConfigurationError as error:
        end(error)


def before_imports() -> None:
    """Check what upstream reads while it is imported. Runs in every interpreter, as a .pth file.

    Does nothing but in a process that `opentelemetry-instrument` is or has started.
    """
    launcher = any(PurePath(word).name == "opentelemetry-instrument" for word in sys.orig_argv[:3])
    if not launcher and "auto_instrumentation" not in os.environ.get("PYTHONPATH", ""):
        return
    # Only here: it costs other programs' start nothing.
    from glasshouse import settings

    try:
        settings.check_early(os.environ)
    except ConfigurationError as error:
        end(error)


def end(error: ConfigurationError) -> NoReturn:
    """End the process with one line and exit code 2.

    This runs while Python imports `site`: an exception would be logged and the service run on
    without telemetry, and SystemExit would print the interpreter's whole state.
    """
    sys.stderr.write(f"glasshouse: {error}\n")
    sys.stderr.flush()
    os._exit(2)


def _prepare() -> None:
    from glasshouse import settings

    try:
        settings.prepare(os.environ)
    except ConfigurationError as error:
        end(error)
