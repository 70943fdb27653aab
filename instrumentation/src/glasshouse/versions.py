"""Which OpenTelemetry is installed, and which the package was tested with.

The SDK and the instrumentations have numbers of their own, but come out together: 1.45.1 of the
one belongs to 0.66b1 of the other.
"""

from collections.abc import Mapping
from typing import Final

from packaging.version import InvalidVersion, Version

from glasshouse.installed import version_of

# The oldest and the newest that `make test-upstream` has passed with.
_TESTED: Final[Mapping[str, tuple[str, str]]] = {
    "opentelemetry-sdk": ("1.44.0", "1.45.2"),
    "opentelemetry-instrumentation": ("0.65b0", "0.66b2"),
}


def found() -> dict[str, str]:
    """Return the installed version of the SDK and of the instrumentations' common package."""
    return {name: _installed(name) for name in _TESTED}


def tested() -> dict[str, str]:
    """Return what the package was tested with, as ``1.44.0 to 1.45.2``, under the same names."""
    return {name: f"{oldest} to {newest}" for name, (oldest, newest) in _TESTED.items()}


def is_tested(name: str) -> bool:
    """Return whether the installed version of one of these packages is in the tested range."""
    return _is_tested(name, _installed(name))


def warning() -> str | None:
    """Return a line that names what is outside the tested range; ``None`` if nothing is."""
    outside = [
        f"{name} {there} (tested with {tested()[name]})"
        for name, there in found().items()
        if not _is_tested(name, there)
    ]
    if not outside:
        return None
    return f"Not tested with {' and '.join(outside)}: watch for missing telemetry"


def _installed(name: str) -> str:
    return version_of(name) or "not installed"


def _is_tested(name: str, there: str) -> bool:
    oldest, newest = _TESTED[name]
    try:
        return Version(oldest) <= Version(there) <= Version(newest)
    except InvalidVersion:
        return False
