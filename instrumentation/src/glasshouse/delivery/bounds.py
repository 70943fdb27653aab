"""How much telemetry may wait for the Collector, in bytes and in age."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from glasshouse.errors import ConfigurationError

BYTES_VARIABLE: Final = "GLASSHOUSE_BUFFER_BYTES"
SECONDS_VARIABLE: Final = "GLASSHOUSE_BUFFER_SECONDS"
DEFAULT_BYTES: Final = 16 * 1024 * 1024
DEFAULT_SECONDS: Final = 300.0


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The bounds of one signal's buffer. size: bytes, estimated for what is not encoded yet."""

    size: int = DEFAULT_BYTES
    age_s: float = DEFAULT_SECONDS


def bounds_from(environ: Mapping[str, str] = os.environ) -> Bounds:
    """Read the bounds from the environment.

    Raises:
        ConfigurationError: a variable is no number over 0.
    """
    size = _number(environ, BYTES_VARIABLE, DEFAULT_BYTES)
    if size != int(size):
        message = f"{BYTES_VARIABLE}: {environ[BYTES_VARIABLE]!r} is no whole number of bytes"
        raise ConfigurationError(message)
    return Bounds(size=int(size), age_s=_number(environ, SECONDS_VARIABLE, DEFAULT_SECONDS))


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        message = f"{name}: {text!r} is no number over 0"
        raise ConfigurationError(message)
    return number
