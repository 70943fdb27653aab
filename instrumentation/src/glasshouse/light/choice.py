"""Whether the light parts are asked for: one variable."""

import os
from collections.abc import Mapping
from typing import Final

from glasshouse.errors import ConfigurationError

VARIABLE: Final = "GLASSHOUSE_SDK"
_LIGHT: Final = "light"
_FULL: Final = "full"


def is_light(environ: Mapping[str, str] = os.environ) -> bool:
    """Read ``GLASSHOUSE_SDK``: whether the light parts are to run.

    Raises:
        ConfigurationError: it is neither ``light`` nor ``full``.
    """
    text = environ.get(VARIABLE, "").strip().lower() or _LIGHT
    if text not in (_LIGHT, _FULL):
        raise ConfigurationError(f"{VARIABLE}: {text!r} is neither {_LIGHT} nor {_FULL}")
    return text == _LIGHT
