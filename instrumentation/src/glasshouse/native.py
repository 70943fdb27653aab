"""`glasshouse-native`, where it is installed: the same in less time, else Python does it all."""

import functools
import importlib
import importlib.metadata
import logging
import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

from glasshouse.errors import ConfigurationError
from glasshouse.redaction.budget import OutOfTimeError

_logger: Final = logging.getLogger(__name__)
VARIABLE: Final = "GLASSHOUSE_NATIVE"
MODULE: Final = "glasshouse_native"
_PACKAGE: Final = "glasshouse"
_ON: Final = "on"
_OFF: Final = "off"

Made = TypeVar("Made")


def is_wanted() -> bool:
    """Read ``GLASSHOUSE_NATIVE``.

    Raises:
        ConfigurationError: it is neither ``on`` nor ``off``.
    """
    text = os.environ.get(VARIABLE, "").strip().lower() or _ON
    if text not in (_ON, _OFF):
        raise ConfigurationError(f"{VARIABLE}: {text!r} is neither {_ON} nor {_OFF}")
    return text == _ON


@functools.cache
def module() -> Any | None:
    """Return the module, or None where it is not installed, does not fit, or is not wanted."""
    if os.environ.get(VARIABLE, "").strip().lower() == _OFF:
        return None
    found = attempt(_imported)
    if found is None:
        return None
    version, own = getattr(found, "__version__", "none"), _version()
    if version != own:
        _refuse(f"its version is {version}, that of {_PACKAGE} is {own}")
        return None
    return found


def attempt(make: Callable[[], Made | None]) -> Made | None:
    """Return what ``make`` makes with the module's help; None, with one line, where that fails."""
    try:
        return make()
    # A panic in Rust is no Exception, and a damaged module may raise anything.
    except BaseException as error:
        if not is_failure(error):
            raise
        refuse(error)
        return None


def is_failure(error: BaseException) -> bool:
    """Return whether an exception is the module's own, and not meant for the thread it is in."""
    return not isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | OutOfTimeError)


def refuse(error: BaseException) -> None:
    """Say, in one line, that Python does the module's work from now on."""
    _refuse(f"{type(error).__name__}: {error}")


def _version() -> str:
    try:
        return importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _imported() -> Any | None:
    try:
        return importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        if error.name == MODULE:
            return None
        raise


def _refuse(reason: str) -> None:
    _logger.warning(
        "glasshouse-native is not used, Python does its work: %s: "
        "install the one of this version, glasshouse[native], or set %s=%s",
        " ".join(reason.split()),
        VARIABLE,
        _OFF,
    )
