"""Settings from environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(Exception):
    """A variable has an invalid value. The message is one line and names it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``block_seconds``: from a transaction's arrival to its being mined."""

    host: str = "127.0.0.1"
    port: int = 8025
    seed: int = 0
    block_seconds: float = 1.0

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read ``SANDBOX_HOST``, ``SANDBOX_LISTEN_PORT``, ``SANDBOX_SEED`` and
        ``SANDBOX_CHAIN_BLOCK_SECONDS``. Raises SettingsError."""
        return cls(
            host=environ.get("SANDBOX_HOST") or "127.0.0.1",
            port=int(_number(environ, "SANDBOX_LISTEN_PORT", 8025, 1, 65535)),
            seed=int(_number(environ, "SANDBOX_SEED", 0, 0, 2**63)),
            block_seconds=_number(environ, "SANDBOX_CHAIN_BLOCK_SECONDS", 1.0, 0, 3600),
        )


def _number(
    environ: Mapping[str, str], variable: str, default: float, low: float, high: float
) -> float:
    text = environ.get(variable)
    if not text:
        return default
    whole = isinstance(default, int)
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise SettingsError(f"{variable} is invalid: set it to {kind} from {low} to {high}")
    return value
