"""Whether the light parts run: one variable, and only with an SDK that they were tested with."""

import logging
import os
from collections.abc import Mapping
from typing import Final

from glasshouse import versions
from glasshouse.errors import ConfigurationError

VARIABLE: Final = "GLASSHOUSE_SDK"
_LIGHT: Final = "light"
_FULL: Final = "full"
_logger: Final = logging.getLogger("glasshouse.light")


def is_light(environ: Mapping[str, str] = os.environ) -> bool:
    """Read ``GLASSHOUSE_SDK``: whether the light parts are to run.

    Raises:
        ConfigurationError: it is neither ``light`` nor ``full``.
    """
    text = environ.get(VARIABLE, "").strip().lower() or _LIGHT
    if text not in (_LIGHT, _FULL):
        raise ConfigurationError(f"{VARIABLE}: {text!r} is neither {_LIGHT} nor {_FULL}")
    return text == _LIGHT


def fits() -> bool:
    """Return whether the light parts know the installed SDK. One line says it if not."""
    if versions.is_tested("opentelemetry-sdk"):
        return True
    _logger.warning(
        "The SDK's own spans and instruments are used, which are slower: this release is not known",
        extra={"opentelemetry.found": versions.found()},
    )
    return False
