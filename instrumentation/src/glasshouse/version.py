"""The version of the service that this process runs: `service.version`.

`OTEL_RESOURCE_ATTRIBUTES` wins where it has one. Else it is the version of the installed
distribution that the command belongs to, or of the one that ``GLASSHOUSE_SERVICE_PACKAGE`` names.
A service that runs from bare files has none.
"""

import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import (
    PackageNotFoundError,
    distributions,
    packages_distributions,
    version,
)
from importlib.util import find_spec
from pathlib import PurePath
from typing import Final

from glasshouse.errors import ConfigurationError
from glasshouse.installed import entry_points

PACKAGE_VARIABLE: Final = "GLASSHOUSE_SERVICE_PACKAGE"
ATTRIBUTE: Final = "service.version"

_APPLICATION: Final = re.compile(r"([A-Za-z_]\w*)(\.\w+)*:\w+(\.\w+)*(\(\))?")
# They run somebody else's code: their own version would be a wrong one.
_LAUNCHERS: Final = frozenset(
    {
        "celery",
        "coverage",
        "daphne",
        "debugpy",
        "django",
        "fastapi",
        "flask",
        "granian",
        "gunicorn",
        "hypercorn",
        "opentelemetry-instrument",
        "pytest",
        "uvicorn",
        "uwsgi",
    }
)


def service_version(command: Sequence[str] | None = None) -> str | None:
    """Return the version to set; ``None`` where it is set already, or not known.

    Args:
        command: as the interpreter got it; by default this process's own.

    Raises:
        ConfigurationError: ``GLASSHOUSE_SERVICE_PACKAGE`` names nothing that is installed.
    """
    if ATTRIBUTE in _names(os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")):
        return None
    named = os.environ.get(PACKAGE_VARIABLE)
    if named:
        try:
            return version(named)
        except PackageNotFoundError:
            message = f"{PACKAGE_VARIABLE}: no such package is installed: {named}"
            raise ConfigurationError(f"{message}; write the name that `pip list` shows") from None
    # sys.argv is not there yet while Python imports `site`.
    return _version_of(sys.orig_argv if command is None else command)


def _names(attributes: str) -> set[str]:
    return {pair.partition("=")[0].strip() for pair in attributes.split(",")}


def _version_of(command: Sequence[str]) -> str | None:
    arguments = list(command[1:])
    applications = [found[1] for word in arguments if (found := _APPLICATION.fullmatch(word))]
    if applications:
        return _version_of_module(applications[0])
    if "-m" in arguments[:-1]:
        return _version_of_module(arguments[arguments.index("-m") + 1].partition(".")[0])
    if "-c" in arguments:
        return None
    script = next((word for word in arguments if not word.startswith("-")), "")
    name = PurePath(script).name
    found = entry_points(group="console_scripts", name=name)
    if name in _LAUNCHERS or not found:
        return None
    distribution = next(iter(found)).dist
    return distribution.version if distribution else None


def _version_of_module(module: str) -> str | None:
    if module in _LAUNCHERS:
        return None
    # An editable install lists its commands, but not its modules.
    for entry in entry_points(group="console_scripts"):
        if entry.module.partition(".")[0] == module and entry.dist is not None:
            return entry.dist.version
    if not _is_installed(module):
        return None
    names = packages_distributions().get(module, [])
    return version(names[0]) if len(set(names)) == 1 else None


def _is_installed(module: str) -> bool:
    """Return whether a module may belong to a distribution: one of bare files lies beside none.

    To ask each distribution what it holds reads two files of each.
    """
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    # The folders of a package, or the file of a module.
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    folders = {str(distribution.locate_file("")) for distribution in distributions()}
    return any(os.path.dirname(os.path.abspath(place)) in folders for place in places)
