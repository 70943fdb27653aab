"""Settings from environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class SettingsError(Exception):
    """A variable has an invalid value. The message is one line and names it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``block_seconds``: from a transaction's arrival to its being mined.

    With ``smtp_username`` mail is taken only after STARTTLS and login; with ``provider_secret``
    a message only with its signature.
    """

    host: str = "127.0.0.1"
    port: int = 8025
    seed: int = 0
    block_seconds: float = 1.0
    smtp_port: int = 2525
    smtp_username: str = ""
    smtp_password: str = field(default="", repr=False)
    provider_secret: str = field(default="", repr=False)
    provider_secret_file: Path | None = None

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables that the README lists. Raises SettingsError."""
        username = environ.get("SANDBOX_SMTP_USERNAME", "")
        password = _secret(environ, "SANDBOX_SMTP_PASSWORD_FILE")
        if bool(username) != bool(password):
            raise SettingsError(
                "SANDBOX_SMTP_USERNAME and SANDBOX_SMTP_PASSWORD_FILE go together: set both or none"
            )
        return cls(
            host=environ.get("SANDBOX_HOST") or "127.0.0.1",
            port=int(_number(environ, "SANDBOX_LISTEN_PORT", 8025, 1, 65535)),
            seed=int(_number(environ, "SANDBOX_SEED", 0, 0, 2**63)),
            block_seconds=_number(environ, "SANDBOX_CHAIN_BLOCK_SECONDS", 1.0, 0, 3600),
            smtp_port=int(_number(environ, "SANDBOX_SMTP_PORT", 2525, 1, 65535)),
            smtp_username=username,
            smtp_password=password,
            provider_secret=_secret(environ, "SANDBOX_PROVIDER_SECRET_FILE"),
            provider_secret_file=_path(environ, "SANDBOX_PROVIDER_SECRET_FILE"),
        )


def _secret(environ: Mapping[str, str], variable: str) -> str:
    name = environ.get(variable)
    if not name:
        return ""
    try:
        secret = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        secret = ""
    if not secret:
        raise SettingsError(f"{variable} names a file that is missing, unreadable or empty")
    return secret


def _path(environ: Mapping[str, str], variable: str) -> Path | None:
    name = environ.get(variable)
    return Path(name) if name else None


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
