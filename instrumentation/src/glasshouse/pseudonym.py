"""Keyed pseudonyms: the same person gets the same name, and the name leads nowhere.

HMAC-SHA256 (RFC 2104, FIPS 198-1) under a secret key, of which the first 16 hex digits are
kept. Without the key nobody can test a guess, which a plain hash would allow. They stand in
brackets behind their kind, `[user:4f3c2b1a09d8e7f6]`: so no id is taken for one by its form, and
the Collector leaves it alone, whatever its key.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Final

from glasshouse.errors import ConfigurationError

KEY_VARIABLE: Final = "GLASSHOUSE_HMAC_KEY"
KEY_FILE_VARIABLE: Final = "GLASSHOUSE_HMAC_KEY_FILE"
_MINIMUM_KEY_BYTES: Final = 16
_LENGTH: Final = 16
_PSEUDONYM: Final = re.compile(r"\[user:[0-9a-f]{16}\]")

_logger = logging.getLogger(__name__)


class _RandomKey(bytes):
    """Made here, for want of one that others know, too."""


@cache
def hmac_key() -> bytes:
    """Return the key, from ``GLASSHOUSE_HMAC_KEY_FILE`` or else ``GLASSHOUSE_HMAC_KEY``.

    With neither set a random key is made for this process: pseudonyms then cannot be joined
    with those of other processes, but nothing leaks.

    Raises:
        ConfigurationError: the file cannot be read, or the key has under 16 bytes.
    """
    path, value = os.environ.get(KEY_FILE_VARIABLE), os.environ.get(KEY_VARIABLE)
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"{KEY_FILE_VARIABLE}: cannot read {path}: {error.strerror}"
            raise ConfigurationError(message) from error
        except UnicodeDecodeError:
            raise ConfigurationError(f"{KEY_FILE_VARIABLE}: {path} is not UTF-8") from None
    if not value:
        return _RandomKey(secrets.token_bytes(32))
    # Bytes of the variable that are no UTF-8 count as they are.
    key = value.encode("utf-8", "surrogateescape")
    if len(key) < _MINIMUM_KEY_BYTES:
        message = f"{KEY_FILE_VARIABLE if path else KEY_VARIABLE}: the key needs at least 16 bytes"
        raise ConfigurationError(message)
    return key


def warn_of_random_key() -> None:
    """Log a warning if nobody set a key."""
    if isinstance(hmac_key(), _RandomKey):
        _logger.warning(
            "No HMAC key is set: pseudonyms are valid in this process only. "
            "Set GLASSHOUSE_HMAC_KEY_FILE to join records across processes."
        )


def user_pseudonym(user_id: str) -> str:
    """Return the pseudonym of ``user_id``: ``[user:`` and 16 lower-case hex digits.

    A pseudonym stays what it is.

    Raises:
        ConfigurationError: see `hmac_key`.
    """
    if _PSEUDONYM.fullmatch(user_id):
        return user_id
    named = user_id.encode(errors="backslashreplace")
    digest = hmac.new(hmac_key(), named, hashlib.sha256).hexdigest()
    return f"[user:{digest[:_LENGTH]}]"
