"""Puts the light parts into the SDK, for the whole process."""

import inspect
import logging
from typing import Final

from glasshouse import versions
from glasshouse.light import instruments, tracers

# Where the code of upstream's own methods is.
_UPSTREAM: Final = ("opentelemetry.sdk.", "opentelemetry.util.")
_logger: Final = logging.getLogger("glasshouse.light")


def install() -> None:
    """Give tracers and instruments of this process the light ways. Safe to call twice."""
    instruments.install()
    tracers.install()


def uninstall() -> None:
    """Give the SDK its own ways back."""
    instruments.uninstall()
    tracers.uninstall()


def fits() -> bool:
    """Return whether the light parts know the SDK as it is here. One line says it if not."""
    why = None
    if not versions.is_tested("opentelemetry-sdk"):
        why = f"opentelemetry-sdk {versions.found()['opentelemetry-sdk']} is not a tested release"
    elif changed := _changed():
        why = f"another package has replaced {', '.join(changed)}"
    if why is None:
        return True
    _logger.warning(
        "Spans and measurements take upstream's own ways, which are slower", extra={"reason": why}
    )
    return False


def _changed() -> list[str]:
    every = (*tracers.methods(), *instruments.methods())
    return [f"{kind.__name__}.{name}" for kind, name in every if not _is_upstream(kind, name)]


def _is_upstream(kind: type, name: str) -> bool:
    found = inspect.getattr_static(kind, name)
    if not inspect.isfunction(found):
        return False
    return str(found.__globals__.get("__name__")).startswith(_UPSTREAM)
